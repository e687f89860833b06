"""All that a processor's author imports. Pure: no Django, no Channels, no event loop.

A processor is a function of a File. A generator reports with `yield` and gives its result with `return`; each `yield`
is also a place where a cancelled job stops (`with` and `finally` run). A plain function is fine as well. Keyword-only
arguments are its parameters. docs/processors.md shows how to write one.
"""

import inspect
import math
import re
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, BinaryIO, Literal, Protocol, TypeAlias, TypeVar, get_args

from pydantic import BaseModel

from processing import parameters
from processing.content_types import content_type_of, covers, patterns
from processing.jsonable import to_json

__all__ = [
    "File",
    "Log",
    "Partial",
    "Processor",
    "ProcessorError",
    "Progress",
    "Step",
    "Steps",
    "content_type_of",
    "processor",
    "to_json",
]

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_NAME_LENGTH = 100

Level: TypeAlias = Literal["debug", "info", "warning", "error"]


class ProcessorError(Exception):
    """The polite way to fail: `message` is shown to the user, so say what is wrong with the file and what would help.

    Any other exception fails the job too, but only staff see its traceback.
    """

    def __init__(self, message: str, code: str = "processing_failed") -> None:
        super().__init__(message)
        self.message = message
        self.code = code


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the work is: `done` of `total` (None: not known), in `unit`, with a few words about what is going on.

    Only the newest matters, so yield as often as you like. Raises ValueError for what is not a number of at least 0.
    """

    done: float
    total: float | None = None
    unit: str = ""
    message: str = ""

    def __post_init__(self) -> None:
        numbers: dict[str, Any] = (
            {"done": self.done} if self.total is None else {"done": self.done, "total": self.total}
        )
        for name, value in numbers.items():
            if not (isinstance(value, int | float) and math.isfinite(value) and value >= 0):
                raise ValueError(f"Progress: {name} must be a number of at least 0, not {value!r}")


@dataclass(frozen=True, slots=True)
class Partial:
    """A result so far: anything `to_json` takes, at most 64 KiB as JSON. It replaces the one before."""

    data: Any


@dataclass(frozen=True, slots=True)
class Log:
    """A line for the job's log. Raises ValueError for a level that is not known."""

    message: str
    level: Level = "info"

    def __post_init__(self) -> None:
        if self.level not in get_args(Level):
            raise ValueError(f"Log: level must be one of {', '.join(get_args(Level))}, not {self.level!r}")


Step: TypeAlias = Progress | Partial | Log
Steps: TypeAlias = Generator[Step, None, Any]


class File(Protocol):
    """What a processor is given: one input file, to read as often as it likes, and the place for what it makes."""

    @property
    def name(self) -> str:
        """The file's name as its sender gave it. For display; never a path."""

    @property
    def content_type(self) -> str:
        """What the sender said it is, or an empty string. Not checked."""

    @property
    def size(self) -> int | None:
        """Bytes. None only in a streaming processor, while the file is still arriving."""

    @property
    def sha256(self) -> str | None:
        """Hexadecimal. None only in a streaming processor, while the file is still arriving."""

    @property
    def position(self) -> int:
        """How many bytes from the start the newest `blocks()` or `open()` has read."""

    @property
    def path(self) -> str:
        """A path that any library can open for reading. It has no extension that tells the type."""

    @property
    def scratch(self) -> str:
        """The path of a private folder for temporary files. It is removed after the job."""

    def blocks(self, size: int = 1 << 20) -> Iterator[bytes]:
        """The file from its start, in blocks of at most `size` bytes. Raises OSError where the file ends too early."""

    def open(self) -> BinaryIO:
        """A new reader at the file's start; close it, or use it in a `with`."""

    def artifact(self, name: str, content_type: str = "") -> BinaryIO:
        """A new file that becomes a result to download; its attribute `name` is its path, for libraries that want one.

        Use it in a `with`: a block that raises drops it. Without a content type, the name's extension decides.
        """


Function: TypeAlias = Callable[..., Any]
F = TypeVar("F", bound=Function)


@dataclass(frozen=True)
class Processor:
    """What `@processor` knows about a function. Times in seconds, memory in bytes.

    Raises ValueError for a name that is no slug and for limits of nothing.
    """

    name: str
    title: str
    description: str
    accepts: tuple[str, ...]
    queue: str
    max_attempts: int
    time_limit: float
    memory_limit: int
    streaming: bool
    uses_django: bool
    requires: Mapping[str, str]
    function: Function = field(repr=False)
    parameters: type[BaseModel] = field(repr=False)

    def __post_init__(self) -> None:
        _check_name("processor", self.name)
        _check_name("queue", self.queue)
        if self.max_attempts < 1 or self.time_limit <= 0 or self.memory_limit <= 0:
            raise ValueError(f"Processor {self.name}: max_attempts, time_limit and memory_limit must be above 0")

    def takes(self, content_type: str) -> bool:
        """Whether `accepts` covers a content type; parameters such as `; charset=` and case do not matter."""
        return covers(self.accepts, content_type)

    def steps(self, file: File, params: Mapping[str, Any]) -> Steps:
        """Run it over `file`: yields its steps, returns its result. Closing the generator closes the processor's own.

        Raises BadParams for parameters that do not fit, TypeError for a yield that is no step, and what the function
        raises.
        """
        outcome = self.function(file, **parameters.arguments(self, params))
        if not isinstance(outcome, Generator):
            return outcome
        try:
            while True:
                step = next(outcome)
                if not isinstance(step, Step):
                    raise TypeError(f"{self.name} yielded {type(step).__name__}; it may yield Progress, Partial or Log")
                yield step
        except StopIteration as end:
            return end.value
        finally:
            outcome.close()


def processor(
    name: str,
    *,
    accepts: Sequence[str] = ("*/*",),
    title: str = "",
    queue: str = "default",
    max_attempts: int = 3,
    time_limit: float = 3600,
    memory_limit: int = 4 << 30,
    streaming: bool = False,
    uses_django: bool = False,
    requires: Mapping[str, str] = MappingProxyType({}),
) -> Callable[[F], F]:
    """Make a function a processor. The function stays what it was and gets an attribute `processor`.

    `accepts` are content types with `*` as a joker. `requires` maps a module that must be installed to what brings it
    (`{"duckdb": "headrace[tables]"}`); where it is not, the processor is left out and a system check says why.
    Raises ValueError or TypeError with one sentence about what is wrong, at import.
    """

    def decorate(function: F) -> F:
        found = Processor(
            name=name,
            title=title or name.replace("-", " ").capitalize(),
            description=_first_paragraph(function),
            accepts=patterns(name, accepts),
            queue=queue,
            max_attempts=max_attempts,
            time_limit=time_limit,
            memory_limit=memory_limit,
            streaming=streaming,
            uses_django=uses_django,
            requires=MappingProxyType(dict(requires)),
            function=function,
            parameters=parameters.model_of(name, function),
        )
        function.processor = found  # type: ignore[attr-defined]
        return function

    return decorate


def _check_name(what: str, name: object) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name) or len(name) > _NAME_LENGTH:
        raise ValueError(
            f"{name!r} cannot name a {what}: use lower-case letters and digits with single hyphens between them, "
            f"at most {_NAME_LENGTH} characters"
        )


def _first_paragraph(function: Function) -> str:
    return " ".join(inspect.cleandoc(function.__doc__ or "").partition("\n\n")[0].split())
