"""The processor `thumbnail`."""

import io
import re
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePath
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Literal

from pydantic import Field

from processing.api import File, ProcessorError, Progress, Steps, processor
from processing.processors._exif import summary

if TYPE_CHECKING:
    from PIL.Image import Image

PIXELS = 200_000_000
"""Larger pictures are refused before they are decoded: this many take 0.8 GB, and twice that for a moment."""

_FORMATS = ("JPEG", "MPO", "PNG", "GIF", "WEBP", "TIFF", "BMP", "AVIF", "JPEG2000", "PPM", "ICO", "TGA")
"""What is opened. Not EPS, which Pillow hands to another program."""

_DAMAGED = (OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, ArithmeticError, struct.error)
"""What Pillow's decoders raise for bytes that are not right."""

_QUALITY: dict[str, dict[str, Any]] = {
    "webp": {"quality": 82, "method": 4},
    "jpeg": {"quality": 85, "optimize": True, "progressive": True},
    "png": {"optimize": True},
}


@processor("thumbnail", accepts=["image/*"], requires={"PIL": "headrace[images]"})
def thumbnail(
    file: File,
    *,
    sizes: Annotated[tuple[Annotated[int, Field(ge=16, le=4096)], ...], Field(min_length=1, max_length=8)] = (
        256,
        1024,
    ),
    format: Literal["webp", "jpeg", "png"] = "webp",  # noqa: A002 - what people call it
) -> Steps:
    """Make small copies of a picture, upright and without its metadata; tell which camera took it, and when.

    Args:
        sizes: The longer sides of the copies, in pixels. A picture is never made larger than it is.
        format: The type of the copies.
    """
    wanted = sorted(set(sizes))
    total = len(wanted) + 1
    yield Progress(0, total, "steps", "Reading the picture")
    with _opened(file) as image:
        full = image.size
        animated = _animated(image)
        _decode(image, wanted[-1])  # before the EXIF block: for a PNG, Pillow decodes to find it, and may hide an error
        exif = summary(image)
        width, height = full if exif["orientation"] < 5 else full[::-1]
        result = {
            "format": image.format,
            "mode": image.mode,
            "width": width,
            "height": height,
            "animated": animated,
            "exif": exif,
        }
        picture = _upright(image, wanted[-1], exif["orientation"])
    copies = []
    for number, size in enumerate(wanted, 1):
        yield Progress(number, total, "steps", f"Making the copy of {size} pixels")
        copies.append(_saved(file, picture.copy(), size, format))
    yield Progress(total, total, "steps")
    return {**result, "thumbnails": copies}


@contextmanager
def _opened(file: File) -> Iterator["Image"]:
    """The picture, not decoded yet, with our limit in place of Pillow's. Raises ProcessorError."""
    from PIL import Image, UnidentifiedImageError

    if file.size == 0:
        raise ProcessorError("The file is empty: there is no picture in it.")
    before = Image.MAX_IMAGE_PIXELS
    with file.open() as stream, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of large pictures and odd metadata
        try:
            Image.MAX_IMAGE_PIXELS = PIXELS // 2  # Pillow refuses twice as many, in a picture inside a picture too
            yield _identified(stream)
        except UnidentifiedImageError:
            raise ProcessorError(
                "This is no picture, or one of a kind that cannot be read, such as HEIC, SVG or EPS."
            ) from None
        except Image.DecompressionBombError as error:
            count = re.search(r"\d+", str(error))
            shown = f"{int(count[0]):,}" if count else "too many"
            raise ProcessorError(
                f"The picture has {shown} pixels; at most {PIXELS // 10**6} million are taken."
            ) from None
        finally:
            Image.MAX_IMAGE_PIXELS = before


def _identified(stream: BinaryIO) -> "Image":
    from PIL import Image, UnidentifiedImageError

    Image.init()
    formats = [name for name in _FORMATS if name in Image.OPEN]  # not every Pillow was built with AVIF
    try:
        return Image.open(stream, formats=formats)
    except (UnidentifiedImageError, Image.DecompressionBombError):
        raise
    except _DAMAGED as error:
        raise ProcessorError("The picture is damaged: its first bytes make no sense.") from error


def _animated(image: "Image") -> bool:
    try:
        return bool(getattr(image, "is_animated", False))
    except _DAMAGED:
        return False


def _decode(image: "Image", longest: int) -> None:
    """Read the first frame's pixels, of a JPEG at a half, a quarter or an eighth where that is enough."""
    try:
        image.draft("RGB", (2 * longest, 2 * longest))
        image.load()
    except _DAMAGED as error:
        if "truncated" in str(error):
            raise ProcessorError("The picture is cut off: the file ends before the picture does.") from error
        raise ProcessorError("The picture is damaged and cannot be decoded.") from error


def _upright(image: "Image", longest: int, orientation: int) -> "Image":
    """RGB or RGBA of eight bits, turned, with nothing but its pixels, and not much larger than wanted."""
    from PIL import Image

    factor = max(image.size) // (2 * longest)
    small = image.reduce(factor) if factor > 1 and image.mode in ("L", "LA", "RGB", "RGBA", "CMYK", "I", "F") else image
    coloured = _in_srgb(_in_eight_bits(small), image.info.get("icc_profile"))
    alpha = coloured.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in coloured.info
    plain = coloured.convert("RGBA" if alpha else "RGB")
    turned = plain.transpose(Image.Transpose(_TURNS[orientation])) if orientation in _TURNS else plain
    turned.info = {}
    return turned


_TURNS = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}
"""EXIF orientation to PIL.Image.Transpose: what makes the picture upright."""


def _in_eight_bits(image: "Image") -> "Image":
    """Grey of 16 or 32 bits or of real numbers, made darker to fit: Pillow alone would cut it off at 255."""
    if image.mode.startswith("I;16"):
        return image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    if image.mode not in ("I", "F"):
        return image
    low, high = (float(str(bound)) for bound in image.getextrema())
    if image.mode == "I" and low >= 0 and high <= 65_535:
        low, high = 0.0, 255.0 if high <= 255 else 65_535.0
    if image.mode == "F" and low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    scale = 255 / (high - low) if high > low else 0.0
    return image.convert("F").point(lambda value: value * scale + -low * scale).convert("L")


def _in_srgb(image: "Image", profile: bytes | None) -> "Image":
    """The colours that a profile stands for, as sRGB: the profile itself does not go into the copies."""
    if not profile or image.mode not in ("RGB", "RGBA", "CMYK", "L"):
        return image
    from PIL import ImageCms

    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = "RGBA" if image.mode == "RGBA" else "RGB"
        return ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode=mode) or image
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):  # a profile that is damaged, or not this picture's
        return image


def _saved(file: File, picture: "Image", size: int, kind: str) -> dict[str, Any]:
    """Shrink it, and write it as an artifact."""
    from PIL import Image

    picture.thumbnail((size, size), reducing_gap=3.0)
    name = f"{PurePath(file.name).stem}-{size}.{'jpg' if kind == 'jpeg' else kind}"
    if kind == "jpeg" and picture.mode == "RGBA":
        ground = Image.new("RGB", picture.size, "white")
        ground.paste(picture, mask=picture.getchannel("A"))
        picture = ground
    with file.artifact(name, f"image/{kind}") as out:
        picture.save(out, kind.upper(), **_QUALITY[kind])
        length = out.tell()
    return {"size": size, "width": picture.width, "height": picture.height, "bytes": length}
