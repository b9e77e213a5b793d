from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest
from tests.providers.ollama.fake.node import FakeOllama

from gleitzeit.core.errors import MethodNotFoundError, ProviderUnavailableError, ValidationError
from gleitzeit.providers.base import TaskContext
from gleitzeit.registry import ProtocolProviderRegistry
from gleitzeit_ollama import OllamaHub, OllamaProvider
from gleitzeit_ollama.settings import OllamaSettings

pytestmark = pytest.mark.anyio

MODELS = {"default": "tiny", "code": "codellama"}
METHODS = ["llm/chat", "llm/generate", "llm/vision", "llm/embeddings", "llm/models"]


async def call(provider: OllamaProvider, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """As a task does it: by the registry, which has the parameters checked."""
    registry = ProtocolProviderRegistry()
    registry.register_provider(provider.protocol_id, provider)
    async with registry.running():
        result: dict[str, Any] = await registry.execute(method, parameters)
        return result


@pytest.fixture
async def node() -> AsyncIterator[FakeOllama]:
    async with FakeOllama("tiny") as node:
        yield node


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({}, ["messages"]),
        ({"messages": []}, ["messages"]),
        ({"messages": "hi", "temprature": 1}, ["temprature"]),
        ({"messages": "hi", "temperature": "hot", "top_p": 2}, ["temperature", "top_p"]),
        ({"messages": [{"role": "robot", "content": "hi"}]}, ["messages[0].role: must be one of"]),
        ({"messages": [[{"role": "robot", "content": "hi"}]]}, ["messages[0][0].role"]),
        ({"messages": [["hi"]]}, ["messages[0][0]"]),
        ({"messages": [[{"content": "hi"}], {"content": "hi"}]}, ["messages[1] is one message"]),
        ({"messages": [{"content": "hi"}, {"role": "user"}]}, ["messages[1].content is missing"]),
        ({"messages": [{"content": None}]}, ["messages[0].content is null"]),
        ({"messages": "hi", "options": {"num_ctxx": 1}}, ["options", "num_ctxx"]),
        ({"messages": "hi", "options": {"seed": "a"}}, ["options.seed"]),
        ({"messages": "hi", "format": "yaml"}, ['"yaml"']),
        ({"messages": "hi", "format": {"type": "strin"}}, ["format is not a JSON Schema"]),
        ({"messages": "hi", "max_tokens": 0}, ["max_tokens"]),
        ({"messages": "hi", "model": ""}, ["model"]),
        ({"messages": "hi", "max_steps": 51}, ["max_steps"]),
        ({"messages": "hi", "top_logprobs": 21}, ["top_logprobs"]),
        ({"messages": [[{"content": "hi"}]], "tools": "mcp"}, ["a batch cannot use the tools of MCP servers"]),
    ],
)
async def test_a_wrong_parameter_of_a_chat_is_named(parameters: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ValidationError) as caught:
        await call(OllamaProvider("ollama", {"models": MODELS}), "llm/chat", parameters)
    assert caught.value.message.startswith("llm/chat: ")
    assert all(word in caught.value.message for word in words), caught.value.message


@pytest.mark.parametrize(
    ("method", "parameters", "words"),
    [
        ("llm/generate", {}, "prompt"),
        ("llm/generate", {"prompt": "hi", "messages": "hi"}, "messages"),
        ("llm/generate", {"prompt": None}, "prompt"),
        ("llm/generate", {"prompt": "hi", "raw": True, "system": "x"}, "raw and system contradict each other"),
        ("llm/vision", {"prompt": "hi"}, "images"),
        ("llm/vision", {"prompt": "hi", "images": []}, "images"),
        ("llm/vision", {"prompt": "hi", "images": [3]}, "images[0]"),
        ("llm/vision", {"images": ["iVBORw0KGgo="]}, "must have messages or prompt"),
        ("llm/vision", {"images": ["iVBORw0KGgo="], "prompt": "a", "messages": "b"}, "only one of messages and prompt"),
        ("llm/models", {"model": "tiny"}, "model"),
    ],
)
async def test_a_wrong_parameter_of_another_method_is_named(
    method: str, parameters: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        await call(OllamaProvider("ollama", {"models": MODELS}), method, parameters)
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        ("llm/chat", {"messages": "hi"}),
        ("llm/generate", {"prompt": "hi"}),
        ("llm/vision", {"prompt": "hi", "images": ["iVBORw0KGgo="]}),
        ("llm/embeddings", {"text": "hi"}),
    ],
)
async def test_without_a_default_a_call_has_to_name_its_model(method: str, parameters: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="model") as caught:
        await call(OllamaProvider("ollama"), method, parameters)
    assert "providers.ollama.models.default" in str(caught.value.hint)


async def test_the_methods_are_those_of_the_document() -> None:
    provider = OllamaProvider("ollama")
    assert provider.get_supported_methods() == METHODS
    await provider.initialize()
    with pytest.raises(MethodNotFoundError) as caught:
        await provider.handle_request("llm/chats", {})
    assert caught.value.hint == 'did you mean "llm/chat"?'
    await provider.shutdown()


async def test_a_method_tells_the_names_that_models_go_by() -> None:
    provider = OllamaProvider("ollama", {"models": {**MODELS, "vision": "llava"}})
    for method in METHODS[:4]:
        spec = await provider.describe(method)
        assert spec is not None
        model = spec.parameters["properties"]["model"]
        assert "code is codellama" in model["description"]
        assert model["default"] == ("vision" if method == "llm/vision" else "default")
        assert spec.idempotent


async def test_a_method_tells_what_it_can() -> None:
    specs = {spec.name: spec for spec in await OllamaProvider("ollama").list_methods()}
    assert {name: set(spec.capabilities) for name, spec in specs.items()} == {
        "llm/chat": {"streaming", "batch", "caching"},
        "llm/generate": {"streaming", "batch", "caching"},
        "llm/vision": {"streaming", "batch", "caching"},
        "llm/embeddings": {"batch", "caching"},
        "llm/models": set(),
    }
    assert specs["llm/models"].read_only


async def test_a_batch_has_the_results_of_its_items_in_order(node: FakeOllama, task: TaskContext) -> None:
    provider = OllamaProvider("ollama", {"endpoint": node.url, "models": MODELS})
    prompts = [f"number {number}" for number in range(6)]
    found = await call(provider, "llm/generate", {"prompt": prompts, "max_tokens": 50})
    assert [result["response"] for result in found["results"]] == [f"You said: {prompt}" for prompt in prompts]
    assert task.metadata["nodes"] == {node.url: 6}
    assert task.metadata["model"] == "tiny"


async def test_an_item_of_a_batch_fails_alone(node: FakeOllama, task: TaskContext) -> None:
    provider = OllamaProvider("ollama", {"endpoint": node.url, "models": MODELS})
    chats: list[Any] = [[{"content": "a"}], [{"content": None}], [{"content": "c", "images": ["gone.png"]}]]
    results = (await call(provider, "llm/chat", {"messages": chats}))["results"]
    assert results[0]["response"] == "You said: a"
    assert results[1]["error"]["code"] == "parameters_invalid"
    assert "messages[0].images[0]" in results[2]["error"]["message"]


async def test_an_empty_batch_has_no_results_and_asks_nobody() -> None:
    provider = OllamaProvider("ollama", {"endpoint": "127.0.0.1:9", "models": MODELS})
    assert await call(provider, "llm/generate", {"prompt": []}) == {"results": []}


async def test_a_hub_that_is_handed_in_is_used_and_left_open(node: FakeOllama) -> None:
    hub = OllamaHub(OllamaSettings(endpoint=node.url))
    for name in ("one", "other"):
        provider = OllamaProvider(name, {"models": MODELS}, hub=hub)
        result = await call(provider, "llm/chat", {"messages": "hi"})
        assert result["response"] == "You said: hi"
    await hub.aclose()


async def test_a_provider_serves_again_after_it_was_shut_down(node: FakeOllama) -> None:
    provider = OllamaProvider("ollama", {"endpoint": node.url, "models": MODELS})
    for _ in range(2):
        await provider.initialize()
        assert (await provider.handle_request("llm/chat", {"messages": "hi"}))["response"] == "You said: hi"
        await provider.shutdown()
        with pytest.raises(ProviderUnavailableError, match="not started"):
            await provider.handle_request("llm/chat", {"messages": "hi"})


async def test_health_tells_every_node_and_is_good_where_one_answers(node: FakeOllama) -> None:
    async with FakeOllama("tiny") as gone:
        await gone.down()
        provider = OllamaProvider("ollama", {"endpoints": [gone.url, node.url]})
        with anyio.fail_after(10):
            health = await provider.health_check()
    assert (health["status"], health["version"]) == ("healthy", "0.5.4")
    assert {place["node"]: place["state"] for place in health["nodes"]} == {gone.url: "down", node.url: "healthy"}


async def test_health_says_how_to_start_ollama_where_none_answers() -> None:
    async with FakeOllama("tiny") as gone:
        await gone.down()
        with anyio.fail_after(10):
            health = await OllamaProvider("ollama", {"endpoint": gone.url}).health_check()
    assert health["status"] == "unhealthy"
    assert gone.url in health["error"]
    assert "ollama serve" in health["hint"]


async def test_the_description_names_the_nodes_without_passwords() -> None:
    named = OllamaProvider("ollama", {"endpoints": ["http://me:secret@gpu-box:11434", "127.0.0.1:1"]})
    assert named.description == "Language models of Ollama at http://gpu-box:11434, http://127.0.0.1:1"
    assert OllamaProvider("ollama").description == "Language models of Ollama at this machine"
