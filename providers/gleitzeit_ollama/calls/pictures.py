"""The images of a call: read from where its parameters say they are."""

from __future__ import annotations

import base64
import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import anyio.to_thread

from gleitzeit.core.data import path_text
from gleitzeit.core.errors import ForbiddenError, GleitzeitError, LimitError, NotFoundError, ValidationError
from gleitzeit.providers.base import TaskContext, current_task
from gleitzeit_ollama.methods.image_places import Encoded, Place, image_places, with_images
from gleitzeit_ollama.methods.images import IMAGE_LIMIT, IMAGES_LIMIT, check_image, check_size, embedded

_FOLDER = sum(getattr(os, name, 0) for name in ("O_DIRECTORY", "O_NOFOLLOW", "O_CLOEXEC"))
_FILE = sum(getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"))
_PASSAGE = getattr(os, "O_PATH", os.O_RDONLY)


async def with_pictures(method: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of one call with each of its images in base64, as Ollama takes them.

    Raises `NotFoundError` and `ForbiddenError` for paths, `LimitError` for what is too large, `ValidationError` for
    what is no picture; each names the image by its place.
    """
    places = list(image_places(parameters))
    if not places:
        return dict(parameters)
    encoded = await anyio.to_thread.run_sync(_encode_all, method, places, current_task(), abandon_on_cancel=True)
    return with_images(parameters, encoded)


async def read_images(method: str, parameters: Mapping[str, Any]) -> dict[Place, bytes]:
    """The bytes of each image of one call, by its place in the parameters; raises as `with_pictures` does."""
    places = list(image_places(parameters))
    if not places:
        return {}
    return await anyio.to_thread.run_sync(_read_all, method, places, current_task(), abandon_on_cancel=True)


def _encode_all(method: str, places: Sequence[tuple[Place, str]], task: TaskContext) -> dict[Place, Encoded]:
    images = _read_all(method, places, task)
    return {place: Encoded(base64.b64encode(data).decode("ascii")) for place, data in images.items()}


def _read_all(method: str, places: Sequence[tuple[Place, str]], task: TaskContext) -> dict[Place, bytes]:
    images: dict[Place, bytes] = {}
    total = 0
    for place, text in places:
        images[place] = _image(f"{method}: {path_text(place)}", text, task)
        total += len(images[place])
        if total > IMAGES_LIMIT:
            said = f"{method}: its images have more than {IMAGES_LIMIT:,} bytes together"
            raise LimitError(said, hint="pass fewer, or smaller ones")
    return images


def _image(name: str, text: str, task: TaskContext) -> bytes:
    data = embedded(name, text)
    if data is None:
        data = _from_file(name, _resolved(name, text, task))
    check_image(name, data)
    return data


def _resolved(name: str, text: str, task: TaskContext) -> Path:
    try:
        return task.path(text)
    except (NotFoundError, ForbiddenError) as error:
        raise _named(name, error) from error


def _named(name: str, error: GleitzeitError) -> GleitzeitError:
    return type(error)(f"{name}: {error.message}", hint=error.hint, details=error.details)


def _from_file(name: str, path: Path) -> bytes:
    try:
        descriptor = _opened(path)
    except OSError as error:
        # Between finding it and opening it, it went away or a link took its place.
        raise NotFoundError(f'{name}: "{path.name}" cannot be opened: {error.strerror}') from error
    with os.fdopen(descriptor, "rb") as file:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise ValidationError(f'{name}: "{path.name}" is not a regular file', hint="name a picture")
        check_size(name, facts.st_size)
        return file.read(IMAGE_LIMIT + 1)  # it may have grown since


def _opened(path: Path) -> int:
    """Open a resolved path without following a link in any part of it: there was none when it was found allowed."""
    if os.open not in os.supports_dir_fd:
        return os.open(path, os.O_RDONLY | _FILE)
    folder = os.open(path.anchor, _PASSAGE | _FOLDER)
    try:
        for part in path.parts[1:-1]:
            inner = os.open(part, _PASSAGE | _FOLDER, dir_fd=folder)
            os.close(folder)
            folder = inner
        return os.open(path.name, os.O_RDONLY | _FILE, dir_fd=folder)
    finally:
        os.close(folder)
