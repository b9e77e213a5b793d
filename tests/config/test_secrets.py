"""Secrets come from outside of the file, and never show."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

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
