"""processing.jsonable: results as strict JSON."""

import dataclasses
import datetime
import enum
import json
import math
import uuid
from collections import Counter, OrderedDict
from decimal import Decimal
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from processing.jsonable import to_json


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


class Point(NamedTuple):
    x: float
    y: float


@dataclasses.dataclass
class Row:
    name: str
    at: datetime.date
    inner: "Row | None" = None


class Model(BaseModel):
    price: Decimal
    colour: Colour = Colour.RED


DAY = datetime.date(2024, 5, 17)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (3, 3),
        (2.5, 2.5),
        ("é\n", "é\n"),
        (math.nan, None),
        (math.inf, None),
        (-math.inf, None),
        ((1, (2, [3])), [1, [2, [3]]]),
        (Point(1, math.nan), [1, None]),
        (Counter("aab").most_common(), [["a", 2], ["b", 1]]),
        (OrderedDict(a=1), {"a": 1}),
        ({1: "a", Colour.RED: "b", 2.5: "c", False: "d"}, {"1": "a", "red": "b", "2.5": "c", "false": "d"}),
        (Colour.RED, "red"),
        (Level.LOW, 1),
        (Decimal("2.50"), 2.5),
        (Decimal("1E+3"), 1000),
        (Decimal("NaN"), None),
        (Decimal("-Infinity"), None),
        (Decimal("1e999"), None),
        (DAY, "2024-05-17"),
        (datetime.datetime(2024, 5, 17, 1, 2, tzinfo=datetime.UTC), "2024-05-17T01:02:00+00:00"),
        (datetime.time(1, 2), "01:02:00"),
        (datetime.timedelta(minutes=1), 60.0),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (
            Row("a", DAY, Row("b", DAY)),
            {
                "name": "a",
                "at": "2024-05-17",
                "inner": {"name": "b", "at": "2024-05-17", "inner": None},
            },
        ),
        (Model(price=Decimal("0.1")), {"price": 0.1, "colour": "red"}),
        ("nul\x00", "nul\ufffd"),
        ("lone \ud800", "lone \ufffd"),
        ("pair \ud83d\ude00", "pair 😀"),
        ({"k\x00": 1}, {"k\ufffd": 1}),
    ],
)
def test_what_becomes_of_values(value: Any, expected: Any) -> None:
    found = to_json(value)
    assert found == expected
    assert type(found) is type(expected)
    assert json.loads(json.dumps(found, allow_nan=False)) == expected


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (b"x", "result is a bytes, which JSON cannot hold"),
        ({"rows": [1, {"image": b"x"}]}, r"result.rows\[1\].image is a bytes"),
        ({1, 2}, "result is a set"),
        ([object()], r"result\[0\] is a object"),
        (len, "result is a builtin_function_or_method"),
        (Row, "result is a type"),
        (1j, "result is a complex"),
        ({(1, 2): 3}, "result has the key"),
        ({None: 3}, "result has the key None, a NoneType; keys are text"),
        (10**400, "whole number of 1329 bits"),
    ],
)
def test_what_cannot_be_json_is_named_with_its_place(value: Any, sentence: str) -> None:
    with pytest.raises(TypeError, match=sentence):
        to_json(value)


def test_the_place_begins_with_the_name_given() -> None:
    with pytest.raises(TypeError, match=r"^partial\[0\] is a bytes"):
        to_json([b""], "partial")


def test_a_value_that_holds_itself_is_told() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(TypeError, match="nested more than 100 deep"):
        to_json(loop)


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**200), 2**200)
    | st.floats()
    | st.text()
    | st.decimals()
    | st.datetimes(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@settings(deadline=None)
@given(ANYTHING)
def test_all_of_it_is_strict_json(value: Any) -> None:
    text = json.dumps(to_json(value), allow_nan=False, ensure_ascii=False)
    assert "\\u0000" not in text
    assert to_json(json.loads(text)) == json.loads(text)
    text.encode()
