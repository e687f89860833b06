"""Which encoding a text has."""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processing.processors._text import Decoder, encoding_of

GERMAN = "Wer reitet so spät durch Nacht und Wind? Er faßt ihn sicher, er hält ihn warm.\n"
FRENCH = (
    "Les sanglots longs Des violons De l'automne Blessent mon cœur D'une langueur Monotone. Tout suffocant Et blême\n"
)
RUSSIAN = "Я помню чудное мгновенье: Передо мной явилась ты, Как мимолетное виденье, Как гений чистой красоты.\n"
POLISH = (
    "Litwo! Ojczyzno moja! ty jesteś jak zdrowie: Ile cię trzeba cenić, ten tylko się dowie, Kto cię stracił. był ł ą\n"
)
JAPANESE = "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。\n"


@pytest.mark.parametrize(
    ("text", "encoding", "found"),
    [
        ("plain", "ascii", "ascii"),
        ("", "ascii", "ascii"),
        (GERMAN, "utf-8", "utf-8"),
        (GERMAN, "utf-8-sig", "utf-8-sig"),
        (GERMAN, "utf-16", "utf-16"),
        (GERMAN, "utf-32", "utf-32"),
        (GERMAN, "utf-16-le", "utf-16-le"),
        (GERMAN, "utf-16-be", "utf-16-be"),
        (RUSSIAN, "utf-16-le", "utf-16-le"),
        (JAPANESE, "utf-8", "utf-8"),
        (GERMAN, "iso-8859-1", "iso-8859-1"),
        (GERMAN * 100, "iso-8859-1", "iso-8859-1"),
        (FRENCH, "cp1252", "cp1252"),
        ("id;name\n1;Müller\n2;Weiß\n", "iso-8859-1", "iso-8859-1"),
        ("25 °C, 3½ m²\n", "iso-8859-1", "iso-8859-1"),
        ("ä", "iso-8859-1", "iso-8859-1"),
        (RUSSIAN, "cp1251", "cp1251"),
        (RUSSIAN, "koi8-r", "koi8_r"),
        (POLISH, "cp1250", "cp1250"),
        (JAPANESE, "shift_jis", "cp932"),
    ],
)
def test_encodings(text: str, encoding: str, found: str) -> None:
    data = text.encode(encoding)
    assert encoding_of(data) == found
    assert data.decode(found) == text


def test_what_is_not_text() -> None:
    assert encoding_of(os.urandom(2000)) is None
    assert encoding_of(bytes(100)) is None
    assert encoding_of(b"\x01\x00\x02\x00\x03\x00\x04\x00" * 100) is None
    assert encoding_of(b"\x7fELF\x02\x01\x01" + bytes(50)) is None


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "iso-8859-1", "utf-16-le"])
@pytest.mark.parametrize("size", [1, 2, 3, 5, 1000])
def test_a_character_may_lie_across_two_blocks(encoding: str, size: int) -> None:
    data = GERMAN.encode(encoding)
    decoder = Decoder(data)
    text = "".join(decoder.decode(data[at : at + size]) for at in range(0, len(data), size))
    assert text + decoder.decode(b"", final=True) == GERMAN
    assert not decoder.damaged


def test_ascii_that_turns_out_to_be_something_else() -> None:
    decoder = Decoder(b"plain")
    assert decoder.decode(b"plain ") == "plain "
    assert decoder.encoding == "ascii"
    assert decoder.decode("spät".encode("iso-8859-1")) == "spät"
    assert decoder.encoding == "iso-8859-1"
    assert not decoder.damaged


def test_ascii_that_turns_out_to_be_utf8_cut_in_a_character() -> None:
    decoder = Decoder(b"plain")
    data = "spät".encode()
    assert decoder.decode(data[:3]) + decoder.decode(data[3:]) == "spät"
    assert decoder.encoding == "utf-8"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-8-sig"])
def test_damage_is_marked_and_the_rest_is_read(encoding: str) -> None:
    good, more = "spät ".encode(encoding), "warm".encode(encoding.replace("-sig", "").replace("utf-16", "utf-16-le"))
    bad = b"\x00\xdc" if encoding == "utf-16" else b"\xff"
    decoder = Decoder(good)
    text = decoder.decode(good) + decoder.decode(bad + more) + decoder.decode(b"", final=True)
    assert text == "spät \ufffdwarm"
    assert decoder.damaged


def test_a_text_that_ends_in_the_middle_of_a_character_is_damaged() -> None:
    decoder = Decoder("é".encode() * 10)
    assert decoder.decode("é".encode() + b"\xc3") == "é"
    assert decoder.decode(b"", final=True) == "\ufffd"
    assert decoder.damaged


@settings(deadline=None)
@given(st.binary(max_size=300), st.integers(1, 50))
def test_it_never_raises_for_what_bytes_are(data: bytes, size: int) -> None:
    decoder = Decoder(data)
    for at in range(0, len(data), size):
        decoder.decode(data[at : at + size])
    decoder.decode(b"", final=True)
