"""Python code in a sandbox as `python/*` methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gleitzeit_python.provider import PythonProvider

if TYPE_CHECKING:  # imported when it is asked for, for most servers have nothing to do with Docker
    from gleitzeit_python.docker.hub import DockerHub

__all__ = ["DockerHub", "PythonProvider"]


def __getattr__(name: str) -> Any:
    if name == "DockerHub":
        from gleitzeit_python.docker.hub import DockerHub

        return DockerHub
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
