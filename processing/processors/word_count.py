"""The processor `word-count`."""

from collections import Counter
from typing import Annotated

from pydantic import Field

from processing.api import File, Log, Partial, Progress, Steps, processor
from processing.processors._text import Decoder, sample_of

_LONGEST = 100
_DISTINCT = 1_000_000


@processor("word-count", accepts=["text/*"])
def word_count(file: File, *, top: Annotated[int, Field(ge=1, le=1000)] = 10) -> Steps:
    """Count words; show the leaders while the file is still being read.

    A word is what stands between white space; of one longer than 100 characters the beginning counts.

    Args:
        top: How many of the most frequent words to show.
    """
    decoder = Decoder(sample_of(file))
    words: Counter[str] = Counter()
    total, carry, told = 0, "", False
    for block in file.blocks():
        found, carry = _words(carry, decoder.decode(block))
        words.update(found)
        total += len(found)
        if len(words) > _DISTINCT:
            words = _frequent(words)
            if not told:
                yield Log(f"More than {_DISTINCT:,} different words: rare ones may be counted too low.", "warning")
            told = True
        yield Progress(file.position, file.size, "bytes")
        yield Partial(words.most_common(min(top, 100)))
    rest = [word[:_LONGEST] for word in (carry + decoder.decode(b"", final=True)).split()]
    words.update(rest)
    return {"total": total + len(rest), "top": words.most_common(top)}


def _words(carry: str, text: str) -> tuple[list[str], str]:
    """The words of `carry + text` that are complete, and the beginning of one that may go on."""
    whole = carry + text
    found = [word[:_LONGEST] for word in whole.split()]
    if found and not whole[-1].isspace():
        return found[:-1], found[-1]
    return found, ""


def _frequent(words: Counter[str]) -> Counter[str]:
    """The more frequent half at least, so that a hostile file cannot fill the memory."""
    least = 1
    while len(words) > _DISTINCT // 2:
        words = Counter({word: count for word, count in words.items() if count > least})
        least *= 2
    return words
