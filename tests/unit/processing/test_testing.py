"""processing.testing: a processor's whole run, without a server."""

from pathlib import Path

import pytest

from processing.api import File, Log, Partial, ProcessorError, Progress, Steps, processor
from processing.errors import BadParams
from processing.testing import Given, run

DATA = Path(__file__).parents[2] / "data"


@processor("upper")
def upper(file: File, *, suffix: str = "!", times: int = 1) -> Steps:
    """Upper-case."""
    yield Progress(0, file.size)
    text = b"".join(file.blocks()).decode().upper() + suffix * times
    yield Partial((text[:1], float("nan")))
    yield Log("done", "warning")
    with file.artifact("upper.txt") as out:
        out.write(text.encode())
    return {"text": text, "name": file.name, "type": file.content_type, "sha256": file.sha256}


def test_everything_that_comes_out_is_collected() -> None:
    outcome = run(upper, b"abc", suffix="?", times=2)
    assert outcome.progress == [Progress(0, 3)]
    assert outcome.partials == [["A", None]]
    assert outcome.logs == [Log("done", "warning")]
    assert outcome.result == {
        "text": "ABC??",
        "name": "input.bin",
        "type": "application/octet-stream",
        "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    }
    assert [(one.name, one.content_type, one.content) for one in outcome.artifacts] == [
        ("upper.txt", "text/plain", b"ABC??")
    ]


def test_bytes_may_have_a_name_and_a_type() -> None:
    result = run(upper, Given(b"abc", "a.csv")).result
    assert isinstance(result, dict)
    assert (result["name"], result["type"]) == ("a.csv", "text/csv")
    result = run(upper, Given(b"abc", "a.csv", "text/x-odd")).result
    assert isinstance(result, dict)
    assert result["type"] == "text/x-odd"


@pytest.mark.parametrize("as_text", [True, False])
def test_a_real_file_is_given_by_its_path(as_text: bool) -> None:
    path = DATA / "sonnet-utf8.txt"
    result = run(upper, str(path) if as_text else path).result
    assert isinstance(result, dict)
    assert (result["name"], result["type"]) == ("sonnet-utf8.txt", "text/plain")
    assert "SUMMER\N{RIGHT SINGLE QUOTATION MARK}S DAY" in str(result["text"])


def test_parameters_are_checked_as_a_worker_does() -> None:
    with pytest.raises(BadParams, match="times: must be a valid integer"):
        run(upper, b"", times="2")
    with pytest.raises(BadParams, match="upper has no parameter tims"):
        run(upper, b"", tims=2)


def test_what_the_processor_raises_comes_through() -> None:
    @processor("fails")
    def fails(file: File) -> Steps:
        yield Progress(1)
        raise ProcessorError("No.")

    with pytest.raises(ProcessorError, match=r"^No\.$"):
        run(fails, b"")


def test_a_result_that_is_not_json_is_told() -> None:
    @processor("wrong")
    def wrong(file: File) -> dict[str, object]:
        return {"a": [1, {"b": b"bytes"}]}

    with pytest.raises(TypeError, match=r"result.a\[1\].b is a bytes, which JSON cannot hold"):
        run(wrong, b"")


def test_a_partial_above_the_limit_is_told() -> None:
    @processor("chatty")
    def chatty(file: File, *, size: int) -> Steps:
        yield Partial("x" * size)

    assert len(run(chatty, b"", size=65_534).partials) == 1
    with pytest.raises(ValueError, match="a Partial of 65537 bytes"):
        run(chatty, b"", size=65_535)


def test_a_function_that_is_no_processor_is_refused() -> None:
    with pytest.raises(TypeError, match="is not decorated with @processor"):
        run(len, b"")


def test_nothing_is_left_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    run(upper, b"abc")
    assert list(tmp_path.iterdir()) == []
