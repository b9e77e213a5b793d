from __future__ import annotations

from typing import Any

import pytest

from gleitzeit.core.errors import ValidationError
from gleitzeit_ollama.methods.asked import Asked
from gleitzeit_ollama.methods.chat import chat_request
from gleitzeit_ollama.settings import OllamaSettings

MODELS = {"default": "llama3.2", "code": "codellama"}


def request(parameters: dict[str, Any], **settings: Any) -> Asked:
    return chat_request({"messages": "hi", **parameters}, OllamaSettings(models=MODELS, **settings))


def payload(**parameters: Any) -> dict[str, Any]:
    return dict(request(parameters).payload)


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
    passed = {
        "tools": tools,
        "think": "low",
        "format": "json",
        "keep_alive": "5m",
        "truncate": False,
        "shift": True,
        "logprobs": True,
        "top_logprobs": 3,
    }
    request = payload(**passed)
    assert {name: request[name] for name in passed} == passed


def test_no_tools_are_none() -> None:
    assert "tools" not in payload(tools=[])


@pytest.mark.parametrize(
    ("given", "sent"), [("300", 300.0), (-1, -1), ("-1", -1.0), ("1h30m", "1h30m"), (0, 0), ("inf", "inf")]
)
def test_a_time_without_unit_is_in_seconds(given: Any, sent: Any) -> None:
    assert payload(keep_alive=given)["keep_alive"] == sent


def test_the_configured_keep_alive_is_used_where_a_call_has_none() -> None:
    assert request({}, keep_alive="10m").payload["keep_alive"] == "10m"
    assert request({"keep_alive": 0}, keep_alive="10m").payload["keep_alive"] == 0


def test_the_options_that_a_model_is_loaded_with_are_told_apart_from_the_others() -> None:
    asked = request({"num_ctx": 4096, "seed": 1, "options": {"num_thread": 2, "use_mmap": False, "top_k": 3}})
    assert asked.load == (("num_ctx", 4096), ("num_thread", 2), ("use_mmap", False))
    assert request({}).load == ()


@pytest.mark.parametrize(
    ("given", "most"), [({}, None), ({"max_tokens": 9}, 9), ({"options": {"num_predict": -1}}, None)]
)
def test_the_longest_answer_is_known_where_there_is_a_limit(given: dict[str, Any], most: int | None) -> None:
    assert request(given).most_tokens == most


@pytest.mark.parametrize(
    ("answer_format", "words"),
    [
        ("yaml", 'llm/chat: format: "yaml" is neither "json" nor a JSON Schema'),
        ({"type": "strin"}, "llm/chat: format is not a JSON Schema: type"),
    ],
)
def test_a_format_that_is_none_is_refused(answer_format: Any, words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        request({"format": answer_format})
    assert caught.value.message.startswith(words)
