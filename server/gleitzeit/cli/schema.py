"""`gleitzeit schema`: what an editor needs to check workflow files while they are written."""

from __future__ import annotations

from gleitzeit.cli.options import JsonOption
from gleitzeit.cli.output import print_json
from gleitzeit.core.schema import workflow_schema


def schema(as_json: JsonOption = False) -> None:
    """Print the JSON Schema of a workflow document."""
    print_json(workflow_schema())
