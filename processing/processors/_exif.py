"""What a picture's EXIF block says, in four fields that are safe to show. Where it was taken is not among them."""

import re
import struct
from typing import Any

_MAKE, _MODEL, _ORIENTATION, _TAKEN, _DIGITIZED = 0x010F, 0x0110, 0x0112, 0x9003, 0x9004
_EXIF_IFD, _GPS_IFD = 0x8769, 0x8825
_LATITUDE, _LONGITUDE = 2, 4
_BROKEN = (OSError, SyntaxError, ValueError, LookupError, TypeError, ArithmeticError, struct.error)
"""What Pillow raises for an EXIF block that somebody has damaged."""


def summary(image: Any) -> dict[str, Any]:
    """`camera`, `taken` (ISO, the camera's own clock), `orientation` (1 to 8, 1 where it is not said) and `has_gps`.

    An EXIF block that cannot be read is one that says nothing.
    """
    try:
        main = dict(image.getexif())
    except _BROKEN:
        main = {}
    details, place = _part(image, _EXIF_IFD), _part(image, _GPS_IFD)
    make, model = _words(main.get(_MAKE)), _words(main.get(_MODEL))
    orientation = main.get(_ORIENTATION)
    return {
        "camera": (model if model.lower().startswith(make.lower()) else f"{make} {model}".strip()) or None,
        "taken": _moment(details.get(_TAKEN)) or _moment(details.get(_DIGITIZED)),
        "orientation": orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1,
        "has_gps": _LATITUDE in place or _LONGITUDE in place,
    }


def _part(image: Any, number: int) -> dict[int, Any]:
    try:
        return dict(image.getexif().get_ifd(number))
    except _BROKEN:
        return {}


def _words(value: Any) -> str:
    return " ".join(value.replace("\x00", " ").split())[:100] if isinstance(value, str) else ""


def _moment(value: Any) -> str | None:
    """`2024:05:17 09:30:00` as 2024-05-17T09:30:00."""
    found = re.match(r"(\d{4}):(\d\d):(\d\d) (\d\d:\d\d:\d\d)", value) if isinstance(value, str) else None
    return f"{found[1]}-{found[2]}-{found[3]}T{found[4]}" if found else None
