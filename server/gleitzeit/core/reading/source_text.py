"""The text of a document: decoded, of a bearable size, and without the fence that models put around it."""

from __future__ import annotations

import re

from gleitzeit.core.errors import DocumentError
from gleitzeit.core.reading.text import fault

MAX_BYTES = 16 * 1024 * 1024

_FENCE = re.compile(r"^(```+|~~~+)[ \t]*([A-Za-z]*)[^\n`]*\n", re.MULTILINE)
_LANGUAGES = frozenset({"", "yaml", "yml", "json"})


def source_text(given: str | bytes | bytearray) -> str:
    """The text in what was given, its lines where they were; raises `DocumentError` where it is binary or too large."""
    if len(given) > MAX_BYTES:
        raise _too_large(len(given))
    text = given if isinstance(given, str) else _decoded(bytes(given))
    if "\0" in text:
        raise _binary(text.index("\0"), text)
    _check_encodable(text)
    return _unfenced(text.removeprefix("\ufeff"))


def _check_encodable(text: str) -> None:
    if text.isascii():
        return
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise _binary(error.start, text) from error
    if size > MAX_BYTES:
        raise _too_large(size)


def _decoded(given: bytes) -> str:
    try:
        return given.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        start = given[: error.start]
        line = start.count(b"\n") + 1
        column = error.start - (start.rfind(b"\n") + 1) + 1
        raise _refusal("binary", "the document is not UTF-8 text", line, column, "save it as UTF-8") from error


def _binary(offset: int, text: str) -> DocumentError:
    line = text.count("\n", 0, offset) + 1
    column = offset - (text.rfind("\n", 0, offset) + 1) + 1
    return _refusal("binary", "the document is binary, not text", line, column, "submit YAML or JSON text")


def _too_large(size: int) -> DocumentError:
    message = f"the document has {size:,} bytes; at most {MAX_BYTES:,} are read"
    return _refusal("too_large", message, 1, 1, "pass large data as files")


def _refusal(code: str, message: str, line: int, column: int, hint: str) -> DocumentError:
    return DocumentError([fault(code, message, line, column, hint)])


def _unfenced(text: str) -> str:
    """What stands in the one fenced block that begins at the margin; its lines keep their numbers."""
    opening = _FENCE.search(text)
    if opening is None or opening.group(2).lower() not in _LANGUAGES:
        return text
    before = text[: opening.start()]
    if before.strip() and (not opening.group(2) or re.search(r"^(tasks|steps)\s*:", before, re.MULTILINE)):
        return text
    closing = re.compile(rf"^{re.escape(opening.group(1))}[ \t]*$", re.MULTILINE).search(text, opening.end())
    body = text[opening.end() : closing.start() if closing is not None else len(text)]
    return "\n" * text.count("\n", 0, opening.end()) + body
