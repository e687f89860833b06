"""Run a processor in a test, without a server, a database or a worker.

outcome = run(word_count, b"to be or not to be", top=1)
assert outcome.result == {"total": 6, "top": [["to", 2]]}
"""

import hashlib
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from processing import parameters
from processing.api import Log, Partial, Processor, Progress
from processing.content_types import content_type_of
from processing.files import InputFile, sha256_of
from processing.jsonable import JsonValue, to_json

PARTIAL_BYTES = 64 << 10
"""The most that one Partial may take as JSON (docs/protocol.md, section 5)."""


@dataclass(frozen=True)
class Given:
    """Bytes with a name, for a processor that looks at it. Without a content type, the name decides."""

    data: bytes
    name: str
    content_type: str = ""


@dataclass(frozen=True)
class Made:
    """An artifact, read back."""

    name: str
    content_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True)
class Outcome:
    """Everything that a job's people would see. `partials` and `result` have been through JSON."""

    progress: list[Progress]
    partials: list[JsonValue]
    logs: list[Log]
    result: JsonValue
    artifacts: list[Made]


def run(processor: Callable[..., Any] | Processor, source: Path | str | bytes | Given, /, **params: Any) -> Outcome:
    """Run it over a file (its path, or bytes) with checked parameters, as a worker would.

    Raises what the processor raises, BadParams for parameters that do not fit, TypeError for a result that is not JSON,
    ValueError for a Partial above 64 KiB.
    """
    found = processor if isinstance(processor, Processor) else getattr(processor, "processor", None)
    if not isinstance(found, Processor):
        raise TypeError(f"{processor!r} is not decorated with @processor")
    with tempfile.TemporaryDirectory(prefix="headrace-") as folder:
        work = Path(folder, "work")
        work.mkdir()
        file = _file(source, Path(folder, "input"), work)
        checked = parameters.validate(found, json.loads(json.dumps(to_json(params, "params"))))
        return _collect(found, file, checked)


def _file(source: Path | str | bytes | Given, place: Path, work: Path) -> InputFile:
    if isinstance(source, bytes):
        source = Given(source, "input.bin", "application/octet-stream")
    if isinstance(source, Given):
        place.write_bytes(source.data)
        kind = source.content_type or content_type_of(source.name)
        return InputFile(place, source.name, kind, len(source.data), hashlib.sha256(source.data).hexdigest(), work)
    path = Path(source)
    return InputFile(path, path.name, content_type_of(path.name), path.stat().st_size, sha256_of(path), work)


def _collect(processor: Processor, file: InputFile, params: dict[str, Any]) -> Outcome:
    progress: list[Progress] = []
    partials: list[JsonValue] = []
    logs: list[Log] = []
    steps = processor.steps(file, params)
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            result = to_json(end.value)
            break
        match step:
            case Progress():
                progress.append(step)
            case Partial(data):
                partials.append(_within_limit(to_json(data, "partial")))
            case Log():
                logs.append(step)
    made = [Made(one.name, one.content_type, one.path.read_bytes()) for one in file.artifacts]
    return Outcome(progress, partials, logs, result, made)


def _within_limit(data: JsonValue) -> JsonValue:
    size = len(json.dumps(data, ensure_ascii=False).encode())
    if size > PARTIAL_BYTES:
        raise ValueError(f"a Partial of {size} bytes as JSON; at most {PARTIAL_BYTES} are allowed")
    return data
