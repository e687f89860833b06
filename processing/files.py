"""The File that a processor sees, over a path or a descriptor, and the artifacts that it writes in a private folder."""

import hashlib
import io
import os
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO

from processing.content_types import content_type_of

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_NAME_BYTES = 255
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f/\\\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""What never stands in an artifact's name: separators, control characters, marks that turn the reading direction."""


@dataclass(frozen=True)
class ArtifactFile:
    """An artifact that is complete: its name for display, its type, its size in bytes, and where it lies."""

    name: str
    content_type: str
    size: int
    path: Path


class InputFile:
    """`processing.api.File` over a path or an open descriptor (which must stay open).

    `workdir` is a private folder, empty or still to be made: artifacts lie in it as 0, 1, ..., temporary files in its
    folder `scratch`.
    """

    def __init__(
        self, source: int | str | Path, name: str, content_type: str, size: int, sha256: str | None, workdir: str | Path
    ) -> None:
        self.path = f"/dev/fd/{source}" if isinstance(source, int) else str(source)
        self.name = name
        self.content_type = content_type
        self.size = size
        self.sha256 = sha256
        self.workdir = Path(workdir)
        self._position = 0
        self._made: list[_ArtifactWriter] = []

    @property
    def position(self) -> int:
        """Bytes from the start that the newest reader has read."""
        return self._position

    @property
    def scratch(self) -> str:
        """A folder for temporary files, made on first use."""
        folder = self.workdir / "scratch"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return str(folder)

    @property
    def artifacts(self) -> list[ArtifactFile]:
        """What was completed, in the order of opening. An artifact that is still open is closed first."""
        for writer in self._made:
            writer.close()
        return [writer.artifact for writer in self._made if writer.artifact is not None]

    def blocks(self, size: int = 1 << 20) -> Iterator[bytes]:
        """The file in blocks, up to its known size and no further. Raises OSError where it ends too early."""
        if size < 1:
            raise ValueError(f"a block has at least 1 byte, not {size}")
        place = self._position = 0
        with io.FileIO(self.path) as reader:
            while place < self.size:
                block = reader.read(min(size, self.size - place))
                if not block:
                    raise OSError(f"the stored file ends at byte {place}; {self.size} were expected")
                place += len(block)
                self._position = place
                yield block

    def open(self) -> BinaryIO:
        """A new buffered reader at the start, with a place of its own."""

        def moved(position: int) -> None:
            self._position = position

        return io.BufferedReader(_Reader(self.path, moved), 1 << 16)

    def artifact(self, name: str, content_type: str = "") -> BinaryIO:
        """A new artifact. Its name is made safe to show, and told apart from those before by a number."""
        taken = {writer.shown.casefold() for writer in self._made if not writer.dropped}
        shown = distinct_name(safe_name(name), taken)
        guessed = content_type or content_type_of(shown) or "application/octet-stream"
        self.workdir.mkdir(mode=0o700, exist_ok=True)
        writer = _ArtifactWriter(self.workdir / str(len(self._made)), shown, guessed)
        self._made.append(writer)
        return writer


class _Reader(io.FileIO):
    """A raw reader that tells how far it has come. Opening /dev/fd/N anew gives a place of its own on Linux."""

    def __init__(self, path: str, moved: Callable[[int], None]) -> None:
        super().__init__(path, "rb")
        self._moved = moved
        moved(0)

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        count = super().readinto(buffer)
        self._moved(self.tell())
        return count

    def readall(self) -> bytes:
        block = super().readall()
        self._moved(self.tell())
        return block


class _ArtifactWriter(io.BufferedRandom):
    """An open artifact. Closing it completes it; leaving its `with` by an exception drops it."""

    def __init__(self, path: Path, shown: str, content_type: str) -> None:
        self.artifact: ArtifactFile | None = None
        self.dropped = False
        self.shown = shown
        self._path = path
        self._content_type = content_type
        super().__init__(io.FileIO(path, "xb+"), 1 << 16)

    @property
    def name(self) -> str:
        """The path, for a library that wants to write the file itself."""
        return str(self._path)

    def close(self) -> None:
        if self.closed:
            return
        super().close()
        if self.dropped:
            self._path.unlink(missing_ok=True)
            return
        found = self._path.lstat()  # not the descriptor: a library may have put another file in its place
        if not stat.S_ISREG(found.st_mode):
            raise OSError(f"the artifact {self.shown} is not a plain file any more")
        self.artifact = ArtifactFile(self.shown, self._content_type, found.st_size, self._path)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.dropped = kind is not None
        self.close()


def safe_name(name: str) -> str:
    """A name to show and to save under: no separators, no control characters, at most 255 bytes as UTF-8."""
    text = _UNSAFE.sub("_", name).encode(errors="replace").decode().strip()
    text = text if text.strip(".") else f"artifact{text}"
    return _shortened(text, "")


def distinct_name(name: str, taken: set[str]) -> str:
    """`name`, or `stem-2.ext` and so on where its casefolded form is in `taken`."""
    number = 2
    shown = name
    while shown.casefold() in taken:
        shown = _shortened(name, f"-{number}")
        number += 1
    return shown


def _shortened(name: str, mark: str) -> str:
    """The name with `mark` before its extension, its stem cut so that all fits."""
    path = PurePath(name)
    suffix = path.suffix if len(path.suffix.encode()) <= 20 else ""
    stem = name[: len(name) - len(suffix)] if suffix else name
    room = _NAME_BYTES - len(f"{mark}{suffix}".encode())
    return stem.encode()[:room].decode(errors="ignore") + mark + suffix


def sha256_of(path: str | os.PathLike[str]) -> str:
    """The hexadecimal digest of a file."""
    with open(path, "rb") as stream:  # noqa: PTH123 - /dev/fd/N as well
        return hashlib.file_digest(stream, "sha256").hexdigest()
