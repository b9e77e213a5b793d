"""No secret of a server's settings shows in what is told about it."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from gleitzeit_mcp.config import Server
from gleitzeit_mcp.credentials.redaction import redactor
from gleitzeit_mcp.environment import fill_server
from gleitzeit_mcp.transports.remote import Remote


def hidden(text: str, *, variables: dict[str, str] | None = None, **settings: Any) -> str:
    """The text without the secrets of a server with these settings."""
    configured = Server.model_validate({"name": "far", **settings})
    filled = fill_server(configured, variables or {})
    return redactor(filled, configured, variables or {})(text)


@pytest.mark.parametrize(
    "name", ["API_KEY", "GITHUB_TOKEN", "client_secret", "DB_PASSWORD", "X_AUTH", "AWS_CREDENTIALS"]
)
def test_a_value_of_the_environment_with_the_name_of_a_secret_is_hidden(name: str) -> None:
    assert hidden("before geheim after", command="x", env={name: "geheim"}) == "before *** after"


def test_a_value_of_the_environment_that_came_from_a_variable_is_hidden_whatever_its_name() -> None:
    env = {"PLACE": "${PLACE}", "COLOUR": "turquoise"}
    assert hidden("berlin turquoise", command="x", env=env, variables={"PLACE": "berlin"}) == "*** turquoise"


@pytest.mark.parametrize(
    "settings",
    [
        {"command": "x", "args": ["--name", "a/${PLACE}"]},
        {"command": ["x", "${env:PLACE}"]},
        {"command": "x ${PLACE:-here}"},
        {"url": "http://x/s/${PLACE}/mcp"},
        {"url": "http://x/", "oauth": {"client_id": "${PLACE}"}},
    ],
)
def test_what_came_from_a_variable_is_hidden_wherever_it_stands(settings: dict[str, Any]) -> None:
    shown = hidden("in ber/lin+1, ber%2Flin%2B1", variables={"PLACE": "ber/lin+1"}, **settings)
    assert shown == "in ***, ***"


def test_a_token_in_the_path_of_an_address_is_not_shown_with_the_address() -> None:
    configured = Server.model_validate({"name": "far", "url": "http://x/${TOKEN}/mcp"})
    filled = fill_server(configured, {"TOKEN": "ge heim"})
    redact = redactor(filled, configured, {"TOKEN": "ge heim"})
    assert Remote("far", filled.url or "", redact).place == "http://x/***/mcp"
    assert Remote("far", "http://x/ge%20heim/mcp", redact).place == "http://x/***/mcp"


def test_what_is_no_variable_or_says_only_where_a_user_is_stays() -> None:
    settings: dict[str, Any] = {"command": "x", "args": ["$${PLACE}", "${HOME}/x"], "working_dir": "${PLACE}"}
    variables = {"PLACE": "berlin", "HOME": "/home/ann"}
    assert hidden("berlin /home/ann/x", variables=variables, **settings) == "berlin /home/ann/x"


def test_headers_and_tokens_are_hidden_with_and_without_what_stands_before_them() -> None:
    settings: dict[str, Any] = {"url": "http://x/", "headers": {"Authorization": "Basic Z2VoZWlt"}}
    assert hidden("Basic Z2VoZWlt, Z2VoZWlt", **settings) == "***, ***"
    assert hidden("Bearer geheim", url="http://x/", auth_token="geheim") == "Bearer ***"


def test_what_an_address_holds_is_hidden_in_every_form() -> None:
    url = "https://ann:p%40ss-word@x.example/mcp?key=a%20key&page=12"
    basic = base64.b64encode(b"ann:p@ss-word").decode()
    text = f"{url} p@ss-word p%40ss-word {basic} a%20key a key"
    shown = hidden(text, url=url)
    assert not any(secret in shown for secret in ("ss-word", basic, "a%20key", "a key"))
    assert shown.startswith("https://***@x.example/mcp?key=***")


def test_an_address_in_the_environment_or_in_an_argument_is_hidden_too() -> None:
    settings: dict[str, Any] = {
        "command": "x",
        "args": ["postgres://u:geheim1@db/x"],
        "env": {"DATABASE": "redis://:geheim2@db/0"},
    }
    assert "geheim" not in hidden("no route: geheim1 geheim2", **settings)


@pytest.mark.parametrize("args", [["--api-key", "geheim"], ["--api-key=geheim"], ["-v", "--token", "geheim", "--x"]])
def test_an_argument_after_the_option_of_a_secret_is_hidden(args: list[str]) -> None:
    assert hidden("bad key: geheim -v", command="x", args=args) == "bad key: *** -v"


def test_the_secret_of_an_oauth_client_is_hidden() -> None:
    oauth = {"client_id": "machine", "client_secret": "geheim", "issuer": "https://login.example.org"}
    assert hidden("machine geheim", url="http://x/", oauth=oauth) == "machine ***"


def test_a_secret_is_hidden_as_it_stands_in_json_and_line_by_line() -> None:
    secret = 'first line\nsecond "line"'
    shown = hidden(f"{json.dumps(secret)} | first line | {secret}", command="x", env={"PRIVATE_KEY": secret})
    assert "line" not in shown


def test_a_secret_that_holds_another_is_hidden_as_a_whole() -> None:
    env = {"A_TOKEN": "geheim", "B_TOKEN": "geheim-and-more"}
    assert hidden("geheim-and-more geheim", command="x", env=env) == "*** ***"


def test_values_that_are_too_short_to_be_secrets_stay() -> None:
    assert hidden("yes 123", command="x", env={"KEYBOARD": "yes", "TOKENS": "123"}) == "yes 123"


def test_without_secrets_a_text_stays_as_it_is() -> None:
    assert hidden("just (words) .* \\1", command="x") == "just (words) .* \\1"


def test_no_secret_shows_in_the_repr_of_the_settings() -> None:
    settings: dict[str, Any] = {
        "name": "far",
        "url": "http://x/",
        "headers": {"X-Key": "geheim1"},
        "oauth": {"client_id": "machine", "client_secret": "geheim2", "issuer": "https://login.example.org"},
    }
    server = Server.model_validate(settings)
    assert "geheim" not in repr(server)
    assert "geheim" not in str(server)
