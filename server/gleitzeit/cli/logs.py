"""What providers and libraries log, as a person wants to read it."""

from __future__ import annotations

import logging


class _InWords(logging.Formatter):
    """Says how to see tracebacks, instead of showing them."""

    def format(self, record: logging.LogRecord) -> str:
        """The message, without the traceback behind it."""
        words, traceback, _ = super().format(record).partition("Traceback (most recent call last)")
        return f"{words.rstrip(' +')}  GLEITZEIT_DEBUG=1 shows where it happened" if traceback else words


def log_to_standard_error(debugging: bool) -> None:
    """Show warnings on standard error; more than that, and tracebacks, only where somebody looks for a defect."""
    form = "%(levelname)s: %(name)s: %(message)s"
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter(form) if debugging else _InWords(form))
    logging.basicConfig(handlers=[handler], level=logging.INFO if debugging else logging.WARNING)
