"""What a provider raised, in words for whoever looks at it later."""

from __future__ import annotations

import traceback

from gleitzeit.core.errors import GleitzeitError


def described(error: BaseException) -> str:
    """An error in words; the name of its class where it is not one of Gleitzeit's."""
    if isinstance(error, GleitzeitError):
        return str(error)
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def described_import(error: BaseException) -> str:
    """The same, with the line of the module that failed when it was imported."""
    frames = traceback.extract_tb(error.__traceback__)
    imports = [index for index, frame in enumerate(frames) if frame.filename.startswith("<frozen importlib")]
    inside = [frame for frame in frames[imports[0] :] if not frame.filename.startswith("<frozen")] if imports else []
    return f"{described(error)} ({inside[-1].filename}, line {inside[-1].lineno})" if inside else described(error)
