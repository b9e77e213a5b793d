from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any, get_args

import anyio
import pytest
from jsonschema import Draft202012Validator
from tests.pipe import modern, pipe

from gleitzeit.core.check import Specs, check, methods_of
from gleitzeit.core.decisions import DECISIONS
from gleitzeit.core.document import read
from gleitzeit.core.models import RunState
from gleitzeit.core.protocol import MethodSpec
from gleitzeit.mcp_server.dispatch import HANDLERS
from gleitzeit.mcp_server.instructions import INSTRUCTIONS
from gleitzeit.mcp_server.manifest.schemas import DECISIONS as DECIDED
from gleitzeit.mcp_server.manifest.schemas import RUN_STATES
from gleitzeit.mcp_server.manifest.tools import TOOLS
from gleitzeit_ollama.methods.chat import chat_spec
from gleitzeit_python.methods import PROTOCOL as PYTHON

pytestmark = pytest.mark.anyio

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


async def test_what_each_era_receives_takes_less_than_3000_tokens_of_a_context(environment: dict[str, str]) -> None:
    with anyio.fail_after(30):
        async with pipe(environment) as host:
            hello = await host.initialize()
            answers = [await host.request(1, "tools/list"), await host.request(2, "tools/list", modern())]
    assert hello["result"]["instructions"] == INSTRUCTIONS
    for answer in answers:
        tools = answer["result"]["tools"]
        assert [tool["name"] for tool in tools] == list(TOOLS)
        assert len(json.dumps(tools, separators=(",", ":"), ensure_ascii=False).encode()) / 4 < 3_000
        assert all(tool["title"] and tool["annotations"] and tool["outputSchema"] for tool in tools)


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
        *("inspect_run", "list_runs", "list_workflows", "read_result"),
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


def test_the_workflow_in_the_instructions_is_one_that_its_methods_take() -> None:
    document = INSTRUCTIONS[INSTRUCTIONS.index("inputs:") : INSTRUCTIONS.index("${task.field[0].sub}")]
    files = {"type": "object", "properties": {"files": {"type": "array"}}, "additionalProperties": False}
    specs: Specs = {"mcp/tool.files.list": MethodSpec(returns=files), "llm/chat": chat_spec({}), **PYTHON.methods}
    reading = read(document)
    assert [task.id for task in reading.require().tasks] == ["list", "each", "join"]
    assert methods_of(reading.require()) <= specs.keys()
    assert check(reading, specs) == ()


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
