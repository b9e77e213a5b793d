"""Who gets in over HTTP, under which names, and what those are told who do not."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from itertools import product
from typing import Any

import anyio
import httpx2
import pytest
from starlette.requests import Request

from gleitzeit.application import Application
from gleitzeit.core.errors import ConfigurationError, LimitError
from gleitzeit.engine.local import LocalEngine
from gleitzeit.mcp_server.address import Address, listen
from gleitzeit.mcp_server.guard import Guard
from gleitzeit.mcp_server.http import serve_http

Guarding = Callable[..., AbstractAsyncContextManager[Any]]
Serving = Callable[[], AbstractAsyncContextManager[str]]

pytestmark = pytest.mark.anyio

PLACES = ["/mcp", "/sse", "/messages/?session_id=0", "/", "/nothing", "/mcp/", "//mcp", "/healthz/", "/healthz/../mcp"]


async def test_nothing_but_health_is_told_without_a_token(guarded: Guarding) -> None:
    with anyio.fail_after(20):
        async with guarded() as server, httpx2.AsyncClient() as client:
            for place, method in product(PLACES, ("GET", "POST", "DELETE", "OPTIONS")):
                answer = await client.request(method, server.url + place)
                assert answer.status_code == 401, place
                assert answer.headers["WWW-Authenticate"] == "Bearer"
                assert "0." not in answer.text  # no version, no address


async def test_a_wrong_token_is_no_token(guarded: Guarding) -> None:
    with anyio.fail_after(20):
        async with guarded() as server, httpx2.AsyncClient() as client:
            nearly = server.tokens["alice"][:-1] + ("A" if server.tokens["alice"][-1] != "A" else "B")
            for wrong in ("gleitzeit_", nearly, server.tokens["alice"].upper(), "x" * 4_000):
                answer = await client.post(f"{server.url}/mcp", headers={"Authorization": f"Bearer {wrong}"})
                assert answer.status_code == 401
                assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
                assert wrong not in answer.text
            hashed = {"Authorization": f"Bearer {server.tokens['alice']}"}
            assert (await client.post(f"{server.url}/nothing", headers=hashed)).status_code == 404


async def test_a_token_in_a_url_is_refused_even_a_right_one(guarded: Guarding) -> None:
    with anyio.fail_after(20):
        async with guarded() as server, server.http("alice") as client:
            for name in ("access_token", "token"):
                answer = await client.get(f"/mcp?{name}={server.tokens['alice']}")
                assert answer.status_code == 400
                assert server.tokens["alice"] not in answer.text


async def test_no_token_gets_into_a_log(guarded: Guarding, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with anyio.fail_after(20):
        async with guarded() as server:
            async with server.client("alice", "legacy") as client:
                await client.call_tool("list_runs", {})
            async with httpx2.AsyncClient() as client:
                wrong = {"Authorization": f"Bearer {server.tokens['alice']}x"}
                await client.post(f"{server.url}/mcp", headers=wrong)
    ours = [record.getMessage() for record in caplog.records if record.name.startswith(("gleitzeit", "mcp.server"))]
    assert any("invalid_token" in message for message in ours)
    assert not any(server.tokens["alice"] in message for message in ours)


async def test_health_is_told_to_anybody_who_asks_for_this_server(guarded: Guarding) -> None:
    with anyio.fail_after(20):
        async with guarded() as server, httpx2.AsyncClient(base_url=server.url) as client:
            for place in ("/healthz", "/readyz"):
                assert (await client.get(place)).json() == {"status": "ok"}
                assert (await client.get(place, headers={"Host": "evil.example"})).status_code == 421
                assert (await client.get(place, headers={"Origin": "https://evil.example"})).status_code == 403


async def test_a_server_that_takes_no_run_is_not_ready(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: LocalEngine) -> None:
        raise LimitError("as many runs are open as may be")

    with anyio.fail_after(20):
        async with serving() as url, httpx2.AsyncClient(base_url=url) as client:
            assert (await client.get("/readyz")).status_code == 200
            monkeypatch.setattr(LocalEngine, "check_ready", full)
            unready = await client.get("/readyz")
            assert (await client.get("/healthz")).status_code == 200
    assert unready.status_code == 503
    assert unready.json() == {"status": "unavailable", "reason": "limit_exceeded"}


async def test_what_still_comes_in_while_the_server_stops_is_told_so() -> None:
    async def never(*_: object) -> None:
        raise AssertionError("it is served")

    guard = Guard(never, Address("127.0.0.1", 8000))
    guard.end()
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(guard)) as client:
        answer = await client.get("http://127.0.0.1:8000/readyz")
    assert answer.status_code == 503
    assert answer.json() == {"status": "unavailable", "reason": "stopping"}


async def test_names_and_pages_of_a_proxy_are_let_in_where_they_are_named(guarded: Guarding) -> None:
    proxy = {"server__allowed_hosts": ["flows.example.org"], "server__allowed_origins": ["https://app.example.org"]}
    page = {"Origin": "https://app.example.org"}
    with anyio.fail_after(20):
        async with guarded(**proxy) as server, server.http("alice") as client:
            for host, status in {"flows.example.org": 404, "FLOWS.example.org:443": 404, "x.example.org": 421}.items():
                assert (await client.get("/nothing", headers={"Host": host})).status_code == status
            asked = {**page, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
            before = await client.options("/mcp", headers=asked)
            answer = await client.get("/nothing", headers=page)
            other = await client.get("/nothing", headers={"Origin": "https://app.example.org.evil.example"})
    assert before.status_code == 200
    assert before.headers["Access-Control-Allow-Origin"] == page["Origin"]
    assert answer.headers["Access-Control-Allow-Origin"] == page["Origin"]
    assert other.status_code == 403


async def test_without_pages_of_its_own_no_browser_may_read_an_answer(guarded: Guarding) -> None:
    with anyio.fail_after(20):
        async with guarded() as server, server.http("alice") as client:
            answer = await client.get("/nothing", headers={"Origin": server.url})
    assert "Access-Control-Allow-Origin" not in answer.headers


def asked(host: str, reached: str, **headers: str) -> Request:
    named = {"host": host, **headers}
    raw = [(name.encode(), value.encode()) for name, value in named.items()]
    return Request({"type": "http", "headers": raw, "server": (reached, 8000)})


@pytest.mark.parametrize(
    ("host", "reached", "let_in"),
    [
        ("192.168.1.5:8000", "192.168.1.5", True),
        ("192.168.1.5:8000", "::ffff:192.168.1.5", True),
        ("[2001:db8::1]:8000", "2001:db8::1", True),
        ("192.168.1.6:8000", "192.168.1.5", False),
        ("rebound.example:8000", "192.168.1.5", False),
    ],
)
def test_an_address_that_was_reached_is_a_name_that_nobody_can_point_here(
    host: str, reached: str, let_in: bool
) -> None:
    refusal = Address("0.0.0.0", 8000).refusal(asked(host, reached))
    assert (refusal is None) == let_in


def test_large_headers_are_refused_before_anything_else() -> None:
    refusal = Address("127.0.0.1", 8000).refusal(asked("127.0.0.1", "127.0.0.1", cookie="x" * 20_000))
    assert refusal is not None
    assert refusal.status_code == 431


async def test_with_tokens_other_machines_may_be_served(guarded: Guarding, monkeypatch: pytest.MonkeyPatch) -> None:
    def everywhere(_: str, port: int) -> socket.socket:
        return listen("0.0.0.0", port, guarded=True)

    monkeypatch.setattr("tests.mcp_server.conftest.listen", everywhere)
    with anyio.fail_after(20):
        async with guarded() as server, server.http("alice") as client:
            assert (await client.get("/nothing")).status_code == 404
            assert (await client.get("/nothing", headers={"Host": "0.0.0.0"})).status_code in (404, 421)
            assert (await client.get("/nothing", headers={"Host": "evil.example"})).status_code == 421


async def test_a_socket_that_others_reach_is_never_served_without_tokens(
    factory: Callable[[], AbstractAsyncContextManager[Application]],
) -> None:
    async def never() -> None:
        raise AssertionError("it serves")

    listening = listen("0.0.0.0", 0, guarded=True)
    with anyio.fail_after(20), pytest.raises(ConfigurationError, match="no tokens keep strangers out"):
        await serve_http(factory, listening, lambda _: None, never)
    with socket.socket() as other, pytest.raises(OSError):  # noqa: PT011 - its words are the system's
        other.connect(("127.0.0.1", 1))
