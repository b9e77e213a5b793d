"""What providers and libraries log, as a person wants to read it."""

from __future__ import annotations

import logging
from typing import Any


class _InWords(logging.Formatter):
    """Leaves tracebacks out."""

    def formatException(self, ei: Any) -> str:  # noqa: N802 - the base class's name
        """Nothing: the message has to be enough."""
        return ""


def log_to_standard_error(debugging: bool) -> None:
    """Show warnings on standard error; more than that, and tracebacks, only where somebody looks for a defect."""
    form = "%(levelname)s: %(name)s: %(message)s"
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter(form) if debugging else _InWords(form))
    logging.basicConfig(handlers=[handler], level=logging.INFO if debugging else logging.WARNING)
