"""The reference server of MCP: whatever it has can be used, by each of its transports."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.providers.mcp.servers.everything import TYPES, WAYS, Listening
from tests.providers.mcp.servers.task import Person, called, row_of, task
from tests.ways import some

from gleitzeit.core.errors import (
    GleitzeitError,
    MethodNotFoundError,
    NotFoundError,
    ProviderError,
    QuestionDeclinedError,
    ValidationError,
)
from gleitzeit.providers.base import TaskContext, enter_task
from gleitzeit_mcp import MCPHubProvider

pytestmark = [pytest.mark.anyio, pytest.mark.node]

OpenHub = Callable[..., AbstractAsyncContextManager[MCPHubProvider]]
NpmServer = Callable[..., dict[str, Any]]

EACH_WAY = pytest.mark.parametrize("way", some(["sse", "streamableHttp"], WAYS))  # stdio takes a process each time
BOTH_MODES = pytest.mark.parametrize("mode", ["auto", "legacy"])
INTERPRETED = {"interpretation": "snake"}


class Household(Person):
    """A person who has a model at hand."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[str, Mapping[str, Any]]] = []

    async def start_child(self, method: str, parameters: Mapping[str, Any]) -> Any:
        self.calls.append((method, parameters))
        return {"response": "forty-two", "model": "thinker", "done_reason": "length"}


@pytest.fixture(scope="session")
def listening() -> Iterator[Listening]:
    """Servers that all tests may use: each session is one of its own."""
    servers = Listening()
    yield servers
    servers.close()


@pytest.fixture
def open_everything(
    open_hub: OpenHub, npm_server: NpmServer, listening: Listening
) -> Callable[..., AbstractAsyncContextManager[MCPHubProvider]]:
    """`async with open_everything(way, mode, roots=...) as hub`."""

    @asynccontextmanager
    async def opened(way: str, mode: str = "auto", **section: Any) -> AsyncGenerator[MCPHubProvider]:
        with anyio.fail_after(50):
            # A first one takes a moment to listen, in which nothing else has to run.
            server = listening.offered(npm_server("everything", mode=mode), way)
            async with open_hub(server, **section) as hub:
                yield hub

    return opened


async def asked(hub: MCPHubProvider, method: str, **parameters: Any) -> dict[str, Any]:
    """The answer to one of the hub's own methods."""
    leave = enter_task(TaskContext())
    try:
        await hub.validate_request(method, parameters)
        answer: dict[str, Any] = await hub.handle_request(method, parameters)
    finally:
        leave()
    return answer


@EACH_WAY
@BOTH_MODES
async def test_what_its_tools_answer_arrives_as_it_was_sent(open_everything: OpenHub, way: str, mode: str) -> None:
    async with open_everything(way, mode) as hub:
        echo = await called(hub, "everything.echo", {"message": "Grüße 👋"})
        total = await called(hub, "everything.get-sum", {"a": 2, "b": 3.5})
        weather = await called(hub, "everything.get-structured-content", {"location": "Chicago"})
        image = await called(hub, "everything.get-tiny-image")
        note = await called(hub, "everything.get-annotated-message", {"messageType": "error", "includeImage": True})
        links = await called(hub, "everything.get-resource-links", {"count": 4})
        reference = await called(hub, "everything.get-resource-reference", {"resourceType": "Blob", "resourceId": 7})
        ping = await asked(hub, "mcp/ping", server="everything")
        with pytest.raises(NotFoundError, match="evrything"):
            await asked(hub, "mcp/ping", server="evrything")
        row = await row_of(hub, "everything")
    assert echo["text"] == "Echo: Grüße 👋"
    assert "5.5" in total["text"]
    assert (weather["temperature"], weather["humidity"]) == (36, 82)
    assert base64.b64decode(image["content"][1]["data"]).startswith(b"\x89PNG")
    assert image["text"] == "Here's the image you requested:\nThe image above is the MCP logo."
    assert [block["annotations"]["priority"] for block in note["content"]] == [1, 0.5]
    assert [block["uri"].rpartition("/")[2] for block in links["content"][1:]] == ["1", "2", "3", "4"]
    assert base64.b64decode(reference["content"][1]["resource"]["blob"]).startswith(b"Resource 7:")
    assert 0 <= ping["seconds"] < 10
    assert (row["state"], row["transport"], row["protocol_version"]) == ("ready", TYPES[way], "2025-11-25")


async def test_its_environment_is_what_was_configured_and_no_more(
    open_everything: OpenHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLEITZEIT_TEST_SECRET", "hidden")
    async with open_everything("stdio") as hub:
        shown = await called(hub, "everything.get-env")
    assert "PATH" in shown
    assert "GLEITZEIT_TEST_SECRET" not in shown


@EACH_WAY
async def test_progress_is_told_step_by_step(open_everything: OpenHub, way: str) -> None:
    person = Person()
    async with open_everything(way) as hub:
        parameters = {"duration": 0.4, "steps": 4}
        result = await called(hub, "everything.trigger-long-running-operation", parameters, by=task(support=person))
    assert person.reports == [(step, 4, None) for step in range(1, 5)]
    assert "Steps: 4" in result["text"]


@EACH_WAY
async def test_what_it_asks_a_person_is_answered_declined_or_opened_elsewhere(
    open_everything: OpenHub, way: str
) -> None:
    answering, opening = (
        Person(lambda _words, _schema: {"name": "Ada", "integer": 7}),
        Person(lambda _words, _schema: {}),
    )

    def decline(*_: Any) -> Any:
        raise QuestionDeclinedError("not today", details={"action": "decline"})

    declining = Person(decline)
    url = {"url": "https://example.org/consent", "message": "Please agree."}
    async with open_everything(way) as hub:
        answered = await called(hub, "everything.trigger-elicitation-request", by=task(support=answering))
        declined = await called(hub, "everything.trigger-elicitation-request", by=task(support=declining))
        visited = await called(hub, "everything.trigger-url-elicitation", url, by=task(support=opening))
    [(words, schema)] = answering.questions
    assert words.startswith("everything asks: ")
    assert schema is not None
    assert schema["required"] == ["name"]
    assert "Name: Ada\n- Favorite Integer: 7" in answered["text"].replace("\n- Agreed to terms: false", "")
    assert "declined" in declined["text"]
    assert "completed the URL elicitation flow" in visited["text"]
    assert opening.questions == [
        ("everything asks: Please agree.\nOpen https://example.org/consent and say here when it is done.", None)
    ]


async def test_a_page_that_has_to_be_visited_first_is_shown_and_the_call_made_again(open_everything: OpenHub) -> None:
    opening = Person(lambda _words, _schema: {})
    parameters = {"url": "https://example.org/consent", "errorPath": True}
    async with open_everything("stdio") as hub:
        visited = await called(hub, "everything.trigger-url-elicitation", parameters, by=task(support=opening))
    assert "completed the URL elicitation flow" in visited["text"]
    assert ["https://modelcontextprotocol.io" in words for words, _ in opening.questions] == [True, False]


async def test_a_page_that_nobody_can_be_shown_is_named_in_the_error(open_everything: OpenHub) -> None:
    parameters = {"url": "https://example.org/consent", "errorPath": True}
    async with open_everything("stdio") as hub:
        with pytest.raises(ProviderError, match=r"browser-based authorization.*https://modelcontextprotocol.io"):
            await called(hub, "everything.trigger-url-elicitation", parameters)


@EACH_WAY
async def test_it_is_shown_the_roots_that_are_configured(open_everything: OpenHub, way: str, tmp_path: Path) -> None:
    async with open_everything(way, roots=[str(tmp_path)]) as hub:
        shown = await called(hub, "everything.get-roots-list")
    assert tmp_path.as_uri() in shown["text"]
    assert "(1 total)" in shown["text"]


@EACH_WAY
async def test_it_gets_a_model_where_the_configuration_says_so(open_everything: OpenHub, way: str) -> None:
    household = Household()
    parameters = {"prompt": "What is it?", "maxTokens": 5}
    async with open_everything(way, sampling="ollama") as hub:
        result = await called(hub, "everything.trigger-sampling-request", parameters, by=task(support=household))
    sampled = json.loads(result["text"].partition("\n")[2])
    assert sampled["content"] == {"type": "text", "text": "forty-two"}
    assert (sampled["model"], sampled["stopReason"], sampled["role"]) == ("thinker", "maxTokens", "assistant")
    [(method, asked_for)] = household.calls
    assert method == "llm/chat"
    assert (asked_for["max_tokens"], asked_for["temperature"]) == (5, 0.7)
    assert [message["role"] for message in asked_for["messages"]] == ["system", "user"]
    assert "What is it?" in asked_for["messages"][1]["content"]


async def test_it_is_not_told_of_a_model_otherwise(open_everything: OpenHub) -> None:
    async with open_everything("stdio") as hub:
        with pytest.raises(MethodNotFoundError):
            await called(hub, "everything.trigger-sampling-request", {"prompt": "x"})


@EACH_WAY
async def test_a_tool_that_insists_on_a_task_is_followed_through_its_question_to_its_end(
    open_everything: OpenHub, way: str
) -> None:
    person = Person(lambda _words, _schema: INTERPRETED)
    parameters = {"topic": "python", "ambiguous": True}
    async with open_everything(way) as hub:
        result = await called(hub, "everything.simulate-research-query", parameters, by=task(support=person))
    assert "# Research Report: python (snake)" in result["text"]
    [(words, schema)] = person.questions
    assert "multiple interpretations" in words
    assert schema is not None
    assert "interpretation" in schema["properties"]
    told = [message for _, _, message in person.reports if message]
    assert told[0] == "Gathering sources..."
    assert len(told) >= 3


@EACH_WAY
async def test_a_task_of_the_server_is_cancelled_with_the_call(open_everything: OpenHub, way: str) -> None:
    person = Person()
    async with open_everything(way) as hub:
        async with anyio.create_task_group() as tasks:
            parameters = {"topic": "history"}
            tasks.start_soon(_research, hub, parameters, person)
            await person.reported.wait()
            tasks.cancel_scope.cancel()
        session = hub.connection("everything").line().session
        listed = (await session.request("tasks/list", {}))["tasks"]
    assert [entry["status"] for entry in listed] == ["cancelled"]


async def _research(hub: MCPHubProvider, parameters: Mapping[str, Any], person: Person) -> None:
    await called(hub, "everything.simulate-research-query", parameters, by=task(support=person))


@EACH_WAY
async def test_a_compressed_file_comes_within_the_answer_or_is_read_as_a_resource(
    open_everything: OpenHub, way: str
) -> None:
    parameters = {"name": "words.gz", "data": "data:text/plain;base64," + base64.b64encode(b"words").decode()}
    async with open_everything(way) as hub:
        within = await called(hub, "everything.gzip-file-as-resource", {**parameters, "outputType": "resource"})
        linked = await called(hub, "everything.gzip-file-as-resource", parameters)
        read = await asked(hub, "mcp/resource.read", uri=linked["content"][0]["uri"])
    assert gzip.decompress(base64.b64decode(within["content"][0]["resource"]["blob"])) == b"words"
    assert gzip.decompress(base64.b64decode(read["contents"][0]["blob"])) == b"words"
    assert read["text"] == ""


@EACH_WAY
async def test_its_resources_and_templates_are_listed_and_read(open_everything: OpenHub, way: str) -> None:
    async with open_everything(way) as hub:
        listed = await asked(hub, "mcp/resources/list")
        document = next(entry for entry in listed["resources"] if entry["name"] == "features.md")
        read = await asked(hub, "mcp/resource.read", uri=document["uri"], server="everything")
        made = await asked(hub, "mcp/resource.read", uri="demo://resource/dynamic/text/12")
        with pytest.raises(GleitzeitError, match="nowhere"):
            await asked(hub, "mcp/resource.read", uri="demo://nowhere")
    assert listed["count"] == len(listed["resources"]) == 7
    assert {entry["server"] for entry in listed["resources"]} == {"everything"}
    assert {entry["uriTemplate"] for entry in listed["templates"]} == {
        "demo://resource/dynamic/text/{resourceId}",
        "demo://resource/dynamic/blob/{resourceId}",
    }
    assert read["text"].startswith("# ")
    assert read["contents"][0]["mimeType"] == "text/markdown"
    assert made["text"].startswith("Resource 12:")


@EACH_WAY
async def test_its_prompts_are_listed_and_filled_in(open_everything: OpenHub, way: str) -> None:
    async with open_everything(way) as hub:
        listed = await asked(hub, "mcp/prompts/list", server="everything")
        plain = await asked(hub, "mcp/prompt.get", name="simple-prompt")
        filled = await asked(hub, "mcp/prompt.get", name="args-prompt", arguments={"city": "Bern"})
        embedded = await asked(
            hub, "mcp/prompt.get", name="resource-prompt", arguments={"resourceType": "Text", "resourceId": 3}
        )
        with pytest.raises(ValidationError, match="city"):
            await asked(hub, "mcp/prompt.get", name="args-prompt", arguments={})
        with pytest.raises(ValidationError, match="missing-prompt"):
            await asked(hub, "mcp/prompt.get", name="missing-prompt")
    assert {entry["name"] for entry in listed["prompts"]} == {
        "simple-prompt",
        "args-prompt",
        "completable-prompt",
        "resource-prompt",
    }
    assert plain["messages"][0]["content"]["text"] == "This is a simple prompt without arguments."
    assert "weather in Bern?" in filled["messages"][0]["content"]["text"]
    assert embedded["messages"][1]["content"]["resource"]["uri"] == "demo://resource/dynamic/text/3"


@pytest.mark.parametrize("way", ["stdio", "sse"])
async def test_what_it_logs_during_a_call_is_kept_with_the_task(open_everything: OpenHub, way: str) -> None:
    context = TaskContext()
    async with open_everything(way) as hub:
        started = await called(hub, "everything.toggle-simulated-logging", by=context)
        stopped = await called(hub, "everything.toggle-simulated-logging")
    assert "Started" in started["text"]
    assert "Stopped" in stopped["text"]
    [entry] = context.metadata["log"]
    assert entry["level"]
    assert entry["message"]


async def test_wrong_arguments_are_refused_before_they_are_sent(open_everything: OpenHub) -> None:
    async with open_everything("stdio") as hub:
        with pytest.raises(ValidationError, match="location"):
            await hub.validate_request("mcp/tool.everything.get-structured-content", {"location": "Atlantis"})
        with pytest.raises(ProviderError):
            await called(hub, "everything.get-structured-content", {"location": "Atlantis"})
