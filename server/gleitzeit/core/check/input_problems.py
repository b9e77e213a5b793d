"""Whether declared inputs are schemas, and their defaults fit them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gleitzeit.core.models import Workflow
from gleitzeit.core.reading.marks import Problem
from gleitzeit.core.schema import check_schema, misfits

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
_PLAIN = frozenset({"string", "integer", "number", "boolean", "array", "object", "null"})


def input_problems(workflow: Workflow) -> Iterator[Problem]:
    """What is wrong with the inputs of a workflow."""
    for name, schema in workflow.inputs.items():
        where = ("inputs", name)
        if not _NAME.fullmatch(name):
            hint = "letters, digits, _ and -, beginning with a letter, at most 64"
            yield Problem("bad_name", f'"{name[:80]}" cannot be the name of an input', where, hint, key=True)
        if not (schema.keys() <= {"type", "description", "default"} and str(schema.get("type", "string")) in _PLAIN):
            wrong = check_schema(schema)
            for path, message in wrong:
                yield Problem("schema_invalid", f"{path}: {message}" if path else message, where)
            if wrong:
                continue
        if "default" in schema:
            for misfit in misfits(schema, schema["default"], whole=True):
                message = f"the default does not fit: it {misfit.message}"
                yield Problem("wrong_default", message, (*where, "default", *misfit.path), misfit.hint)
