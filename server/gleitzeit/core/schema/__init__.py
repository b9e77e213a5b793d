"""JSON Schema: whether values fit it, within bounds and in plain words, and the schema of the document itself."""

from __future__ import annotations

from gleitzeit.core.schema.acceptance import LastingSchema
from gleitzeit.core.schema.document_schema import workflow_schema
from gleitzeit.core.schema.examples import example_of
from gleitzeit.core.schema.fitting import (
    check_parameters,
    check_schema,
    is_trivial,
    misfits,
    refusal,
    schema_problems,
)
from gleitzeit.core.schema.misfit import TYPES, Misfit

__all__ = [
    "TYPES",
    "LastingSchema",
    "Misfit",
    "check_parameters",
    "check_schema",
    "example_of",
    "is_trivial",
    "misfits",
    "refusal",
    "schema_problems",
    "workflow_schema",
]
