"""Who may be served, and under which names: settings that would not mean what they say are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gleitzeit.config import load_configuration
from gleitzeit.core.errors import ConfigurationError

HASH = "sha256:" + "0" * 64
TOKEN = {"name": "me", "hash": HASH, "scopes": ["workflows:read"]}


def test_tokens_hosts_and_origins_are_read(tmp_path: Path) -> None:
    keys = {
        "server.tokens": [TOKEN, {**TOKEN, "hash": "sha256:" + "1" * 64}],
        "server.allowed_hosts": ["flows.example.org"],
        "server.allowed_origins": ["https://app.example.org", "http://localhost:3000"],
    }
    server = load_configuration(environ={"GLEITZEIT_HOME": str(tmp_path)}, overrides=keys).server
    assert [token.name for token in server.tokens] == ["me", "me"]
    assert server.tokens[0].scopes == ("workflows:read",)
    assert server.allowed_hosts == ("flows.example.org",)
    assert server.allowed_origins == ("https://app.example.org", "http://localhost:3000")


@pytest.mark.parametrize(
    "server",
    [
        {"tokens": [{**TOKEN, "hash": "gleitzeit_in_plain_text"}]},
        {"tokens": [{**TOKEN, "scopes": []}]},
        {"tokens": [{**TOKEN, "scopes": ["workflows:all"]}]},
        {"tokens": [{"name": "me", "hash": HASH}]},
        {"tokens": [{**TOKEN, "token": "gleitzeit_in_plain_text"}]},
        {"tokens": [TOKEN, TOKEN]},
        {"tokens": "gleitzeit_in_plain_text"},
        {"allowed_hosts": ["*"]},
        {"allowed_hosts": ["https://example.org"]},
        {"allowed_hosts": ["example.org:443"]},
        {"allowed_origins": ["example.org"]},
        {"allowed_origins": ["*"]},
        {"allowed_origins": ["null"]},
        {"allowed_origins": ["https://*.example.org"]},
        {"allowed_origins": ["https://example.org/"]},
    ],
    ids=json.dumps,
)
def test_settings_that_would_not_mean_what_they_say_are_refused(tmp_path: Path, server: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        load_configuration(environ={"GLEITZEIT_HOME": str(tmp_path)}, overrides={"server": server})
    assert f"server.{next(iter(server))}" in refusal.value.message
    assert "in_plain_text" not in f"{refusal.value} {refusal.value.hint}"


def test_a_token_for_the_client_is_no_setting(tmp_path: Path) -> None:
    environ = {"GLEITZEIT_HOME": str(tmp_path), "GLEITZEIT_TOKEN": "gleitzeit_abc"}
    assert "gleitzeit_abc" not in str(load_configuration(environ=environ).redacted())
