"""What is wrong with a document, as far as a model can use it at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gleitzeit.core.diagnostics import Diagnostic
from gleitzeit.mcp_server.rendering.answer import fitting

_MOST = 50


@dataclass(frozen=True, slots=True)
class Diagnoses:
    """The first diagnostics, as lines and as data; the last line says where there are more."""

    lines: list[str]
    data: list[dict[str, Any]]


def diagnoses(diagnostics: Sequence[Diagnostic], budget: int) -> Diagnoses:
    """As many diagnostics as can be told within `budget` bytes, but at least one; errors come before warnings."""
    first = sorted(diagnostics, key=lambda diagnostic: diagnostic.severity != "error")[:_MOST]
    data = fitting([diagnostic.to_dict() for diagnostic in first], budget)
    data = data or [diagnostic.to_dict() for diagnostic in first[:1]]
    lines = [f"- {diagnostic}" for diagnostic in first[: len(data)]]
    if len(data) < len(diagnostics):
        lines.append(f"- and {len(diagnostics) - len(data)} more, which are shown once these are mended")
    return Diagnoses(lines, data)
