"""Where the `${...}` are in a text."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gleitzeit.core.diagnostics import Diagnostic
from gleitzeit.core.errors import DocumentError

_OPENING = re.compile(r"\$\$\{|\$\{")
_INSIDE = re.compile(
    r"""[rRbB]{0,2}(?:"{3}(?:\\.|[^\\])*?"{3}|'{3}(?:\\.|[^\\])*?'{3}|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|[{}]""",
    re.DOTALL,
)
_DOUBLE = re.compile(r"\s*\{(.*)\}\s*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Slot:
    """One `${source}`; `start` is the offset of its `$` in the text."""

    source: str
    start: int


def has_slot(text: str) -> bool:
    """Whether the text has a reference, an escaped one, or what looks like one of another system."""
    return "${" in text or "{{" in text


def split(text: str) -> list[str | Slot]:
    """The text as literal parts and slots, `$${` being a literal `${`; raises `DocumentError` where one never ends."""
    parts: list[str | Slot] = []
    literal = ""
    position = 0
    while (match := _OPENING.search(text, position)) is not None:
        literal += text[position : match.start()]
        if match.group() == "$${":
            literal += "${"
            position = match.end()
            continue
        end = _closing(text, match.end())
        if end is None:
            raise _unterminated(text, match.start())
        if literal:
            parts.append(literal)
            literal = ""
        parts.append(Slot(_source(text, match.end(), end), match.start()))
        position = end + 1
    literal += text[position:]
    if literal or not parts:
        parts.append(literal)
    return parts


def _closing(text: str, start: int) -> int | None:
    """The offset of the brace that closes a slot: those in texts and in pairs do not."""
    depth = 0
    for match in _INSIDE.finditer(text, start):
        if match.group() == "{":
            depth += 1
        elif match.group() == "}":
            if depth == 0:
                return match.start()
            depth -= 1
    return None


def _source(text: str, start: int, end: int) -> str:
    source = text[start:end]
    if not source.strip():
        raise DocumentError(
            [Diagnostic("reference_invalid", "${} refers to nothing", hint="write $${} for the text ${}")]
        )
    double = _DOUBLE.fullmatch(source)
    if double is not None and ":" not in double.group(1) and double.group(1).strip():
        inner = double.group(1).strip()
        message = f"${{{{ {inner} }}}} is written as in another system"
        raise DocumentError([Diagnostic("foreign_reference", message, hint=f"write ${{{inner}}}")])
    return source


def _unterminated(text: str, start: int) -> DocumentError:
    shown = text[start : start + 30].split("\n")[0]
    return DocumentError(
        [
            Diagnostic(
                "reference_invalid",
                f'"{shown}" is never closed by a brace',
                hint="close it, or write $${ for the text ${",
            )
        ]
    )
