from __future__ import annotations

from typing import Any

import pytest

from gleitzeit.core.errors import ConfigurationError
from gleitzeit_ollama import OllamaProvider


def test_the_documented_section_is_accepted() -> None:
    section = {
        "endpoint": "http://localhost:11434",
        "timeout": 30,
        "max_retries": 3,
        "models": {"default": "llama3.2", "vision": "llava", "code": "codellama"},
    }
    provider = OllamaProvider("ollama", section)
    assert provider.settings.timeout == 30
    assert provider.endpoint.url == "http://localhost:11434"


def test_numbers_may_come_as_text_from_the_environment() -> None:
    assert OllamaProvider("ollama", {"timeout": "12.5", "max_retries": "0"}).settings.timeout == 12.5


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"endpont": "http://x"}, r"providers\.ollama\.endpont"),
        ({"timeout": 0}, r"providers\.ollama\.timeout: .*greater than 0"),
        ({"max_retries": -1}, r"providers\.ollama\.max_retries"),
        ({"endpoint": "ftp://me:secret@host"}, r"providers\.ollama\.endpoint: it is not an address"),
        ({"models": {"default": ""}}, r"providers\.ollama\.models\.default"),
        ({"endpoints": []}, r'"endpoints" is not supported by this version: .*`endpoint`'),
        ({"discovery": {}, "cache": {}}, r'"discovery" is not.*"cache" is not'),
        ({"max_queue": 3}, r'"max_queue" is not supported'),
        ({"pull_missing": True}, r"ollama pull"),
    ],
)
def test_a_key_that_would_do_nothing_is_refused_by_name(section: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        OllamaProvider("ollama", section)
    assert "secret" not in caught.value.message


def test_a_misspelt_key_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigurationError) as caught:
        OllamaProvider("ollama", {"time_out": 3})
    assert caught.value.hint == 'did you mean "timeout"?'
