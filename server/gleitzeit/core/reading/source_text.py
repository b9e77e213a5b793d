"""The text of a document: decoded, of a bearable size, and without the fence that models put around it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gleitzeit.core.reading.yaml_text import Fault

MAX_BYTES = 16 * 1024 * 1024

_FENCE = re.compile(r"^(```+|~~~+)[ \t]*([A-Za-z]*)[^\n`]*\n", re.MULTILINE)
_LANGUAGES = frozenset({"", "yaml", "yml", "json"})
_JSON = re.compile(r'\s*[\[{]\s*["}\]{\[]')


@dataclass(frozen=True, slots=True)
class Source:
    """Text to be parsed; its lines are those of what was given."""

    text: str

    @property
    def looks_like_json(self) -> bool:
        """Whether its author meant JSON."""
        return _JSON.match(self.text) is not None


class SourceRefused(Exception):
    """What was given is no text that can be a document."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


def source_of(given: str | bytes | bytearray) -> Source:
    """The text in what was given; raises `SourceRefused` where it is binary or too large."""
    if len(given) > MAX_BYTES:
        raise _too_large(len(given))
    text = given if isinstance(given, str) else _decoded(bytes(given))
    if "\0" in text:
        raise SourceRefused(_binary(text.index("\0"), text))
    _check_encodable(text)
    return Source(_unfenced(text.removeprefix("\ufeff")))


def _check_encodable(text: str) -> None:
    if text.isascii():
        return
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise SourceRefused(_binary(error.start, text)) from error
    if size > MAX_BYTES:
        raise _too_large(size)


def _decoded(given: bytes) -> str:
    try:
        return given.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        start = given[: error.start]
        line = start.count(b"\n") + 1
        column = error.start - (start.rfind(b"\n") + 1) + 1
        fault = Fault("binary", "the document is not UTF-8 text", line, column, "save it as UTF-8")
        raise SourceRefused(fault) from error


def _binary(offset: int, text: str) -> Fault:
    line = text.count("\n", 0, offset) + 1
    column = offset - (text.rfind("\n", 0, offset) + 1) + 1
    return Fault("binary", "the document is binary, not text", line, column, "submit YAML or JSON text")


def _too_large(size: int) -> SourceRefused:
    message = f"the document has {size:,} bytes; at most {MAX_BYTES:,} are read"
    return SourceRefused(Fault("too_large", message, 1, 1, "pass large data as files"))


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
