"""`Face`: what all connections of one process share."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from gleitzeit.mcp_server.lazy_application import ApplicationFactory, LazyApplication, lazy_application
from gleitzeit.mcp_server.published.news import News
from gleitzeit.mcp_server.subscriptions.changes import Changes, open_changes


@dataclass(frozen=True, slots=True)
class Face:
    """The application behind the tools, and what its clients are told of changes.

    `bare` says before the application is open whether it is certain that there are no tools but the fixed ones.
    """

    application: LazyApplication
    changes: Changes
    news: News
    bare: Callable[[], bool]


@asynccontextmanager
async def open_face(factory: ApplicationFactory, bare: Callable[[], bool] = lambda: False) -> AsyncGenerator[Face]:
    """Provide the face of the application that `factory` opens once it is needed; at the end that has a moment."""
    async with lazy_application(factory) as application, open_changes() as changes:
        news = News(application, changes)
        changes.tasks.start_soon(news.tell)
        yield Face(application, changes, news, bare)
