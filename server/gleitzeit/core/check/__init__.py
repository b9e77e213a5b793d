"""Everything that is wrong with a workflow and can be known before it runs."""

from __future__ import annotations

from gleitzeit.core.check.places import Saved, Specs
from gleitzeit.core.check.workflow_problems import check, methods_of, placed_methods, saved_names

__all__ = ["Saved", "Specs", "check", "methods_of", "placed_methods", "saved_names"]
