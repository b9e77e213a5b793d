"""Tokens as they are made, kept and presented."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from pydantic import ValidationError
from starlette.requests import Request

from gleitzeit.config.settings import TokenSettings
from gleitzeit.mcp_server.access.credentials import Refusal, presented
from gleitzeit.mcp_server.access.tokens import PREFIX, Tokens, hash_of, new_token


def entry(name: str, token: str) -> TokenSettings:
    return TokenSettings(name=name, hash=hash_of(token), scopes=("workflows:read",))


def request(headers: Sequence[tuple[str, str]], query: str = "") -> Request:
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    return Request({"type": "http", "method": "POST", "path": "/mcp", "query_string": query.encode(), "headers": raw})


def test_a_token_can_be_recognised_and_not_be_guessed() -> None:
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(re.fullmatch(rf"{PREFIX}[A-Za-z0-9_-]{{43}}", token) for token in tokens)


def test_a_token_belongs_to_the_one_whose_hash_it_has() -> None:
    first, second = new_token(), new_token()
    tokens = Tokens([entry("first", first), entry("second", second)])
    assert [owner and owner.name for owner in map(tokens.owner_of, (first, second, new_token(), ""))] == [
        "first",
        "second",
        None,
        None,
    ]
    assert first not in repr(tokens)


def test_a_caller_may_have_two_tokens_while_one_takes_the_place_of_the_other() -> None:
    old, new = new_token(), new_token()
    tokens = Tokens([entry("me", old), entry("me", new)])
    assert {owner.name for owner in map(tokens.owner_of, (old, new)) if owner} == {"me"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "a b"},
        {"name": ""},
        {"name": "me\n"},
        {"hash": "sha256:00"},
        {"hash": "plain"},
        {"hash": "sha256:" + "0" * 64 + "\n"},
        {"scopes": []},
        {"scopes": ["workflows:all"]},
        {"token": "gleitzeit_in_plain_text"},
    ],
    ids=str,
)
def test_an_entry_that_would_let_nobody_or_anybody_in_is_refused(wrong: dict[str, object]) -> None:
    right = {"name": "me", "hash": "sha256:" + "0" * 64, "scopes": ["admin"]}
    TokenSettings.model_validate(right)
    with pytest.raises(ValidationError):
        TokenSettings.model_validate({**right, **wrong})


@pytest.mark.parametrize("header", ["Bearer abc", "bearer abc", "BEARER  abc "])
def test_a_bearer_token_is_read_whatever_its_spelling(header: str) -> None:
    assert presented(request([("Authorization", header)])) == "abc"


@pytest.mark.parametrize(
    ("headers", "query", "status", "challenge"),
    [
        ([], "", 401, "Bearer"),
        ([("Authorization", "Basic YTpi")], "", 401, "Bearer"),
        ([("Authorization", "")], "", 401, "Bearer"),
        ([("Authorization", "Bearer ")], "", 401, 'Bearer error="invalid_token"'),
        ([("Authorization", "Bearer a b")], "", 401, 'Bearer error="invalid_token"'),
        ([("Authorization", "Bearer \xe9")], "", 401, 'Bearer error="invalid_token"'),
        ([("Authorization", f"Bearer {'x' * 10_000}")], "", 401, 'Bearer error="invalid_token"'),
        ([("Authorization", "Bearer a"), ("Authorization", "Bearer b")], "", 400, 'Bearer error="invalid_request"'),
        ([], "access_token=abc", 400, 'Bearer error="invalid_request"'),
        ([("Authorization", "Bearer abc")], "token=abc", 400, 'Bearer error="invalid_request"'),
    ],
)
def test_what_is_no_token_is_told_how_to_bring_one(
    headers: Sequence[tuple[str, str]], query: str, status: int, challenge: str
) -> None:
    refused = presented(request(headers, query))
    assert isinstance(refused, Refusal)
    assert refused.status == status
    assert refused.headers["WWW-Authenticate"].split(",")[0] == challenge
    assert "abc" not in f"{refused}"
