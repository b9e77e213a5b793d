"""Errors and hints in the words of a command line, where they are in those of the tools."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from gleitzeit.core.errors import MethodNotFoundError, RunNotFoundError
from gleitzeit.core.models import Failure

_HINTS: Mapping[str | None, str] = {
    RunNotFoundError.default_hint: "`gleitzeit runs list` shows the runs there are",
    MethodNotFoundError.default_hint: "`gleitzeit methods` lists the methods there are",
}

_PHRASES = {
    "name the task to begin again from as from_task": "name the task to begin again from with --from",
    "save it under another name, or overwrite that one": (
        "--name saves it under another name, --overwrite replaces that one"
    ),
    "from_task: ": "--from: ",
    "unknown: ": "--unknown: ",
    "changes and workflow exclude": "--changes and --workflow exclude",
    "another document, or other inputs, need another key": (
        "another document, or other inputs, need another --idempotency-key"
    ),
}


def in_words_of_a_shell(failure: Failure) -> Failure:
    """The same failure, as a person at a command line can act on it."""
    hint = _HINTS.get(failure.hint) or failure.hint
    return replace(failure, message=_rephrased(failure.message), hint=_rephrased(hint) if hint else hint)


def _rephrased(text: str) -> str:
    for phrase, words in _PHRASES.items():
        if text.startswith(phrase):
            return words + text.removeprefix(phrase)
    return text
