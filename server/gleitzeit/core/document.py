"""Text, mapping or Workflow -> a Reading: the workflow and everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gleitzeit.core.diagnostics import Diagnostic
from gleitzeit.core.errors import DocumentError
from gleitzeit.core.models import Workflow

LARGE = 256 * 1024


@dataclass(frozen=True, slots=True)
class Reading:
    workflow: Workflow | None
    diagnostics: tuple[Diagnostic, ...] = ()
    positions: Any = None

    def require(self) -> Workflow:
        if self.workflow is None:
            raise DocumentError(self.diagnostics)
        return self.workflow


def read(source: str | bytes | Mapping[str, Any] | Workflow, *, name: str | None = None) -> Reading:
    raise NotImplementedError
