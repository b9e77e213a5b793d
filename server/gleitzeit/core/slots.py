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
FOREIGN = re.compile(r"\{\{-?\s*([\w.$\[\]'\"|() -]{1,200}?)\s*-?\}\}")
"""A `{{ reference }}` of another system."""

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
    """The text as literal parts and slots, `$${` being a literal `${`; raises `DocumentError` for a bad slot."""
    parts, problems = scan(text)
    if problems:
        raise DocumentError(problems)
    return parts


def scan(text: str) -> tuple[list[str | Slot], list[Diagnostic]]:
    """The parts of a text as far as they are well-formed, and what is wrong with the others."""
    parts: list[str | Slot] = []
    problems: list[Diagnostic] = []
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
            problems.append(_unterminated(text, match.start()))
            position = match.end()
            continue
        if literal:
            parts.append(literal)
            literal = ""
        source = text[match.end() : end]
        wrong = _wrong(source)
        if wrong is None:
            parts.append(Slot(source, match.start()))
        else:
            problems.append(wrong)
        position = end + 1
    literal += text[position:]
    if literal or not parts:
        parts.append(literal)
    return parts, problems


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


def _wrong(source: str) -> Diagnostic | None:
    if not source.strip():
        return Diagnostic("reference_invalid", "${} refers to nothing", hint="write $${} for the text ${}")
    double = _DOUBLE.fullmatch(source)
    if double is not None and ":" not in double.group(1) and double.group(1).strip():
        inner = double.group(1).strip()
        message = f"${{{{ {inner} }}}} is written as in another system"
        return Diagnostic("foreign_reference", message, hint=f"write ${{{inner}}}")
    return None


def _unterminated(text: str, start: int) -> Diagnostic:
    shown = text[start : start + 30].split("\n", maxsplit=1)[0]
    hint = "close it, or write $${ for the text ${"
    return Diagnostic("reference_invalid", f'"{shown}" is never closed by a brace', hint=hint)
