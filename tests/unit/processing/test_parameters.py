"""processing.parameters: keyword-only arguments as a form, a schema and a validation."""

import datetime
import enum
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from processing.api import File, Processor, processor
from processing.errors import BadParams
from processing.parameters import arguments, descriptions, validate


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Box(BaseModel):
    width: int = 1


def made(function: Callable[..., Any]) -> Processor:
    found: Processor = processor("trial")(function).processor  # type: ignore[attr-defined]
    return found


def example(
    file: File,
    *,
    top: Annotated[int, Field(ge=1, le=10)] = 3,
    share: float = 0.5,
    colour: Colour = Colour.RED,
    kind: Literal["a", "b"] = "a",
    sizes: tuple[Annotated[int, Field(ge=1)], ...] = (1, 2),
    day: datetime.date | None = None,
    price: Decimal = Decimal("1.50"),
    box: Box = Box(),  # noqa: B008 - a model is copied
    copy: bool = False,
    json: str = "",
) -> None:
    """Do it.

    Args:
        top: How many
            there are.
        colour (Colour): Which one.
        nobody: Not a parameter.

    Returns:
        nothing: at all
    """


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def test_defaults_are_filled_in_as_json() -> None:
    values = validate(made(example), {})
    assert values == {
        "top": 3,
        "share": 0.5,
        "colour": "red",
        "kind": "a",
        "sizes": [1, 2],
        "day": None,
        "price": "1.50",
        "box": {"width": 1},
        "copy": False,
        "json": "",
    }
    assert json.loads(json.dumps(values, allow_nan=False)) == values


def test_arguments_are_python_values_again() -> None:
    found = made(example)
    stored = validate(found, {"colour": "blue", "day": "2024-05-17", "price": "2.25", "sizes": [7], "share": 1})
    assert validate(found, stored) == stored
    values = arguments(found, stored)
    assert values["colour"] is Colour.BLUE
    assert values["day"] == datetime.date(2024, 5, 17)
    assert values["price"] == Decimal("2.25")
    assert values["sizes"] == (7,)
    assert values["box"] == Box(width=1)
    assert values["copy"] is False  # a name that a pydantic model uses itself
    assert set(values) == set(stored)


@pytest.mark.parametrize(
    ("params", "field", "sentence"),
    [
        ({"top": 0}, "top", "top: must be greater than or equal to 1."),
        ({"top": 11}, "top", "top: must be less than or equal to 10."),
        ({"top": "3"}, "top", "top: must be a valid integer."),
        ({"top": True}, "top", "top: must be a valid integer."),
        ({"top": 3.5}, "top", "top: must be a valid integer"),
        ({"top": None}, "top", "top: must be a valid integer."),
        ({"copy": "yes"}, "copy", "copy: must be a valid boolean."),
        ({"copy": 1}, "copy", "copy: must be a valid boolean."),
        ({"colour": "green"}, "colour", "colour: must be 'red' or 'blue'."),
        ({"kind": "c"}, "kind", "kind: must be 'a' or 'b'."),
        ({"sizes": [1, 0]}, "sizes", "sizes[1]: must be greater than or equal to 1."),
        ({"sizes": 3}, "sizes", "sizes: must be a valid array."),
        ({"day": "soon"}, "day", "day: must be a valid date"),
        ({"box": {"width": "x"}}, "box", "box.width: must be a valid integer"),
        ({"tpo": 3}, "tpo", "trial has no parameter tpo. It has: top, share, colour"),
        ({"x" * 500: 3}, "x" * 100, "trial has no parameter"),
        ({"share": float("nan")}, "", "plain JSON values"),
        ({"share": object()}, "", "plain JSON values"),
        ({"json": "\ud800"}, "", "plain JSON values"),
        ({"top": 10**5000}, "", "plain JSON values"),
        ({"json": deep(100_000)}, "", "plain JSON values"),
    ],
)
def test_a_wrong_parameter_is_named_with_what_is_allowed(params: dict[str, Any], field: str, sentence: str) -> None:
    with pytest.raises(BadParams) as caught:
        validate(made(example), params)
    assert caught.value.detail == {"field": field}
    assert sentence in caught.value.message


def test_a_parameter_without_a_default_is_needed() -> None:
    def needs(file: File, *, column: str) -> None: ...

    with pytest.raises(BadParams, match="trial needs the parameter column") as caught:
        validate(made(needs), {})
    assert caught.value.detail == {"field": "column"}
    assert validate(made(needs), {"column": "a"}) == {"column": "a"}


EXAMPLE = made(example)


@settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["top", "share", "sizes", "json", "other"]),
        st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), st.lists, max_leaves=5),
    )
)
def test_anything_is_valid_or_bad_params(params: dict[str, Any]) -> None:
    try:
        values = validate(EXAMPLE, params)
    except BadParams:
        return
    assert validate(EXAMPLE, json.loads(json.dumps(values))) == values


def test_the_schema_shows_bounds_choices_and_help() -> None:
    schema = made(example).parameters.model_json_schema()
    assert schema["additionalProperties"] is False
    top = schema["properties"]["top"]
    assert (top["minimum"], top["maximum"], top["default"], top["type"]) == (1, 10, 3, "integer")
    assert top["description"] == "How many there are."
    assert schema["properties"]["colour"]["description"] == "Which one."
    assert schema["properties"]["kind"]["enum"] == ["a", "b"]
    assert schema["$defs"]["Colour"]["enum"] == ["red", "blue"]
    assert "description" not in schema["properties"]["share"]
    assert {"copy", "json"} <= set(schema["properties"])


def test_an_authors_own_description_wins() -> None:
    def told(file: File, *, top: Annotated[int, Field(description="mine")] = 1) -> None:
        """Do.

        Args:
            top: the docstring's
        """

    assert made(told).parameters.model_json_schema()["properties"]["top"]["description"] == "mine"


def test_help_is_read_from_numpy_sections_too() -> None:
    text = "Do.\n\nParameters\n----------\ntop : int\n    How many.\nlow: Why."
    assert descriptions(text) == {"top": "int How many.", "low": "Why."}
    assert descriptions("Nothing here.") == {}


def no_file() -> None: ...
def keyword_file(*, file: File) -> None: ...
def positional(file: File, top: int = 3) -> None: ...
def without_annotation(file: File, *, top=3) -> None: ...  # type: ignore[no-untyped-def]
def anything(file: File, **options: int) -> None: ...
def more(file: File, *others: int) -> None: ...
def hidden(file: File, *, _top: int = 3) -> None: ...
def unlike(file: File, *, top: int = "three") -> None: ...  # type: ignore[assignment]
def out_of_bounds(file: File, *, top: Annotated[int, Field(ge=1)] = 0) -> None: ...
def none_by_default(file: File, *, top: int = None) -> None: ...  # type: ignore[assignment] # noqa: RUF013
def not_json(file: File, *, call: Callable[[], int] = int) -> None: ...
def not_finite(file: File, *, share: float = float("nan")) -> None: ...
def unknown(file: File, *, top: "Missing" = 3) -> None: ...  # type: ignore[name-defined] # noqa: F821
def field_default(file: File, *, top: int = Field(3, ge=1)) -> None: ...


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        (no_file, "first argument must be the file"),
        (keyword_file, "first argument must be the file"),
        (positional, r"parameter top must be keyword-only: put a `\*` before it"),
        (without_annotation, "parameter top needs an annotation, such as top: int = 10"),
        (anything, r"parameter \*\*options takes anything"),
        (more, r"parameter \*others takes anything"),
        (hidden, "must not begin with an underscore"),
        (unlike, "the default of top is not a value of its own type: must be a valid integer"),
        (out_of_bounds, "the default of top is not a value of its own type: must be greater than"),
        (none_by_default, "the default of top is not a value of its own type"),
        (not_json, "trial.*JSON"),
        (not_finite, "the default of share is not a value of its own type: must be a finite number"),
        (unknown, "an annotation cannot be read"),
        (field_default, r"write Annotated\[type, Field"),
    ],
)
def test_what_cannot_be_a_parameter_is_refused_at_import(function: Callable[..., Any], sentence: str) -> None:
    with pytest.raises((TypeError, ValueError), match=sentence):
        made(function)
