from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any, get_args

import pytest
from jsonschema import Draft202012Validator

from gleitzeit.core.decisions import DECISIONS
from gleitzeit.core.document import read
from gleitzeit.core.models import RunState
from gleitzeit.mcp_server.instructions import INSTRUCTIONS
from gleitzeit.mcp_server.tools.dispatch import HANDLERS
from gleitzeit.mcp_server.tools.manifest import TOOLS
from gleitzeit.mcp_server.tools.schemas import DECISIONS as DECIDED
from gleitzeit.mcp_server.tools.schemas import RUN_STATES

HEAVY = [
    "yaml",
    "jsonschema",
    "typer",
    "rich",
    "cel",
    "docker",
    "websockets",
    "gleitzeit.application",
    "gleitzeit.engine",
]


def wire_bytes() -> int:
    return sum(len(tool.model_dump_json(by_alias=True, exclude_none=True).encode()) for tool in TOOLS.values())


def test_the_whole_manifest_takes_less_than_3000_tokens_of_a_context() -> None:
    assert wire_bytes() / 4 < 3_000


def test_the_instructions_fit_what_hosts_keep_of_them() -> None:
    assert len(INSTRUCTIONS.encode()) < 2_048


@pytest.mark.parametrize("name", TOOLS)
def test_a_tool_has_a_name_that_every_host_takes_and_a_description_that_fits(name: str) -> None:
    tool = TOOLS[name]
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name)
    assert 40 < len((tool.description or "").encode()) < 2_048
    Draft202012Validator.check_schema(tool.input_schema)
    Draft202012Validator.check_schema(tool.output_schema or {})
    assert tool.input_schema["type"] == (tool.output_schema or {})["type"] == "object"


def test_every_tool_has_a_handler_and_no_handler_is_hidden() -> None:
    assert list(HANDLERS) == list(TOOLS)


def test_runs_are_listed_by_every_state_that_they_have() -> None:
    assert get_args(RunState) == RUN_STATES


def test_unknown_tasks_are_decided_by_every_word_that_there_is() -> None:
    assert DECIDED == DECISIONS


def test_the_hints_tell_reading_from_acting() -> None:
    hints: dict[str, Any] = {name: tool.annotations for name, tool in TOOLS.items()}
    reading = {name for name, hint in hints.items() if hint.read_only_hint}
    assert reading == {
        *("inspect_run", "list_runs", "list_workflows"),
        *("validate_workflow", "query_method", "search_methods"),
    }
    assert all(hints[name].destructive_hint for name in set(TOOLS) - reading)
    assert {name for name, hint in hints.items() if hint.idempotent_hint} == {
        *("cancel_run", "save_workflow", "delete_workflow")
    }
    assert {name for name, hint in hints.items() if hint.open_world_hint} == {
        "answer_question",
        "submit_workflow",
        "resume_run",
        "query_method",
        "call_method",
    }


def test_the_workflow_in_the_instructions_is_one() -> None:
    document = INSTRUCTIONS[INSTRUCTIONS.index("inputs:") : INSTRUCTIONS.index("${task.field[0].sub}")]
    reading = read(document)
    assert reading.workflow is not None, reading.diagnostics
    assert [task.id for task in reading.workflow.tasks] == ["now", "each", "report"]


def test_the_workflow_in_the_description_is_one() -> None:
    description = TOOLS["submit_workflow"].description or ""
    document = json.loads(
        description[description.index('workflow="') + len("workflow=") : description.index('". For') + 1]
    )
    assert len(read(document).require().tasks) == 2


def test_serving_starts_without_the_engine_and_without_anything_heavy() -> None:
    program = f"import sys, gleitzeit.mcp_server.stdio; print([name for name in {HEAVY} if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert loaded.stdout.strip() == "[]"
