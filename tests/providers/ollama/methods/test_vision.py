from __future__ import annotations

from typing import Any

import pytest

from gleitzeit.core.errors import ValidationError
from gleitzeit_ollama.methods.asked import Asked
from gleitzeit_ollama.methods.vision import vision_request
from gleitzeit_ollama.settings import OllamaSettings

PNG = "iVBORw0KGgo="


def request(models: dict[str, str] | None = None, **parameters: Any) -> Asked:
    return vision_request({"images": [PNG], **parameters}, OllamaSettings(models=models or {"default": "llama3.2"}))


def test_the_images_belong_to_the_last_message_of_the_user() -> None:
    messages = [{"content": "What is it?"}, {"role": "assistant", "content": "A cat."}, {"content": "Really?"}]
    assert request(messages=messages).payload["messages"] == [
        {"role": "user", "content": "What is it?"},
        {"role": "assistant", "content": "A cat."},
        {"role": "user", "content": "Really?", "images": [PNG]},
    ]


def test_a_prompt_does_for_messages() -> None:
    assert request(prompt="What is it?", images=PNG).payload["messages"] == [
        {"role": "user", "content": "What is it?", "images": [PNG]}
    ]


def test_images_of_the_message_itself_come_first() -> None:
    seen = request(messages=[{"content": "Compare.", "images": ["R0lGODlh"]}]).payload["messages"]
    assert seen[0]["images"] == ["R0lGODlh", PNG]


def test_the_model_named_vision_is_the_default_and_else_the_one_named_default() -> None:
    assert request({"default": "llama3.2", "vision": "llava"}, prompt="?").model == "llava"
    assert request({"default": "llama3.2"}, prompt="?").model == "llama3.2"
    assert request({"default": "llama3.2", "vision": "llava"}, prompt="?", model="default").model == "llama3.2"


def test_a_conversation_without_the_user_has_no_place_for_images() -> None:
    with pytest.raises(ValidationError, match="llm/vision: no message is the user's"):
        request(messages=[{"role": "system", "content": "Be brief."}])


def test_a_question_about_no_image_is_refused() -> None:
    with pytest.raises(ValidationError, match="llm/vision: there are no images"):
        vision_request({"prompt": "?"}, OllamaSettings(models={"default": "llava"}))
