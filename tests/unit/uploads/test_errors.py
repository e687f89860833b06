"""The error tree: the words of section 6, and what each means for a ref."""

import inspect
import json
from types import ModuleType

import pytest

import processing.errors
import uploads.errors
from uploads import replies
from uploads.errors import HeadraceError

GO_ON = {"bad_offset", "checksum", "size_mismatch", "bad_message", "rate_limited"}
END = {
    *("too_large", "quota", "type_rejected", "unknown_processor", "bad_params", "conflict", "digest_mismatch"),
    *("expired", "not_found", "internal", "storage_full", "busy", "taken_over", "draining"),
}
SESSION = {"unauthorized": 4401, "forbidden": 4403}
NOT_ON_THE_WIRE = {"lost_lease"}


def classes(module: ModuleType) -> list[type[HeadraceError]]:
    return [kind for _, kind in inspect.getmembers(module, inspect.isclass) if issubclass(kind, HeadraceError)]


LEAVES = sorted(
    {k for m in (processing.errors, uploads.errors) for k in classes(m) if not k.__subclasses__()},
    key=lambda kind: kind.code,
)


def test_every_code_of_the_wire_has_exactly_one_class() -> None:
    codes = [kind.code for kind in LEAVES]
    assert sorted(codes) == sorted(GO_ON | END | set(SESSION) | NOT_ON_THE_WIRE)


@pytest.mark.parametrize("kind", LEAVES)
def test_a_code_says_whether_the_ref_ends_and_whether_the_session_closes(kind: type[HeadraceError]) -> None:
    assert kind.ends is (kind.code not in GO_ON)
    assert kind.close_code == SESSION.get(kind.code)


@pytest.mark.parametrize("kind", LEAVES)
def test_an_error_without_words_has_a_message_for_a_person(kind: type[HeadraceError]) -> None:
    error = kind()
    assert error.message.endswith(".")
    assert str(error) == error.message
    assert error.detail == {}


def test_an_error_keeps_its_words_and_its_detail() -> None:
    error = uploads.errors.BadParams("`top` must be a number.", field="top")
    assert error.message == str(error) == "`top` must be a number."
    assert error.detail == {"field": "top"}


def test_detail_changes_none_of_the_fields_that_every_error_has() -> None:
    error = uploads.errors.Conflict("No.", code="x", retryable=1, ended=2, type="z", ref=9, job="j", of="k")
    message = replies.error(error, ref=1, job="11111111-1111-4111-8111-111111111111", ended=True)
    assert message == {
        "type": "error",
        "ref": 1,
        "job": "11111111-1111-4111-8111-111111111111",
        "code": "conflict",
        "message": "No.",
        "retryable": False,
        "ended": True,
        "of": "k",
    }
    json.dumps(message)


def test_all_that_uploads_raises_can_be_imported_from_one_place() -> None:
    assert set(uploads.errors.__all__) >= {k.__name__ for k in LEAVES} - {"LostLease"}
    assert all(hasattr(uploads.errors, name) for name in uploads.errors.__all__)
