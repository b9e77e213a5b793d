from __future__ import annotations

from typing import Any

import pytest

from gleitzeit.core.errors import MethodNotFoundError, ValidationError
from gleitzeit.registry import ProtocolProviderRegistry
from gleitzeit_ollama import OllamaProvider
from gleitzeit_ollama.chat import CHAT, ChatRequest

MODELS = {"default": "llama3.2", "code": "codellama"}


def payload(**parameters: Any) -> dict[str, Any]:
    return dict(ChatRequest.of({"messages": "hi", **parameters}, MODELS).payload)


def test_the_least_that_a_call_can_say_makes_a_whole_request() -> None:
    assert payload() == {
        "model": "llama3.2",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
        "options": {"temperature": 0.7},
    }


def test_a_model_may_be_called_by_its_configured_name() -> None:
    assert payload(model="code")["model"] == "codellama"
    assert payload(model="mistral")["model"] == "mistral"


def test_the_documented_parameters_become_options_of_ollama() -> None:
    options = payload(temperature=0, max_tokens=500, top_p=0.9, top_k=40, seed=42, num_ctx=2048, stop="END")["options"]
    assert options == {
        "temperature": 0,
        "num_predict": 500,
        "top_p": 0.9,
        "top_k": 40,
        "seed": 42,
        "num_ctx": 2048,
        "stop": ["END"],
    }


def test_a_parameter_outweighs_the_option_and_an_option_the_default() -> None:
    given = {"temperature": 0.1, "num_predict": 5, "min_p": 0.2}
    assert payload(options=given)["options"] == given
    assert payload(options=given, temperature=1, max_tokens=9)["options"] == {
        "temperature": 1,
        "num_predict": 9,
        "min_p": 0.2,
    }


def test_what_ollama_takes_as_it_is_is_passed_on() -> None:
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
    request = payload(tools=tools, think="low", format="json", keep_alive="5m")
    assert (request["tools"], request["think"], request["format"], request["keep_alive"]) == (
        tools,
        "low",
        "json",
        "5m",
    )


@pytest.mark.parametrize(("given", "sent"), [("300", 300.0), (-1, -1), ("-1", -1.0), ("1h30m", "1h30m"), (0, 0)])
def test_a_time_without_unit_is_in_seconds(given: Any, sent: Any) -> None:
    assert payload(keep_alive=given)["keep_alive"] == sent


def test_the_configured_keep_alive_is_used_where_a_call_has_none() -> None:
    assert ChatRequest.of({"messages": "hi"}, MODELS, "10m").payload["keep_alive"] == "10m"
    assert ChatRequest.of({"messages": "hi", "keep_alive": 0}, MODELS, "10m").payload["keep_alive"] == 0


@pytest.mark.parametrize(
    ("content", "sent"),
    [
        ("text", "text"),
        ("", ""),
        (["a", 1], '["a",1]'),
        ({"ü": None}, '{"ü":null}'),
        (3, "3"),
        (False, "false"),
        ([], "[]"),
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "ab"),
    ],
)
def test_content_of_any_kind_becomes_text(content: Any, sent: str) -> None:
    assert payload(messages=[{"content": content}])["messages"] == [{"role": "user", "content": sent}]


def test_an_answer_can_be_sent_back_as_a_message() -> None:
    call: dict[str, Any] = {"function": {"name": "f", "arguments": {}}}
    messages: list[dict[str, Any]] = [
        {"content": "hi"},
        {"role": "assistant", "content": "", "thinking": "hm", "tool_calls": [call]},
        {"role": "tool", "content": {"found": 1}, "tool_name": "f"},
    ]
    sent = payload(messages=messages)["messages"]
    assert sent[1] == messages[1]
    assert sent[2]["content"] == '{"found":1}'


async def call(provider: OllamaProvider, parameters: dict[str, Any]) -> None:
    """As a task does it: by the registry, which has the parameters checked."""
    registry = ProtocolProviderRegistry()
    registry.register_provider(provider.protocol_id, provider)
    async with registry.running():
        await registry.execute(CHAT, parameters)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({}, ["messages"]),
        ({"messages": []}, ["messages"]),
        ({"messages": "hi", "temprature": 1}, ["temprature"]),
        ({"messages": "hi", "temperature": "hot", "top_p": 2}, ["temperature", "top_p"]),
        ({"messages": [{"role": "robot", "content": "hi"}]}, ["messages[0].role"]),
        ({"messages": [{"content": "hi"}, {"role": "user"}]}, ["messages[1].content is missing"]),
        ({"messages": [{"content": None}]}, ["messages[0].content is null"]),
        ({"messages": [{"content": [{"type": "image_url", "image_url": "x"}]}]}, ["messages[0].content[0] is no text"]),
        ({"messages": "hi", "options": {"num_ctxx": 1}}, ["options", "num_ctxx"]),
        ({"messages": "hi", "options": {"seed": "a"}}, ["options.seed"]),
        ({"messages": "hi", "format": "yaml"}, ['"yaml"']),
        ({"messages": "hi", "format": {"type": "strin"}}, ["format is not a JSON Schema"]),
        ({"messages": "hi", "max_tokens": 0}, ["max_tokens"]),
        ({"messages": "hi", "model": ""}, ["model"]),
    ],
)
async def test_a_wrong_parameter_is_named(parameters: dict[str, Any], words: list[str]) -> None:
    provider = OllamaProvider("ollama", {"models": MODELS})
    with pytest.raises(ValidationError) as caught:
        await call(provider, parameters)
    assert all(word in caught.value.message for word in words), caught.value.message


@pytest.mark.anyio
async def test_without_a_default_a_call_has_to_name_its_model() -> None:
    with pytest.raises(ValidationError, match="model"):
        await call(OllamaProvider("ollama"), {"messages": "hi"})


@pytest.mark.anyio
async def test_only_what_is_whole_is_offered() -> None:
    provider = OllamaProvider("ollama")
    assert provider.get_supported_methods() == [CHAT]
    assert await provider.describe("llm/generate") is None
    with pytest.raises(MethodNotFoundError, match="llm/generate"):
        await provider.handle_request("llm/generate", {})


@pytest.mark.anyio
async def test_the_method_tells_the_names_that_models_go_by() -> None:
    spec = await OllamaProvider("ollama", {"models": MODELS}).describe(CHAT)
    assert spec is not None
    assert "code is codellama" in spec.parameters["properties"]["model"]["description"]
    assert spec.idempotent
    assert "streaming" in spec.capabilities
