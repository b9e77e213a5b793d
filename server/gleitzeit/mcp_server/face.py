"""`Face`: what all connections of one process share."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from gleitzeit.mcp_server.lazy_application import ApplicationFactory, LazyApplication, lazy_application
from gleitzeit.mcp_server.subscriptions.changes import Changes


@dataclass(frozen=True, slots=True)
class Face:
    """The application behind the tools, and what its clients are told of changes."""

    application: LazyApplication
    changes: Changes


@asynccontextmanager
async def open_face(factory: ApplicationFactory) -> AsyncGenerator[Face]:
    """Provide the face of the application that `factory` opens once it is needed; at the end that has a moment."""
    async with lazy_application(factory) as application:
        yield Face(application, Changes())
