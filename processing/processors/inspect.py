"""The processor `inspect`: what is this file, really?"""

import hashlib
import io

from processing.api import File, Progress, Steps, content_type_of, processor
from processing.processors._kinds import matches, type_by_content
from processing.processors._text import Decoder, sample_of


@processor("inspect")
def inspect(file: File) -> Steps:
    """Look at any file: its type by content against its name, size, SHA-256, and for text encoding and lines."""
    sample = sample_of(file)
    decoder = Decoder(sample)
    by_name = content_type_of(file.name)
    by_content = type_by_content(sample, decoder.encoding is not None, by_name)
    text = None if decoder.encoding is None or by_content == "application/pdf" else _Lines()
    digest = hashlib.sha256()
    size = 0
    yield Progress(0, file.size, "bytes")
    for block in file.blocks():
        digest.update(block)
        size += len(block)
        if text is not None:
            text.add(decoder.decode(block))
        yield Progress(file.position, file.size, "bytes")
    if text is not None:
        text.end(decoder.decode(b"", final=True))
    return {
        "type": by_content,
        "type_from_name": by_name or None,
        "type_declared": file.content_type or None,
        "matches_name": matches(by_content, by_name),
        "size": size,
        "sha256": digest.hexdigest(),
        "encoding": decoder.encoding if text is not None and size else None,
        "encoding_errors": decoder.damaged,
        "lines": None if text is None else text.count,
        "longest_line": None if text is None else text.longest,
    }


class _Lines:
    """Counts lines and the longest one's characters, whatever ends them (LF, CR LF or CR), without keeping any."""

    def __init__(self) -> None:
        self.count = 0
        self.longest = 0
        self._open = 0
        self._newlines = io.IncrementalNewlineDecoder(None, translate=True)

    def add(self, text: str, final: bool = False) -> None:
        first, *others = self._newlines.decode(text, final).split("\n")
        self._open += len(first)
        if not others:
            return
        *between, last = others
        self.count += len(others)
        self.longest = max(self.longest, self._open, *(len(line) for line in between))
        self._open = len(last)

    def end(self, text: str) -> None:
        """The last of it: a line without an end counts too."""
        self.add(text, final=True)
        self.longest = max(self.longest, self._open)
        self.count += self._open > 0
