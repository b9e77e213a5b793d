"""Where images stand in the parameters of a call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gleitzeit.core.data import PathKey, is_list, is_mapping
from gleitzeit_ollama.methods.parts import image_of, is_parts

Place = tuple[PathKey, ...]


class Encoded(str):
    """An image in base64 that was found to be one, as Ollama takes it."""

    __slots__ = ()


def image_places(parameters: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    """Every image in the parameters of one call that is not encoded yet, with the keys that lead to it."""
    return ((place, text) for place, text in _all_places(parameters) if not isinstance(text, Encoded))


def with_images(parameters: Mapping[str, Any], images: Mapping[Place, str]) -> dict[str, Any]:
    """A copy of the parameters that has these images in their places."""
    filled = {name: _replaced((name,), parameters[name], images) for name in {str(place[0]) for place in images}}
    return {**parameters, **filled}


def _all_places(parameters: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    yield from _listed(("images",), parameters.get("images"))
    messages = parameters.get("messages")
    for index, message in enumerate(messages if is_list(messages) else ()):
        if is_mapping(message):
            yield from _listed(("messages", index, "images"), message.get("images"))
            yield from _of_parts(("messages", index, "content"), message.get("content"))


def _listed(place: Place, images: Any) -> Iterator[tuple[Place, str]]:
    if isinstance(images, str):
        yield place, images
    for index, image in enumerate(images if is_list(images) else ()):
        if isinstance(image, str):
            yield (*place, index), image


def _of_parts(place: Place, content: Any) -> Iterator[tuple[Place, str]]:
    for index, part in enumerate(content if is_parts(content) else ()):
        found = image_of(part)
        if found is not None:
            yield (*place, index, *found[0]), found[1]


def _replaced(place: Place, value: Any, images: Mapping[Place, str]) -> Any:
    if place in images:
        return images[place]
    if is_mapping(value):
        return {key: _replaced((*place, key), item, images) for key, item in value.items()}
    if is_list(value):
        return [_replaced((*place, index), item, images) for index, item in enumerate(value)]
    return value
