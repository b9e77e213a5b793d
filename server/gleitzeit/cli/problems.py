"""Errors in plain words: what is wrong, where, the offending line with a caret, and how to mend it."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from gleitzeit.cli.documents import WorkflowFileError
from gleitzeit.cli.output import say, visible
from gleitzeit.cli.wording import in_words_of_a_shell
from gleitzeit.core.diagnostics import Diagnostic
from gleitzeit.core.errors import DocumentError, GleitzeitError
from gleitzeit.core.models import Failure

_WIDTH = 100
_LINE_ENDS = re.compile("\r\n|[\n\r\x85\u2028\u2029]")  # what YAML counts as one
_STYLES = {"error": "bold red", "warning": "bold yellow"}


@dataclass(frozen=True, slots=True)
class Excerpt:
    """One line of a source, cropped to what fits a screen, and how far in the caret stands."""

    text: str
    offset: int


def excerpt(content: str, line: int, column: int | None) -> Excerpt | None:
    """The line `line` of `content` with the caret at `column`, both counted from 1, where there is such a line."""
    lines = _LINE_ENDS.split(content)
    if not 1 <= line <= len(lines):
        return None
    text = lines[line - 1].replace("\t", " ")
    from rich.cells import cell_len  # only what can't be read has lines to show

    at = min(max((column or 1) - 1, 0), len(text))
    start = max(0, at - _WIDTH + 20)
    shown = visible(text[start : start + _WIDTH])
    return Excerpt(shown, cell_len(visible(text[start:at])))


def say_diagnostics(diagnostics: Iterable[Diagnostic], name: str, content: str | None) -> None:
    """Write every diagnostic of the document `name` to standard error."""
    for diagnostic in diagnostics:
        _say_diagnostic(diagnostic, name, content)


def say_error(error: BaseException) -> None:
    """Write an error and its hint to standard error."""
    if isinstance(error, WorkflowFileError):
        say_diagnostics(error.diagnostics, error.file.name, error.file.text)
    elif isinstance(error, DocumentError):
        say_diagnostics(error.diagnostics, "", None)
    elif isinstance(error, GleitzeitError):
        say_failure(in_words_of_a_shell(Failure.of(error)))
    elif isinstance(error, OSError):
        say(("error", _STYLES["error"]), ": ", _os_words(error))
    else:
        say(("error", _STYLES["error"]), f": unexpected {type(error).__name__}: {error}")
        say(("  hint", "bold cyan"), ": this is a defect; GLEITZEIT_DEBUG=1 shows where it happened")


def say_failure(failure: Failure, subject: str | None = None) -> None:
    """Write why something failed and how to mend it to standard error."""
    say((f"error[{failure.code}]", _STYLES["error"]), f" {subject}: " if subject else ": ", failure.message)
    say_hint(failure.hint)


def say_hint(hint: str | None) -> None:
    """Write how to mend something to standard error, where that is known."""
    if hint:
        say(("  hint", "bold cyan"), ": ", hint)


def say_traceback(error: BaseException) -> None:
    """Write where an error came from to standard error."""
    say("".join(traceback.format_exception(error)).rstrip("\n"))


def error_data(error: BaseException) -> dict[str, Any]:
    """The error as JSON data."""
    if isinstance(error, GleitzeitError):
        return {"error": in_words_of_a_shell(Failure.of(error)).to_dict()}
    message = _os_words(error) if isinstance(error, OSError) else f"unexpected {type(error).__name__}: {error}"
    return {"error": {"code": "unexpected", "message": message, "retryable": False}}


def _say_diagnostic(diagnostic: Diagnostic, name: str, content: str | None) -> None:
    where = [name] if name else []
    if diagnostic.line is not None:
        where += [str(diagnostic.line), str(diagnostic.column or 1)]
    place = f"{diagnostic.path}: " if diagnostic.path else ""
    label = (f"{diagnostic.severity}[{diagnostic.code}]", _STYLES[diagnostic.severity])
    say(label, f" {':'.join(where)}" if where else "", ": ", place, diagnostic.message)
    if diagnostic.line is not None and content is not None:
        _say_excerpt(diagnostic.line, diagnostic.column, content)
    say_hint(diagnostic.hint)


def _say_excerpt(line: int, column: int | None, content: str) -> None:
    shown = excerpt(content, line, column)
    if shown is None:
        return
    number = f"{line:>5}"
    say((f"{number} | ", "dim"), shown.text)
    say((f"{'':>{len(number)}} | ", "dim"), " " * shown.offset, ("^", "bold red"))


def _os_words(error: OSError) -> str:
    words = (error.strerror or str(error)).lower()
    return f"{error.filename}: {words}" if error.filename else words
