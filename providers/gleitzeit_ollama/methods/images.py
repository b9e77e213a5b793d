"""Images as parameters give them: what each text means, and whether bytes are a picture."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

from gleitzeit.core.errors import LimitError, ValidationError

IMAGE_LIMIT = 20 * 1024 * 1024
IMAGES_LIMIT = 64 * 1024 * 1024

IMAGES_SCHEMA: Mapping[str, Any] = {
    "type": ["array", "string"],
    "items": {"type": "string", "minLength": 1},
    "minItems": 1,
    "description": "Pictures (PNG, JPEG, GIF, WebP, BMP), each as a path inside files.roots, a data: URL, or base64.",
}

# Above the prompts of a batch there may be a list of images for each.
BATCH_IMAGES_SCHEMA: Mapping[str, Any] = {
    **IMAGES_SCHEMA,
    "items": {"type": ["string", "array"], "minLength": 1, "items": {"type": "string", "minLength": 1}},
}

_LONGEST_PATH = 4096
_DATA_URL = re.compile(r"data:([^,;]*)((?:;[^,;]*)*),", re.IGNORECASE)
_ADDRESS = re.compile(r"(https?|file)://", re.IGNORECASE)
_BASE64 = re.compile(r"[A-Za-z0-9+/\s]+={0,2}")
_KINDS: Mapping[bytes, str] = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
}


def image_list(method: str, images: Any) -> list[str]:
    """The `images` of one call. Raises `ValidationError` for lists in the list, which are for a batch."""
    listed: list[Any] = [images] if isinstance(images, str) else list(images or ())
    wrong = next((index for index, image in enumerate(listed) if not isinstance(image, str)), None)
    if wrong is not None:
        raise ValidationError(
            f"{method}: images[{wrong}] is a list of images, which a single call cannot have",
            hint="a list of lists belongs to a list of prompts; for one prompt write one list",
        )
    return listed


def embedded(place: str, text: str) -> bytes | None:
    """The picture that a text is in itself, as a `data:` URL or base64; nothing where it is a path.

    Raises `ValidationError` for a text that can be neither, and `LimitError` for one that is too large.
    """
    address = _ADDRESS.match(text)
    if address is not None and address[1].lower() == "file":
        raise ValidationError(f"{place} is a file: URL", hint="write the path alone")
    if address is not None:
        raise ValidationError(f"{place} is an address on the web", hint="fetch it in a task before, and pass its path")
    url = _DATA_URL.match(text)
    if url is not None:
        if not url[2].lower().endswith(";base64"):
            raise ValidationError(f"{place} is a data: URL that is not in base64", hint="data:image/png;base64,...")
        return _decoded(place, text[url.end() :])
    if len(text) > _LONGEST_PATH:
        return _decoded(place, text)
    return _unmistakable(text)


def check_image(place: str, data: bytes) -> None:
    """Raise `ValidationError` for bytes that are no picture, and `LimitError` for too many."""
    check_size(place, len(data))
    if image_kind(data) is None:
        raise ValidationError(f"{place} is not an image", hint="PNG, JPEG, GIF, WebP and BMP are images")


def check_size(place: str, size: int) -> None:
    """Raise `LimitError` for a picture of so many bytes that none may have."""
    if size > IMAGE_LIMIT:
        raise LimitError(f"{place} has {size:,} bytes, and {IMAGE_LIMIT:,} are the most", hint="make it smaller")


def image_kind(data: bytes) -> str | None:
    """What kind of picture the bytes are, by how they begin; nothing where they are none."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    if data[:2] == b"BM" and data[6:10] == bytes(4) and len(data) > 26:
        return "BMP"
    return next((kind for magic, kind in _KINDS.items() if data.startswith(magic)), None)


def _decoded(place: str, text: str) -> bytes:
    check_size(place, len(text) // 4 * 3 - 2)
    data = _from_base64(text)
    if data is None:
        raise ValidationError(f"{place} is not valid base64", hint="a path inside files.roots does as well")
    return data


def _unmistakable(text: str) -> bytes | None:
    """A short text may be a path that looks like base64: it is a picture only if it begins like one."""
    data = _from_base64(text) if _BASE64.fullmatch(text.rstrip()) else None
    return data if data is not None and image_kind(data) is not None else None


def _from_base64(text: str) -> bytes | None:
    plain = "".join(text.split()).rstrip("=")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
