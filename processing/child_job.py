"""Inside the child: run one job, and put everything that can become of it into one message. Needs no Django."""

import contextlib
import json
import logging
import os
import sys
import tempfile
import threading
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from processing import kin, limits
from processing.api import Log, Partial, ProcessorError, Progress, Step, Steps
from processing.child_control import Control, Message
from processing.files import InputFile
from processing.jsonable import to_json
from processing.registry import Registry

MESSAGE_BYTES = 64 << 10
"""The most that a result or a Partial may take as JSON in a message (docs/protocol.md, section 5)."""

TEXT = 4000
"""Characters kept of one line of log, or of an error's message."""

RESULT_NAME = "result.json"
ARTIFACTS, RESULT = ".artifacts", ".result"
"""What is ours in the job's folder, which is the processor's working and temporary folder too."""


class _Refused(Exception):
    """What the processor gave cannot be taken: its author's mistake, with a code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Order:
    """What the worker wants run. `folder` is private to the job; `source` its input, a path or an open descriptor."""

    processor: str
    params: dict[str, Any]
    name: str
    content_type: str
    size: int
    sha256: str | None
    folder: str
    source: int | str
    memory_bytes: int
    cpu_seconds: float


def run(order: Order, registry: Registry, control: Control) -> Message:
    """The one message that ends the job: `result`, `failed` or `cancelled`.

    Its `dirty` says that the processor left something behind, so that this process should not be used again.
    """
    threads = threading.active_count()
    with _surroundings(order.folder), _logging_to(control):
        limits.apply_for_job(order.memory_bytes, order.cpu_seconds)
        message = _outcome(order, registry, control)
        limits.lift_memory()
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
    return message | {"dirty": _left_behind(threads)}


def _outcome(order: Order, registry: Registry, control: Control) -> Message:
    file = InputFile(
        order.source, order.name, order.content_type, order.size, order.sha256, workdir=Path(order.folder, ARTIFACTS)
    )
    try:
        processor = registry.get(order.processor)
        done, result = _drive(processor.steps(file, order.params), control)
        return _result(result, file) if done else {"type": "cancelled"}
    except ProcessorError as error:
        return _failed(error.code[:50] or "processing_failed", error.message, error)
    except _Refused as error:
        return _failed(error.code, str(error), error)
    except MemoryError as error:
        limits.lift_memory()
        allowed = f"{order.memory_bytes / (1 << 20):g} MiB"
        return _failed("out_of_memory", f"It needed more memory than the {allowed} that it may use.", error)
    except BaseException as error:  # noqa: BLE001 - an author's code may raise anything, SystemExit too
        return _failed("processing_failed", f"{type(error).__name__}: {error}".rstrip(": "), error)


def _drive(steps: Steps, control: Control) -> tuple[bool, Any]:
    """Run to the end and give (True, result), or to where it was cancelled and give (False, None)."""
    while not control.cancelled.is_set():
        try:
            step = next(steps)
        except StopIteration as end:
            return True, end.value
        try:
            _report(step, control)
        except _Refused:
            steps.close()
            raise
    try:
        steps.close()
    except Exception:  # cancelled it is, whatever its `finally` blocks did
        logging.getLogger(__name__).exception("the processor raised while it was being cancelled")
    return False, None


def _report(step: Step, control: Control) -> None:
    match step:
        case Progress(done, total, unit, message):
            control.progress(
                {
                    "type": "progress",
                    "done": done,
                    "total": total,
                    "unit": _cut(unit, 50),
                    "message": _cut(message, 300),
                }
            )
        case Partial(data):
            control.send({"type": "partial", "data": _partial(data)})
        case Log(message, level):
            control.send({"type": "log", "level": level, "message": _cut(message), "asked": True})


def _partial(data: Any) -> Any:
    try:
        value = to_json(data, "partial")
    except TypeError as error:
        raise _Refused("bad_partial", str(error)) from error
    size = _json_bytes(value)
    if size > MESSAGE_BYTES:
        raise _Refused("partial_too_large", f"A Partial of {size} bytes as JSON; at most {MESSAGE_BYTES} are allowed.")
    return value


def _result(result: Any, file: InputFile) -> Message:
    try:
        value = to_json(result)
    except TypeError as error:
        raise _Refused("bad_result", str(error)) from error
    made = [
        {"name": one.name, "content_type": one.content_type, "file": f"{ARTIFACTS}/{one.path.name}", "is_result": False}
        for one in file.artifacts
    ]
    if _json_bytes(value) > MESSAGE_BYTES:
        place = file.workdir.parent / RESULT
        with place.open("x", encoding="utf-8") as stream:
            json.dump(value, stream, ensure_ascii=False)
        made.append({"name": RESULT_NAME, "content_type": "application/json", "file": RESULT, "is_result": True})
        value = None
    return {"type": "result", "data": value, "artifacts": made}


def _failed(code: str, message: str, error: BaseException) -> Message:
    told = "".join(traceback.format_exception(error))
    return {"type": "failed", "code": _cut(code), "message": _cut(message), "traceback": told[-16_000:]}


def _cut(text: object, length: int = TEXT) -> str:
    """At most `length` characters, without what a row cannot hold."""
    value = str(to_json(str(text)))
    return value if len(value) <= length else value[: length - 1] + "…"


def _json_bytes(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode())


@contextlib.contextmanager
def _surroundings(folder: str) -> Iterator[None]:
    """The job's own folder as working directory and for temporary files; environment and all else as before, after."""
    before, temporary = dict(os.environ), tempfile.tempdir
    os.environ["TMPDIR"] = tempfile.tempdir = folder
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir("/")
        os.environ.clear()
        os.environ.update(before)
        tempfile.tempdir = temporary


class _Lines(logging.Handler):
    def __init__(self, control: Control) -> None:
        super().__init__()
        self._control = control

    def emit(self, record: logging.LogRecord) -> None:
        level = "debug" if record.levelno < logging.INFO else record.levelname.lower()
        level = {"critical": "error"}.get(level, level if level in ("debug", "info", "warning", "error") else "info")
        self._control.send({"type": "log", "level": level, "message": _cut(self.format(record)), "asked": False})


@contextlib.contextmanager
def _logging_to(control: Control) -> Iterator[None]:
    handler = _Lines(control)
    root = logging.getLogger()
    before = root.handlers[:], root.level
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.handlers[:], level = before
        root.setLevel(level)


def _left_behind(threads: int) -> bool:
    """True where a thread, a process (of its own or come back to the guard) or much memory is left of the job."""
    others = kin.children(os.getpid()) or [pid for pid in kin.children(os.getppid()) if pid != os.getpid()]
    return bool(others) or threading.active_count() > threads or limits.resident_bytes() > limits.RETIRE_BYTES
