from __future__ import annotations

from typing import Any

import pytest

from gleitzeit.core.errors import ValidationError
from gleitzeit_ollama.methods.asked import Asked
from gleitzeit_ollama.methods.generate import generate_request
from gleitzeit_ollama.settings import OllamaSettings

SETTINGS = OllamaSettings(models={"default": "llama3.2"})


def request(**parameters: Any) -> Asked:
    return generate_request({"prompt": "Once", **parameters}, SETTINGS)


def test_the_least_that_a_call_can_say_makes_a_whole_request() -> None:
    asked = request()
    assert asked.path == "/api/generate"
    assert asked.payload == {"model": "llama3.2", "prompt": "Once", "stream": True, "options": {"temperature": 0.7}}


def test_what_only_this_method_has_is_passed_on() -> None:
    passed = {"suffix": "end", "system": "Be brief.", "template": "{{ .Prompt }}", "context": [1, 2], "raw": False}
    payload = request(**passed, images="iVBORw0KGgo=").payload
    assert {name: payload[name] for name in passed} == passed
    assert payload["images"] == ["iVBORw0KGgo="]


@pytest.mark.parametrize(("given", "sent"), [({"a": 1}, '{"a":1}'), (3, "3"), ("", "")])
def test_a_prompt_of_any_kind_becomes_text(given: Any, sent: str) -> None:
    assert request(prompt=given).payload["prompt"] == sent


def test_a_prompt_that_is_null_is_refused() -> None:
    with pytest.raises(ValidationError, match="llm/generate: prompt is null"):
        request(prompt=None)


@pytest.mark.parametrize("beside", [{"system": "x"}, {"template": "x"}, {"context": [1]}])
def test_raw_rules_out_what_a_template_is_for(beside: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=f"raw and {next(iter(beside))} contradict each other"):
        request(raw=True, **beside)


def test_an_empty_context_asks_for_one_to_go_on_from() -> None:
    asked = request(context=[])
    assert "context" not in asked.payload
    assert asked.keeps == ("context",)
    assert request().keeps == ()


def test_images_in_lists_of_lists_are_for_a_batch() -> None:
    with pytest.raises(ValidationError, match=r"images\[0\] is a list of images"):
        request(images=[["a.png"]])
