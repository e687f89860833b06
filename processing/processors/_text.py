"""Is it text, and in which encoding? Shared by the processors that read text."""

import codecs
import re

from processing.api import File

SAMPLE = 64 << 10
"""Bytes from the start that decide."""

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark is its beginning
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_FEW = 4
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_ODD_IN_A_WORD = re.compile(
    r"(?<=[^\W\d_])[\xa1-\xbf\xd7\xf7](?=[^\W\d_])"  # a sign between two letters
    r"|(?<=[^\W\d_]{3})[\xa5\xaf\xb3\xb9\xbc\xbe\xbf]"  # after three, where it is no unit: a Polish l or z
    r"|[\x81\x8d\x8f\x90\x9d]"  # no character at all
)
_HIGH_BYTES = bytes(range(7))  # of UTF-16 in Latin, Greek, Cyrillic, Armenian, Hebrew and Arabic letters


def sample_of(file: File) -> bytes:
    """Its first 64 KiB."""
    with file.open() as stream:
        return stream.read(SAMPLE)


def encoding_of(sample: bytes) -> str | None:
    """The encoding of a text by its first bytes, as Python names it; None where they are not text."""
    for mark, name in _BOMS:
        if sample.startswith(mark):
            return name
    if (wide := _utf16(sample)) is not None:
        return wide
    if len(_CONTROL.findall(sample)) > len(sample) // 200:  # a stray form feed or bell is still text
        return None
    if not sample or sample.isascii():
        return "ascii"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample, final=len(sample) < SAMPLE)
    except UnicodeDecodeError:
        return _single_byte(sample)
    return "utf-8"


def _utf16(sample: bytes) -> str | None:
    """UTF-16 without a mark: in an alphabet, nearly every second byte is one of a few, and the others are not."""
    pairs = len(sample) // 2
    if pairs < 2:
        return None
    sides = [
        sum(side.count(high) for high in _HIGH_BYTES) for side in (sample[1 : 2 * pairs : 2], sample[: 2 * pairs : 2])
    ]
    for name, high, low in (("utf-16-le", sides[0], sides[1]), ("utf-16-be", sides[1], sides[0])):
        if high > 0.9 * pairs and low < 0.02 * pairs:
            text = sample[: 2 * pairs].decode(name, "replace")
            return name if sum(char < " " and not char.isspace() for char in text) <= pairs // 200 else None
    return None


def _single_byte(sample: bytes) -> str | None:
    """An encoding from before Unicode.

    Western European first: few letters beyond ASCII, and none of the signs in the middle of words that other
    encodings would look like. charset-normalizer takes short German for Big5, so it is asked for the rest only.
    """
    text = sample.decode("cp1252", "replace").replace("\ufffd", "\x81")
    beyond = sum(char > "\x7f" for char in text)
    letters = sum(char.isalpha() for char in text)
    if (beyond <= _FEW or beyond < 0.3 * letters) and len(_ODD_IN_A_WORD.findall(text)) <= beyond // 20:
        return "iso-8859-1" if re.search(rb"[\x80-\x9f]", sample) is None else "cp1252"
    from charset_normalizer import from_bytes

    best = from_bytes(sample).best()
    return None if best is None else best.encoding


class Decoder:
    """Decodes a text block by block. ASCII that turns out not to be UTF-8 further on changes the encoding there.

    After the last `decode`, `encoding` is what the whole file was read as (None: not text, read as Latin-1), and
    `damaged` tells whether some bytes did not fit and became U+FFFD.
    """

    def __init__(self, sample: bytes) -> None:
        self.encoding = encoding_of(sample)
        self.damaged = False
        self._decoder = self._start(self.encoding or "iso-8859-1", "strict")

    def decode(self, block: bytes, final: bool = False) -> str:
        """The text of the next block; with `final`, the rest. Never raises for what the bytes are."""
        try:
            text = self._decoder.decode(block, final)
        except UnicodeDecodeError as error:
            return self._changed(error, self._decoder.getstate()[0] + block, final)
        if self.encoding == "ascii" and not text.isascii():
            self.encoding = "utf-8"
        return text

    def _changed(self, error: UnicodeDecodeError, rest: bytes, final: bool) -> str:
        ascii_so_far = self.encoding == "ascii"
        found = encoding_of(rest[max(0, error.start - SAMPLE // 2) :][:SAMPLE]) if ascii_so_far else None
        if found is not None and found not in ("ascii", "utf-8") and not found.startswith("utf-"):
            self.encoding = found
        else:
            self.damaged = True
            self.encoding = "utf-8" if ascii_so_far else self.encoding
        state = self._decoder.getstate()[1]
        self._decoder = self._start(self.encoding or "iso-8859-1", "replace")
        if self.encoding in ("utf-16", "utf-32", "utf-8-sig"):
            self._decoder.setstate((b"", state))  # the mark has been read
        return self._decoder.decode(rest, final)

    @staticmethod
    def _start(encoding: str, errors: str) -> codecs.IncrementalDecoder:
        return codecs.getincrementaldecoder("utf-8" if encoding == "ascii" else encoding)(errors)
