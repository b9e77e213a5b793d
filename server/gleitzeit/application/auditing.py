"""The audit that the configuration asks for."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from gleitzeit.audit.base import Audit
from gleitzeit.audit.file import AuditFile
from gleitzeit.audit.log import open_log
from gleitzeit.audit.unwatched import UNWATCHED
from gleitzeit.config import Configuration
from gleitzeit.core.errors import ConfigurationError


@asynccontextmanager
async def open_audit(config: Configuration, roots: Sequence[Path]) -> AsyncGenerator[Audit]:
    """The audit at `server.audit`, and nothing where that names none; closed once all its lines are written.

    Raises `ConfigurationError` for a file that can't be kept safe: one in `roots`, which tasks reach, among them.
    """
    path, where = config.server.audit, config.where("server.audit")
    if path is None:
        yield UNWATCHED
        return
    reached = next((root for root in roots if path.resolve().is_relative_to(root)), None)
    if reached is not None:
        raise ConfigurationError(
            f"{where}: {path} lies in {reached}, whose files tasks may write",
            hint="name a file outside of files.roots",
        )
    async with open_log(AuditFile(path, where)) as log:
        yield log
