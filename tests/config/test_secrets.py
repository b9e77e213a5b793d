"""Secrets come from outside of the file, and never show."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gleitzeit.config import Configuration

Load = Callable[..., Configuration]

TEXT = """
secrets:
  BY_ENV: {env: SOURCE}
  BY_FILE: {file: secret.txt}
  BY_REFERENCE: "Bearer ${SOURCE}"
"""


def test_secrets_are_read_from_variables_and_files(load: Load, home: Path) -> None:
    (home / "secret.txt").write_text("from-file\n")
    config = load(TEXT, {"SOURCE": "from-env"})
    assert config.secrets == {"BY_ENV": "from-env", "BY_FILE": "from-file", "BY_REFERENCE": "Bearer from-env"}


def test_names_of_secrets_keep_their_case(load: Load) -> None:
    environ = {"GLEITZEIT_SECRETS__Api_Key": '{"env": "SOURCE"}', "SOURCE": "s"}
    assert load("", environ).secrets == {"Api_Key": "s"}


ENDPOINTS = "GLEITZEIT_PROVIDERS__OLLAMA__ENDPOINTS"


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (
            '[{"url": "http://me:pass@box:1", "weight": 2}, "http://box:2"]',
            [{"url": "http://***@box:1", "weight": 2}, "http://box:2"],
        ),
        ('["http://me:p@ss@box:1"]', ["http://***@box:1"]),
        ('["me:pass@box:1", "box:2/api"]', ["***@box:1", "box:2/api"]),
        ("http://box:1,http://me:pass@box:2", "http://box:1,http://***@box:2"),
        ("me:pass@box:1,me:word@box:2", "***@box:2"),
    ],
)
def test_passwords_in_addresses_never_show_however_they_are_written(load: Load, written: str, shown: Any) -> None:
    ollama = load("", {ENDPOINTS: written}).redacted()["providers"]["ollama"]
    assert ollama == {"endpoints": shown}


def test_what_is_no_address_shows_as_it_is(load: Load) -> None:
    text = 'providers: {python: {docker: {image: "python:3.11@sha256:abc"}}, ollama: {discovery: {ports: 11434-11439}}}'
    providers = load(text).redacted()["providers"]
    assert providers["python"]["docker"]["image"] == "python:3.11@sha256:abc"
    assert providers["ollama"]["discovery"] == {"ports": "11434-11439"}
    args = load("mcp: {servers: [{name: a, command: npx, args: ['npm:tool@1.2.3', me@box]}]}").redacted()
    assert args["mcp"]["servers"][0]["args"] == ["npm:tool@1.2.3", "me@box"]


def test_secrets_never_show(load: Load, home: Path) -> None:
    (home / "secret.txt").write_text("hidden-1")
    text = (
        TEXT
        + """
providers:
  ollama: {api_key: "${SOURCE}", endpoint: "http://user:hidden-3@box", timeout: 5}
mcp:
  servers:
    - {name: a, command: [x], auth_token: hidden-4, env: {A: hidden-5, B: "${B}", C: "${C:-hidden-6}"}}
    - {name: b, url: "http://x", headers: {Authorization: "Bearer hidden-7"}}
"""
    )
    config = load(text, {"SOURCE": "hidden-2"})
    shown = json.dumps(config.redacted())
    for text in (shown, repr(config), str(config), f"{config}"):
        assert "hidden-" not in text
    assert config.redacted()["providers"]["ollama"]["timeout"] == 5
    assert config.redacted()["mcp"]["servers"][0]["env"] == {"A": "***", "B": "${B}", "C": "***"}
    assert config.redacted()["secrets"] == {"BY_ENV": "***", "BY_FILE": "***", "BY_REFERENCE": "***"}
    assert config.redacted()["limits"]["result_tokens"] == 8000
