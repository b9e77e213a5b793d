"""Everything that is wrong with a workflow before it runs."""

from __future__ import annotations

from collections.abc import Mapping

from gleitzeit.core.diagnostics import Diagnostic
from gleitzeit.core.document import Reading
from gleitzeit.core.errors import MethodNotFoundError
from gleitzeit.core.models import Workflow
from gleitzeit.core.protocol import MethodSpec

Specs = Mapping[str, MethodSpec | MethodNotFoundError | None]


def methods_of(workflow: Workflow) -> set[str]:
    raise NotImplementedError


def check(reading: Reading, specs: Specs = {}) -> tuple[Diagnostic, ...]:
    raise NotImplementedError
