"""Parsing what a client says: strict, bounded, and never repeating what was sent."""

import json
import time
from datetime import UTC, datetime
from typing import Any, get_args
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from uploads import messages
from uploads.errors import BadMessage
from uploads.jsontext import MAX_INTEGER, MAX_REF, MAX_TEXT_BYTES
from uploads.messages import UploadOpen, parse

ID = "0B8D2B1E-0000-4000-8000-00000000000a"
OPEN: dict[str, Any] = {"type": "upload.open", "ref": 7, "name": "a.csv", "size": 5}


def refused(text: str) -> BadMessage:
    with pytest.raises(BadMessage) as caught:
        parse(text)
    return caught.value


def refused_fields(**fields: Any) -> BadMessage:
    return refused(json.dumps(OPEN | fields))


def opened(**fields: Any) -> UploadOpen:
    message = parse(json.dumps(OPEN | fields))
    assert isinstance(message, UploadOpen)
    return message


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "auth", "token": "t"},
        {"type": "ping", "id": 3},
        {"type": "ping"},
        {"type": "pong", "id": "three"},
        OPEN,
        OPEN | {"size": None},
        {"type": "upload.resume", "ref": 0, "upload": ID},
        {"type": "upload.resume", "ref": MAX_REF, "upload": ID, "token": "t", "checksum": "crc32"},
        {"type": "upload.finish", "ref": 1},
        {"type": "upload.finish", "ref": 1, "size": MAX_INTEGER, "sha256": "a" * 64},
        {"type": "upload.abort", "ref": 1},
        {"type": "upload.delete", "upload": ID, "token": "t"},
        {"type": "job.subscribe", "job": ID, "after": 4, "token": "t"},
        {"type": "job.unsubscribe", "job": ID},
        {"type": "job.create", "upload": ID, "processor": "inspect", "params": {"deep": {"er": [1]}}},
        {"type": "job.cancel", "job": ID},
        {"type": "job.retry", "job": ID, "token": "t"},
    ],
    ids=lambda fields: str(fields["type"]),
)
def test_each_message_is_read_with_its_fields(fields: dict[str, Any]) -> None:
    message = parse(json.dumps(fields | {"of_a_later_version": [1]}))
    assert message.type == fields["type"]
    for name, value in fields.items():
        read = getattr(message, name)
        assert (UUID(value) if name in ("upload", "job") else value) == read
    assert not hasattr(message, "of_a_later_version")


def test_a_message_is_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        opened().ref = 8  # type: ignore[misc]


def test_what_is_optional_may_be_null_and_is_then_absent() -> None:
    optional = ("content_type", "modified", "sha256", "processor", "params", "key", "checksum")
    assert opened(**dict.fromkeys(optional)) == opened()
    assert opened(params=None).params == {}


def test_times_are_read_as_utc_and_digests_as_lower_case() -> None:
    message = opened(modified="2026-01-31T13:00:00.5+01:00", sha256="AB" * 32)
    assert message.modified == datetime(2026, 1, 31, 12, 0, 0, 500_000, UTC)
    assert message.sha256 == "ab" * 32


WRONG: dict[str, list[object]] = {
    "ref": [-1, MAX_REF + 1, 1.0, "1", True, None, []],
    "name": [None, 1, ["a"]],
    "size": [-1, 5.0, "5", True],
    "content_type": [1, "x" * 256],
    "modified": [1700000000, "yesterday", "2026-01-31T12:00:00", "0001-01-01T00:00+14:00"],
    "sha256": ["", "a" * 63, "g" * 64, "a" * 65, 5],
    "processor": ["", "p" * 101, 5],
    "params": [[], "{}", 5],
    "key": ["", 5],
    "checksum": ["md5", "", True],
}


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in WRONG.items() for value in values])
def test_a_wrong_field_is_named(field: str, value: object) -> None:
    error = refused_fields(**{field: value})
    assert error.detail["field"] == field
    assert f"`{field}`" in error.message
    assert error.detail.get("ref") == (None if field == "ref" else 7)


@pytest.mark.parametrize("field", ["ref", "name", "size"])
def test_a_missing_field_is_named(field: str) -> None:
    error = refused(json.dumps({name: value for name, value in OPEN.items() if name != field}))
    assert error.detail["field"] == field


@pytest.mark.parametrize("value", ["", "x", ID[:-1], ID + "0", ID.replace("-", ""), "{" + ID + "}", 5, None])
def test_an_id_is_a_uuid_in_its_usual_form(value: object) -> None:
    for fields in ({"type": "job.cancel", "job": value}, {"type": "upload.delete", "upload": value}):
        assert refused(json.dumps(fields)).detail["field"] in ("job", "upload")


def test_an_error_names_the_job_where_that_is_readable() -> None:
    error = refused(json.dumps({"type": "job.subscribe", "job": ID, "after": -1}))
    assert error.detail == {"field": "after", "job": ID}


@pytest.mark.parametrize("kind", ["upload.destroy", "UPLOAD.OPEN", "", "welcome", 5, None, ["upload.open"], {}])
def test_an_unknown_type_is_refused_and_the_ref_is_named(kind: object) -> None:
    error = refused_fields(type=kind)
    assert error.detail == {"field": "type", "ref": 7}


@pytest.mark.parametrize(
    "text", ["", " ", "{", "[1]", "1", '"x"', "null", "{'a': 1}", "\x00", "{}x", "\ufeff{}", "]" * 50]
)
def test_what_is_not_one_json_object_is_refused(text: str) -> None:
    assert refused(text)


@pytest.mark.parametrize(
    "value", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", str(2**53), str(-(2**53)), "9" * 5000]
)
def test_numbers_out_of_range_are_refused_wherever_they_stand(value: str) -> None:
    assert "number" in refused(f'{{"type": "ping", "id": 1, "later": [{value}]}}').message


def test_the_largest_integers_are_read() -> None:
    assert opened(params={"a": MAX_INTEGER, "b": -MAX_INTEGER, "c": 1.5}).params["b"] == -MAX_INTEGER


def test_a_message_has_at_most_16_kib_of_utf8() -> None:
    def text(letter: str, count: int) -> str:
        return json.dumps(OPEN | {"name": letter * count}, ensure_ascii=False)

    around = len(text("", 0).encode())
    assert parse(text("a", MAX_TEXT_BYTES - around))
    assert "16 KiB" in refused(text("a", MAX_TEXT_BYTES - around + 1)).message
    assert parse(text("é", (MAX_TEXT_BYTES - around) // 2))
    assert "16 KiB" in refused(text("é", (MAX_TEXT_BYTES - around) // 2 + 1)).message
    assert "16 KiB" in refused("\ud800" * 16_000).message


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_a_message_is_nested_at_most_8_deep(opening: str, closing: str) -> None:
    def text(depth: int) -> str:
        inner = opening * (depth - 2) + "1" + closing * (depth - 2)
        return f'{{"type": "job.create", "upload": "{ID}", "processor": "p", "params": {{"a": {inner}}}}}'

    assert parse(text(8))
    assert "8 deep" in refused(text(9)).message


def test_brackets_within_strings_are_not_depth() -> None:
    name = '[[[[[[[[[[{{{{{{\\"[[[[\\\\'
    assert opened(name=name).name == name
    wide = {"a": [[1], [2], [3], [4], [5], [6], [7], [8], [9]]}
    assert opened(params=wide).params == wide


@pytest.mark.parametrize(
    "text",
    ["[" * 16_000, '{"a":' * 3_000, "[" * 8_000 + "]" * 8_000, '\\"' * 8_000, '"' + "[" * 16_000, '[{"\\' * 4_000],
)
def test_hostile_nesting_costs_next_to_nothing(text: str) -> None:
    start = time.perf_counter()
    assert refused(text)
    assert time.perf_counter() - start < 0.1


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(OPEN | {"name": "\ud800"}),
        json.dumps(OPEN | {"name": "\udfff\ud800"}),
        json.dumps(OPEN | {"params": {"\udabc": 1}}),
        json.dumps(OPEN | {"later": ["\udabc"]}),
        json.dumps(OPEN | {"name": "\ud800"}, ensure_ascii=False),
    ],
)
def test_half_of_a_surrogate_pair_is_refused(text: str) -> None:
    error = refused(text)
    assert "surrogate" in error.message
    assert error.detail == {"ref": 7}


@pytest.mark.parametrize(
    "name", ["", "../../etc/passwd", "a\x00b", "a\u202egpj.exe", "😀" * 300, "\x1b[31m", "\\ud800"]
)
def test_a_name_is_data_whatever_is_in_it(name: str) -> None:
    assert opened(name=name).name == name
    assert parse(json.dumps(OPEN | {"name": name}, ensure_ascii=False)) == opened(name=name)


def test_nothing_of_what_was_sent_is_repeated() -> None:
    secret = "hunter2" * 50
    for text in (
        json.dumps(OPEN | {"size": secret, secret: 1}),
        json.dumps(OPEN | {"checksum": secret}),
        json.dumps({"type": secret}),
        json.dumps({"type": "job.cancel", "job": secret}),
        f'{{"{secret}": NaN}}',
        f"{{{secret}",
        json.dumps(OPEN | {"params": secret}),
    ):
        error = refused(text)
        assert "hunter2" not in error.message + json.dumps(error.detail)
        assert len(error.message) < 200


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
TYPES = sorted(get_args(kind.model_fields["type"].annotation)[0] for kind in get_args(messages.ClientMessage))
NAMES = ["ref", "name", "size", "upload", "job", "token", "id", "after", "params", "processor", "sha256", "checksum"]


@given(
    st.text(max_size=80)
    | st.builds(json.dumps, json_values)
    | st.builds(
        lambda kind, fields: json.dumps(fields | {"type": kind}),
        st.sampled_from(TYPES),
        st.dictionaries(st.sampled_from(NAMES), json_values),
    )
)
def test_whatever_comes_is_a_message_or_a_bad_message(text: str) -> None:
    try:
        kind = parse(text).type
    except BadMessage:
        return
    assert kind in TYPES
