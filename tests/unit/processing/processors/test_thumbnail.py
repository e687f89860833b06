"""The processor thumbnail, on a real photo, odd pictures and hostile ones."""

import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, PngImagePlugin

from processing.api import ProcessorError
from processing.errors import BadParams
from processing.processors import thumbnail as room
from processing.processors.thumbnail import thumbnail
from processing.testing import Given, Outcome, run

DATA = Path(__file__).parents[3] / "data"
PHOTO = (DATA / "photo.jpg").read_bytes()
RED, BLUE = (255, 0, 0), (0, 0, 255)


def encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def corner(mode: str = "RGB") -> Image.Image:
    """Red, 600 x 400, with a blue upper left quarter."""
    picture = Image.new("RGB", (600, 400), RED)
    picture.paste(BLUE, (0, 0, 300, 200))
    return picture.convert(mode)


def copies(outcome: Outcome) -> list[Image.Image]:
    pictures: list[Image.Image] = [Image.open(io.BytesIO(made.content)) for made in outcome.artifacts]
    for picture in pictures:
        picture.load()
    return pictures


def of(data: bytes, name: str = "a.png", **params: Any) -> Image.Image:
    return copies(run(thumbnail, Given(data, name), **({"sizes": [64], "format": "png"} | params)))[0]


def result_of(outcome: Outcome) -> dict[str, Any]:
    assert isinstance(outcome.result, dict)
    return outcome.result


def refused(data: bytes, name: str = "a.png") -> str:
    with pytest.raises(ProcessorError) as caught:
        run(thumbnail, Given(data, name))
    return caught.value.message


def near(found: Any, expected: tuple[int, ...], by: int = 12) -> bool:
    return all(abs(one - other) <= by for one, other in zip(found, expected, strict=True))


def test_a_photo_comes_out_upright_small_and_without_its_metadata() -> None:
    outcome = run(thumbnail, DATA / "photo.jpg")
    assert result_of(outcome) == {
        "format": "JPEG",
        "mode": "RGB",
        "width": 1200,
        "height": 1600,
        "animated": False,
        "exif": {
            "camera": "Headrace Drawn 1",
            "taken": "2024-05-17T21:04:33",
            "orientation": 6,
            "has_gps": True,
        },
        "thumbnails": [
            {"size": 256, "width": 192, "height": 256, "bytes": len(outcome.artifacts[0].content)},
            {"size": 1024, "width": 768, "height": 1024, "bytes": len(outcome.artifacts[1].content)},
        ],
    }
    assert [(made.name, made.content_type) for made in outcome.artifacts] == [
        ("photo-256.webp", "image/webp"),
        ("photo-1024.webp", "image/webp"),
    ]
    for picture in copies(outcome):
        red, _, blue = picture.getpixel((picture.width // 2, 5))  # type: ignore[misc]
        assert blue > red  # the sky is at the top
        assert not picture.getexif()
    for made in outcome.artifacts:
        assert b"Headrace" not in made.content
        assert b"Exif" not in made.content
        assert b"EXIF" not in made.content


def test_where_it_was_taken_is_told_nowhere() -> None:
    outcome = run(thumbnail, DATA / "photo.jpg")
    assert "55" not in str(result_of(outcome)["exif"])
    assert set(result_of(outcome)["exif"]) == {"camera", "taken", "orientation", "has_gps"}


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_applied(orientation: int) -> None:
    upright = corner()
    back = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}.get(orientation)
    stored = upright if back is None else upright.transpose(Image.Transpose(back))
    block = Image.Exif()
    block[0x0112] = orientation
    outcome = run(thumbnail, Given(encoded(stored, "JPEG", exif=block), "a.jpg"), sizes=[60], format="png")
    result = result_of(outcome)
    assert (result["width"], result["height"], result["exif"]["orientation"]) == (600, 400, orientation)
    (small,) = copies(outcome)
    assert small.size == (60, 40)
    assert near(small.getpixel((5, 5)), BLUE)
    for other in ((55, 5), (5, 35), (55, 35)):
        assert near(small.getpixel(other), RED)


@pytest.mark.parametrize(
    ("kind", "name", "content_type"),
    [("webp", "a-64.webp", "image/webp"), ("jpeg", "a-64.jpg", "image/jpeg"), ("png", "a-64.png", "image/png")],
)
def test_formats(kind: str, name: str, content_type: str) -> None:
    outcome = run(thumbnail, Given(encoded(corner(), "PNG"), "a.png"), sizes=[64], format=kind)
    assert [(made.name, made.content_type) for made in outcome.artifacts] == [(name, content_type)]
    assert copies(outcome)[0].format == kind.upper()


def test_a_picture_is_never_made_larger_and_sizes_are_not_made_twice() -> None:
    outcome = run(thumbnail, Given(encoded(corner(), "PNG"), "a.png"), sizes=[2000, 100, 100])
    assert [picture.size for picture in copies(outcome)] == [(100, 67), (600, 400)]
    assert [made.name for made in outcome.artifacts] == ["a-100.webp", "a-2000.webp"]


def test_people_see_the_steps() -> None:
    progress = run(thumbnail, Given(encoded(corner(), "PNG"), "a.png"), sizes=[16, 32]).progress
    assert [(step.done, step.total) for step in progress] == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert progress[1].message == "Making the copy of 16 pixels"


@pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP", "TIFF", "BMP", "ICO", "JPEG2000", "PPM", "TGA"])
def test_kinds_of_files(kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {"sizes": [(256, 170)]} if kind == "ICO" else {}
    small = of(encoded(corner(), kind, **options), f"a.{kind.lower()}")
    assert near(small.convert("RGB").getpixel((5, 5)), BLUE, 30)
    assert near(small.convert("RGB").getpixel((60, 38)), RED, 30)


def test_cmyk() -> None:
    small = of(encoded(corner("CMYK"), "JPEG"), "a.jpg")
    assert small.mode == "RGB"
    assert near(small.getpixel((5, 5)), BLUE)


@pytest.mark.parametrize("kind", ["png", "webp"])
def test_transparency_stays(kind: str) -> None:
    picture = Image.new("RGBA", (100, 100), (255, 0, 0, 255))
    picture.paste((0, 0, 0, 0), (0, 0, 50, 100))
    small = of(encoded(picture, "PNG"), format=kind)
    assert small.mode == "RGBA"
    assert small.getpixel((5, 30))[3] == 0  # type: ignore[index]
    assert near(small.getpixel((60, 30)), (255, 0, 0, 255))


def test_transparency_becomes_white_in_a_jpeg() -> None:
    small = of(encoded(Image.new("LA", (100, 100), (0, 0)), "PNG"), format="jpeg")
    assert near(small.getpixel((30, 30)), (255, 255, 255))


def test_a_palette_with_a_transparent_colour() -> None:
    palette = corner().convert("P", palette=Image.Palette.ADAPTIVE, colors=4)
    clear = palette.getpixel((0, 0))
    small = of(encoded(palette, "PNG", transparency=clear))
    assert small.mode == "RGBA"
    assert small.getpixel((5, 5))[3] == 0  # type: ignore[index]
    assert near(small.getpixel((60, 38)), (255, 0, 0, 255))


def test_the_first_frame_of_an_animation() -> None:
    frames = [Image.new("RGB", (50, 50), colour) for colour in (RED, BLUE, RED)]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    outcome = run(thumbnail, Given(data, "a.gif"), sizes=[16], format="png")
    assert result_of(outcome)["animated"] is True
    assert near(copies(outcome)[0].getpixel((5, 5)), RED)


@pytest.mark.parametrize(
    ("picture", "kind", "grey"),
    [
        (Image.new("I;16", (100, 100), 0x8000), "PNG", 128),
        (Image.new("I;16", (100, 100), 200), "PNG", 0),
        (Image.new("I", (100, 100), 0x4000), "TIFF", 64),
        (Image.new("I", (100, 100), 100), "TIFF", 100),
        (Image.new("F", (100, 100), 0.5), "TIFF", 127),
        (Image.new("1", (100, 100), 1), "PNG", 255),
    ],
)
def test_deep_and_shallow_greys(picture: Image.Image, kind: str, grey: int) -> None:
    assert near(of(encoded(picture, kind)).getpixel((30, 30)), (grey, grey, grey), 1)


def test_a_wide_colour_profile_is_applied_and_dropped() -> None:
    lab = ImageCms.createProfile("LAB")
    assert lab
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    small = of(encoded(corner(), "PNG", icc_profile=profile))
    assert near(small.getpixel((5, 5)), BLUE, 3)
    assert "icc_profile" not in small.info


@pytest.mark.parametrize("profile", [b"", b"nonsense", os.urandom(500)])
def test_a_damaged_profile_changes_nothing(profile: bytes) -> None:
    assert near(of(encoded(corner(), "PNG", icc_profile=profile)).getpixel((5, 5)), BLUE)


def test_comments_and_texts_are_dropped() -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Author", "SECRET-NAME")
    for data, name in (
        (encoded(corner(), "PNG", pnginfo=texts), "a.png"),
        (encoded(corner(), "JPEG", comment=b"SECRET-NAME"), "a.jpg"),
    ):
        assert b"SECRET-NAME" in data
        for kind in ("png", "jpeg", "webp"):
            for made in run(thumbnail, Given(data, name), format=kind).artifacts:
                assert b"SECRET" not in made.content


def png(width: int, height: int, data: bytes = zlib.compress(bytes(1000))) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(50_000, 50_000), (2**31 - 1, 2**31 - 1), (200_000_001, 1), (14_143, 14_143)])
def test_a_bomb_is_refused_before_it_is_decoded(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_decode", lambda *_: pytest.fail("it was decoded"))
    assert refused(png(*size)) == (f"The picture has {size[0] * size[1]:,} pixels; at most 200 million are taken.")


def test_a_large_picture_within_the_limit_passes_pillows_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    assert result_of(run(thumbnail, Given(encoded(corner(), "PNG"), "a.png")))["width"] == 600
    assert Image.MAX_IMAGE_PIXELS == 1000


def test_a_bomb_inside_an_icon_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    inner = png(60_000, 60_000)
    icon = struct.pack("<HHHBBBBHHII", 0, 1, 1, 64, 64, 0, 0, 1, 32, len(inner), 22) + inner
    assert refused(icon, "a.ico").startswith("The picture has")


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "The file is empty: there is no picture in it."),
        (b"hello", "This is no picture, or one of a kind that cannot be read"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", "This is no picture, or one of a kind"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "This is no picture, or one of a kind"),
        (PHOTO[: len(PHOTO) // 2], "The picture is cut off: the file ends before the picture does."),
        (PHOTO[:-2000], "The picture is cut off: the file ends before the picture does."),
        (png(100, 100), "The picture is cut off: the file ends before the picture does."),
        (png(100, 100, b"nonsense"), "The picture is damaged and cannot be decoded."),
        (PHOTO[:30], "The picture is damaged"),
    ],
)
def test_what_cannot_be_read_is_refused_in_plain_words(data: bytes, sentence: str) -> None:
    assert refused(data).startswith(sentence)


@settings(deadline=None, max_examples=80)
@given(st.data())
def test_a_damaged_photo_is_read_or_refused(data: st.DataObject) -> None:
    damaged = bytearray(PHOTO[:6000] + PHOTO[-3000:])
    for _ in range(data.draw(st.integers(1, 20))):
        place = data.draw(st.integers(0, 700) | st.integers(0, len(damaged) - 1))
        damaged[place] = data.draw(st.integers(0, 255))
    try:
        run(thumbnail, Given(bytes(damaged), "a.jpg"), sizes=[16])
    except ProcessorError:
        return


def test_hostile_exif_says_nothing() -> None:
    block = Image.Exif()
    block[0x010F], block[0x0110], block[0x0112] = "A\x00\n\x1b[31m" + "x" * 500, "", 77
    block.get_ifd(0x8769)[0x9003] = "yesterday"
    exif = result_of(run(thumbnail, Given(encoded(corner(), "JPEG", exif=block), "a.jpg")))["exif"]
    assert (exif["taken"], exif["orientation"], exif["has_gps"]) == (None, 1, False)
    assert len(exif["camera"]) <= 100
    assert "\x00" not in exif["camera"]
    assert "\n" not in exif["camera"]


@pytest.mark.parametrize(
    "exif", [b"Exif\x00\x00", b"Exif\x00\x00II*\x00\xff\xff\xff\xff", b"Exif\x00\x00" + os.urandom(300)]
)
def test_an_exif_block_that_cannot_be_read_says_nothing(exif: bytes) -> None:
    found = result_of(run(thumbnail, Given(encoded(corner(), "JPEG", exif=exif), "a.jpg")))
    assert (found["width"], found["height"]) == (600, 400)
    assert found["exif"]["camera"] is None


def test_a_strip_one_pixel_high() -> None:
    assert of(encoded(Image.new("RGB", (20_000, 1), RED), "PNG"), sizes=[16]).size == (16, 1)


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"sizes": []}, "sizes"),
        ({"sizes": [15]}, "sizes"),
        ({"sizes": [4097]}, "sizes"),
        ({"sizes": [256] * 9}, "sizes"),
        ({"sizes": 256}, "sizes"),
        ({"format": "gif"}, "format"),
    ],
)
def test_parameters_have_bounds(params: dict[str, Any], field: str) -> None:
    with pytest.raises(BadParams) as caught:
        run(thumbnail, b"", **params)
    assert caught.value.detail == {"field": field}
