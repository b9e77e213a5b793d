"""Everything that is wrong with a workflow and can be known before it runs."""

from __future__ import annotations

from gleitzeit.core.check.places import Specs
from gleitzeit.core.check.workflow_problems import check, methods_of

__all__ = ["Specs", "check", "methods_of"]
