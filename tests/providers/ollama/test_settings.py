from __future__ import annotations

from typing import Any

import pytest

from gleitzeit.config import load_configuration
from gleitzeit.core.errors import ConfigurationError
from gleitzeit_ollama import OllamaProvider
from gleitzeit_ollama.settings import OllamaSettings


def test_the_documented_section_is_accepted() -> None:
    section = {
        "endpoint": "http://localhost:11434",
        "timeout": 30,
        "max_retries": 3,
        "models": {"default": "llama3.2", "vision": "llava", "code": "codellama"},
    }
    settings = OllamaProvider("ollama", section).settings
    assert settings.timeout == 30
    assert [node.url for node in settings.nodes] == ["http://localhost:11434"]


def test_numbers_may_come_as_text_from_the_environment() -> None:
    assert OllamaProvider("ollama", {"timeout": "12.5", "max_retries": "0"}).settings.timeout == 12.5


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"endpont": "http://x"}, r"providers\.ollama\.endpont"),
        ({"timeout": 0}, r"providers\.ollama\.timeout: .*greater than 0"),
        ({"max_retries": -1}, r"providers\.ollama\.max_retries"),
        ({"endpoint": "ftp://me:secret@host"}, r"providers\.ollama\.endpoint: it is not an address"),
        ({"endpoints": [{"url": "ftp://me:secret@host"}]}, r"providers\.ollama\.endpoints.*: it is not an address"),
        ({"endpoints": ["http://a", "http://me:secret@b", "http://b/"]}, 'the node "http://b" is named twice'),
        ({"endpoints": [{"url": "http://a", "weigth": 2}]}, r"providers\.ollama\.endpoints.*weigth"),
        ({"endpoints": [{"url": "http://a", "max_parallel": 0}]}, r"max_parallel: must be at least 1"),
        ({"discovery": {"ports": "11439-11434"}}, r"its smaller port first"),
        ({"discovery": {"ports": "all"}}, r"a range like 11434-11439"),
        ({"models": {"default": ""}}, r"providers\.ollama\.models\.default"),
        ({"cache": "sometimes"}, r"providers\.ollama\.cache"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_by_its_key(section: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        OllamaProvider("ollama", section)
    assert "secret" not in caught.value.message


def test_nodes_may_be_named_one_by_one_or_as_a_list() -> None:
    settings = OllamaSettings.model_validate(
        {"endpoint": "a:1", "endpoints": ["b:2", {"url": "c:3", "weight": 2, "max_parallel": 4}]}
    )
    assert [(node.url, node.weight, node.max_parallel) for node in settings.nodes] == [
        ("a:1", 1, None),
        ("b:2", 1, None),
        ("c:3", 2, 4),
    ]


@pytest.mark.parametrize(
    ("section", "ports"),
    [
        ({}, (11434, 11435, 11436, 11437, 11438, 11439)),
        ({"endpoint": "a:1"}, ()),
        ({"endpoint": "a:1", "discovery": True}, (11434, 11435, 11436, 11437, 11438, 11439)),
        ({"discovery": {"ports": "11434-11435"}}, (11434, 11435)),
        ({"discovery": {"ports": [11500]}}, (11500,)),
        ({"discovery": {"ports": 11500}}, (11500,)),
        ({"discovery": {"enabled": False}}, ()),
    ],
)
def test_ports_are_asked_where_no_node_is_named_or_discovery_is_wanted(
    section: dict[str, Any], ports: tuple[int, ...]
) -> None:
    assert OllamaSettings.model_validate(section).discovered_ports == ports


@pytest.mark.parametrize(("written", "kept"), [(True, "repeatable"), (False, "never"), ("always", "always")])
def test_whether_answers_are_kept_may_be_a_yes_or_no(written: bool | str, kept: str) -> None:
    assert OllamaSettings.model_validate({"cache": written}).cache == kept


def test_a_misspelt_key_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigurationError) as caught:
        OllamaProvider("ollama", {"time_out": 3})
    assert caught.value.hint == 'did you mean "timeout"?'


def test_an_environment_variable_names_nodes_with_commas_or_as_json() -> None:
    for written in ("a:1, http://b:2,", '["a:1", {"url": "http://b:2"}]'):
        environ = {"GLEITZEIT_HOME": "/nowhere", "GLEITZEIT_PROVIDERS__OLLAMA__ENDPOINTS": written}
        section = load_configuration(environ=environ).providers["ollama"]
        assert [node.url for node in OllamaSettings.model_validate(section).nodes] == ["a:1", "http://b:2"]
