"""A document is checked against the methods, the saved workflows and the policy there are, before it runs."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from gleitzeit.application import Application, open_application
from gleitzeit.config import load_configuration
from gleitzeit.core.protocol import MethodSpec, Protocol
from gleitzeit.providers.base import ProtocolProvider
from gleitzeit.registry import ProtocolProviderRegistry

pytestmark = pytest.mark.anyio

NEWS = Protocol(
    "news/v1",
    methods=[
        MethodSpec(
            "news/fetch",
            returns={
                "type": "object",
                "properties": {"items": {"type": "array", "items": {"type": "object"}}},
                "additionalProperties": False,
            },
        ),
        MethodSpec("news/send"),
    ],
)


class News(ProtocolProvider):
    """Serves news/*."""

    async def handle_request(self, method: str, parameters: dict[str, Any]) -> Any:
        return {"items": []}


@pytest.fixture
async def application(tmp_path: Path) -> AsyncGenerator[Application]:
    registry = ProtocolProviderRegistry()
    registry.register_protocol(NEWS)
    registry.register_provider("news/v1", News("news", "news/v1"))
    config = load_configuration(None, {"GLEITZEIT_HOME": str(tmp_path / "home")}, {"policy.deny": ["news/send"]})
    async with open_application(config, registry=registry) as application:
        yield application


async def save(application: Application, text: str, caller: str = "local") -> None:
    await application.saved.save(await application.check(text), caller=caller)


async def test_fields_are_held_against_what_the_provider_says(application: Application) -> None:
    text = "tasks:\n  - {id: fetch, method: news/fetch}\noutputs: {first: '${fetch.itms}'}\n"
    (found,) = (await application.check(text)).errors
    assert (found.code, found.line, found.hint) == ("unknown_field", 3, 'did you mean "items"?')


async def test_outputs_and_inputs_of_a_saved_workflow_are_known(application: Application) -> None:
    await save(
        application,
        "name: digest\ninputs: {day: string}\n"
        "tasks: [{id: got, method: news/fetch}]\noutputs: {news: '${got.items}'}\n",
    )
    text = (
        "tasks:\n  - {id: daily, method: workflow/run, parameters: {name: digest, inputs: {dy: today}}}\n"
        "outputs: {all: '${daily.nws}'}\n"
    )
    found = (await application.check(text)).errors
    assert [(item.code, item.line) for item in found] == [
        ("missing_input", 2),
        ("unknown_input", 2),
        ("unknown_field", 3),
    ]
    assert found[2].hint == 'did you mean "news"?'


async def test_a_saved_workflow_that_is_not_there_is_a_warning_and_that_of_another_caller_is_not_there(
    application: Application,
) -> None:
    await save(application, "name: digest\ntasks: [{id: got, method: news/fetch}]\n", caller="ada")
    text = "tasks:\n  - {id: daily, method: workflow/run, parameters: {name: digest}}\n"
    mine, hers = await application.check(text), await application.check(text, caller="ada")
    assert hers.diagnostics == ()
    assert mine.valid
    (warning,) = mine.diagnostics
    assert (warning.severity, warning.code, warning.line) == ("warning", "workflow_not_found", 2)


async def test_what_the_policy_forbids_is_told_wherever_it_stands(application: Application) -> None:
    text = (
        "tasks:\n  - {id: a, method: news/send}\n"
        "  - id: b\n    method: workflow/run\n    parameters:\n      workflow:\n"
        "        tasks:\n          - {id: c, method: news/send}\n"
    )
    found = (await application.check(text)).errors
    assert [(item.line, item.path) for item in found] == [
        (2, "tasks[0].method"),
        (8, "tasks[1].parameters.workflow.tasks[0].method"),
    ]
