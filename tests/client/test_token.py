"""The client comes with a token, and is told in words when it has none."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import anyio
import pytest

from gleitzeit import GleitzeitClient
from gleitzeit.application import open_application
from gleitzeit.config import load_configuration
from gleitzeit.core.errors import ForbiddenError, LimitError
from gleitzeit.mcp_server.access.tokens import hash_of, new_token
from gleitzeit.mcp_server.address import listen
from gleitzeit.mcp_server.http import serve_http
from gleitzeit.registry import ProtocolProviderRegistry

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def server(home: Path, token: str, **limits: int) -> AsyncGenerator[str]:
    entry = {"name": "me", "hash": hash_of(token), "scopes": ["workflows:read"]}
    config = load_configuration(
        environ={"GLEITZEIT_HOME": str(home)}, overrides={"server.tokens": [entry], "limits": limits}
    )
    stop, listening = anyio.Event(), listen("127.0.0.1", 0)
    async with anyio.create_task_group() as tasks:
        registry = ProtocolProviderRegistry()
        opening = partial(open_application, config, registry=registry)
        tasks.start_soon(serve_http, opening, listening, list[str]().append, stop.wait)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        stop.set()


@pytest.mark.parametrize("path", ["/mcp", "/sse"])
async def test_a_token_opens_the_server_and_none_or_a_wrong_one_is_told(
    tmp_path: Path, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = new_token()
    with anyio.fail_after(30):
        async with server(tmp_path, token) as url:
            async with GleitzeitClient(mode="mcp", url=url + path, token=token) as client:
                assert (await client.list_runs()).runs == []
                with pytest.raises(ForbiddenError, match="workflows:run"):
                    await client.submit_workflow({"tasks": [{"id": "a", "method": "no/thing"}]})
            for wrong in (None, new_token()):
                with pytest.raises(ForbiddenError, match="without a token that it knows") as refusal:
                    async with GleitzeitClient(mode="mcp", url=url + path, token=wrong):
                        raise AssertionError("it is let in")
                assert "GLEITZEIT_TOKEN" in (refusal.value.hint or "")
            monkeypatch.setenv("GLEITZEIT_TOKEN", token)
            async with GleitzeitClient(mode="mcp", url=url + path) as client:
                assert (await client.list_runs()).runs == []


async def list_often(client: GleitzeitClient) -> None:
    for _ in range(5):
        await client.list_runs()


async def test_too_many_requests_are_told_as_a_limit(tmp_path: Path) -> None:
    token = new_token()
    with anyio.fail_after(30):
        async with (
            server(tmp_path, token, caller_rate=4) as url,
            GleitzeitClient(mode="mcp", url=f"{url}/mcp", token=token) as client,
        ):
            with pytest.raises(LimitError) as refusal:
                await list_often(client)
    assert refusal.value.retryable
