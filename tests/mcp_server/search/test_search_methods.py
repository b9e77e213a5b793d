"""Finding methods by the tool: an overview, words, providers, and what to do where nothing is found."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
import yaml
from mcp import Client
from tests.mcp_server.conftest import text_of
from tests.mcp_server.published.test_exposed_tools import Expose, expose
from tests.mcp_server.published.test_saved_workflows_as_tools import save, writing

from gleitzeit.application import Application
from gleitzeit.mcp_server.face import open_face
from gleitzeit.mcp_server.server import build_server

pytestmark = pytest.mark.anyio

__all__ = ["expose"]


@pytest.fixture
async def client(
    factory: Callable[[], AbstractAsyncContextManager[Application]], expose: Expose, home: Path
) -> AsyncGenerator[Client]:
    """A client of a server with a gallery, whose tools are called `art.…`, and a server that does not come up."""
    expose(prefix="art.")
    written = yaml.safe_load((home / "config.yaml").read_text())
    written["mcp"]["servers"].append({"name": "gone", "command": str(home / "no-such-program")})
    (home / "config.yaml").write_text(yaml.safe_dump(written))
    async with open_face(factory) as face, Client(build_server(face), cache=None) as client:
        yield client


async def search(client: Client, **arguments: Any) -> tuple[str, dict[str, Any]]:
    answer = await client.call_tool("search_methods", arguments)
    assert not answer.is_error, text_of(answer)
    return text_of(answer), dict(answer.structured_content or {})


async def test_an_overview_has_the_state_of_all_that_there_is(client: Client) -> None:
    await save(client, writing("nightly"))
    text, data = await search(client)
    assert {provider["provider"] for provider in data["providers"]} >= {"probe", "mcp", "workflow"}
    assert {server["name"]: server["state"] for server in data["servers"]} == {"gallery": "ready", "gone": "failed"}
    assert {"method": "mcp/tool.art.count"} in data["methods"]
    assert data["workflows"] == ["nightly"]
    assert "nightly" in text


@pytest.mark.parametrize("provider", ["gallery", "art", "mcp"])
async def test_a_server_is_known_by_its_name_and_by_the_prefix_of_its_tools(client: Client, provider: str) -> None:
    _, data = await search(client, query="count", provider=provider)
    assert [method["method"] for method in data["methods"]] == ["mcp/tool.art.count"]


@pytest.mark.parametrize(
    ("detail", "keys"),
    [
        ("name", {"method"}),
        ("summary", {"method", "description", "provider", "read_only"}),
        ("schema", {"method", "description", "provider", "read_only", "parameters", "returns"}),
    ],
)
async def test_a_method_is_told_in_three_levels_of_detail(client: Client, detail: str, keys: set[str]) -> None:
    text, data = await search(client, query="mcp/tool.art.count", detail=detail, limit=1)
    (method,) = data["methods"]
    assert set(method) == keys
    assert "mcp/tool.art.count" in text


async def test_where_nothing_fits_it_says_what_is_near_and_what_is_not_up(client: Client) -> None:
    text, data = await search(client, query="cuont")
    assert 'Did you mean "mcp/tool.art.count"?' in text
    assert "The server gone is failed" in text
    assert data == {"methods": [], "total": 0}
    text, _ = await search(client, query="count", provider="galery")
    assert 'did you mean "gallery"?' in text


async def test_a_query_without_end_is_answered_like_any_other(client: Client) -> None:
    _, data = await search(client, query="count " + "word " * 100_000, limit=1)
    assert data["methods"][0]["method"] == "mcp/tool.art.count"
