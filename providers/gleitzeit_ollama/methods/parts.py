"""Content in parts, `[{type: text, text: ...}, {type: image_url, ...}]`, as other services take it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

from gleitzeit.core.data import is_list, is_mapping
from gleitzeit.core.errors import ValidationError

_TEXTS = ("text", "input_text")
_IMAGES: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "image_url": (("image_url", "url"), ("image_url",)),
    "input_image": (("image_url", "url"), ("image_url",)),
    "image": (("data",), ("image_url", "url"), ("image_url",)),
}


def is_parts(content: Any) -> TypeGuard[list[Mapping[str, Any]]]:
    """Whether content is in parts; any other list is data."""
    if not is_list(content) or not content:
        return False
    return all(is_mapping(part) and part.get("type") in (*_TEXTS, *_IMAGES) for part in content)


def image_of(part: Mapping[str, Any]) -> tuple[tuple[str, ...], str] | None:
    """The image of a part, with the keys that lead to it; nothing where it has none."""
    for keys in _IMAGES.get(str(part.get("type")), ()):
        value: Any = part
        for key in keys:
            value = value.get(key) if is_mapping(value) else None
        if isinstance(value, str):
            return keys, value
    return None


def joined(place: str, parts: Sequence[Mapping[str, Any]]) -> tuple[str, list[str]]:
    """The text of all parts together, and their images. Raises `ValidationError` for a part that is neither."""
    texts: list[str] = []
    images: list[str] = []
    for index, part in enumerate(parts):
        image, text = image_of(part), part.get("text")
        if part["type"] in _IMAGES and image is not None:
            images.append(image[1])
        elif part["type"] in _TEXTS and isinstance(text, str):
            texts.append(text)
        else:
            what, hint = ("image", "image_url: {url: ...}") if part["type"] in _IMAGES else ("text", "text: ...")
            raise ValidationError(f"{place}.content[{index}] has no {what}", hint=f"{{type: {part['type']}, {hint}}}")
    return "".join(texts), images
