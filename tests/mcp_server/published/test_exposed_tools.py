"""Tools of downstream servers that `server.expose_tools` names are tools of ours, and answer as they do there."""

from __future__ import annotations

import re
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import mcp_types as types
import pytest
import yaml
from mcp import Client
from mcp.shared.exceptions import MCPError
from tests.mcp_server.conftest import Connect, text_of
from tests.mcp_server.published.gallery import LINK, PICTURE
from tests.mcp_server.published.listeners import Heard
from tests.mcp_server.published.test_saved_workflows_as_tools import published

from gleitzeit.application import Application
from gleitzeit.mcp_server.face import open_face
from gleitzeit.mcp_server.server import build_server

pytestmark = pytest.mark.anyio

Factory = Callable[[], AbstractAsyncContextManager[Application]]
Expose = Callable[..., None]

ROOT = Path(__file__).parents[3]
GALLERY = f"import sys; sys.path.append({str(ROOT)!r}); from {__package__}.gallery import server; server.serve()"


@pytest.fixture
def expose(home: Path, monkeypatch: pytest.MonkeyPatch) -> Expose:
    """Writes a configuration with a gallery, what of it is exposed, and further sections."""
    monkeypatch.setenv("GLEITZEIT_HOME", str(home))  # where the hub remembers tools

    def write(*globs: str, prefix: str | None = None, **sections: Any) -> None:
        gallery = {"name": "gallery", "command": sys.executable, "args": ["-S", "-c", GALLERY]}
        servers = [{**gallery, **({"tool_prefix": prefix} if prefix else {})}]
        written = yaml.safe_load((home / "config.yaml").read_text())
        given = {"mcp": {"servers": servers}, "server": {"expose_tools": list(globs)}, **sections}
        (home / "config.yaml").write_text(yaml.safe_dump({**written, **given}))

    return write


@asynccontextmanager
async def connected(factory: Factory, **options: Any) -> AsyncGenerator[Client]:
    async with open_face(factory) as face, Client(build_server(face), cache=None, **options) as client:
        yield client


async def test_their_answers_are_passed_on_as_they_come(connect: Connect, expose: Expose) -> None:
    expose("gallery.show", "gallery.count", "gallery.refuse")
    with anyio.fail_after(30):
        async with connect() as client:
            tools = await published(client)
            shown = await client.call_tool("gallery__show", {})
            counted = await client.call_tool("gallery__count", {"n": 3})
            refused = await client.call_tool("gallery__refuse", {})
            wrong = await client.call_tool("gallery__count", {"n": "three"})
    assert list(tools) == ["gallery__count", "gallery__refuse", "gallery__show"]
    assert tools["gallery__count"].output_schema is None
    blocks = [block.model_dump(mode="json", by_alias=True, exclude_none=True) for block in shown.content]
    assert blocks == [{"type": "text", "text": "A picture:"}, PICTURE, LINK]
    assert (shown.structured_content, shown.is_error) == (None, False)
    assert (shown.meta or {})["gallery/room"] == 3
    assert (text_of(counted), counted.structured_content) == ("it is 3", {"n": 3})
    assert (text_of(refused), refused.is_error) == ("The gallery is closed.", True)
    assert wrong.is_error
    assert "n: must be a whole number" in text_of(wrong)


async def test_they_say_whose_they_are_and_how_safe(factory: Factory, expose: Expose) -> None:
    expose("*")
    async with connected(factory) as client:
        tools = await published(client)
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name) for name in tools)
    assert len(tools) == 10
    show, never = tools["gallery__show"], tools["gallery__never"]
    assert (show.title, show.description) == ("Show it", 'Tool "show" of the MCP server "gallery". Shows[8m a picture.')
    assert show.annotations == types.ToolAnnotations(read_only_hint=True)
    assert never.annotations == types.ToolAnnotations(destructive_hint=False, open_world_hint=False)
    assert tools["gallery__count"].input_schema["required"] == ["n"]


@pytest.mark.parametrize("prefix", [None, "art."])
@pytest.mark.parametrize(
    ("globs", "names"),
    [
        (["gallery.c*"], {"count"}),
        (["mcp/tool.gallery.count", "gallery.re?use"], {"count", "refuse"}),
        (["other.*", "count", "probe/*", "llm/*"], set[str]()),
        ([], set[str]()),
    ],
)
async def test_globs_name_them_as_methods_are_named(
    factory: Factory, expose: Expose, globs: list[str], names: set[str], prefix: str | None
) -> None:
    expose(*(glob.replace("gallery.c", "art.c") if prefix else glob for glob in globs), prefix=prefix)
    async with connected(factory) as client:
        found = await published(client)
        bare = {"count"} if "count" in globs and prefix is None else set[str]()
        assert {name.removeprefix("gallery__") for name in found} == names | bare
        with pytest.raises(MCPError, match="unknown tool"):
            await client.call_tool("gallery__large", {"n": 1})


async def test_what_the_policy_denies_is_not_there_by_any_name(factory: Factory, expose: Expose) -> None:
    expose("*", prefix="art.", policy={"deny": ["mcp/tool.art.c*", "mcp/tool.gallery.refuse"]})
    async with connected(factory) as client:
        assert not {"gallery__count", "gallery__refuse"} & set(await published(client))
        for name in ("gallery__count", "gallery__refuse"):
            with pytest.raises(MCPError, match="unknown tool"):
                await client.call_tool(name, {"n": 1})


async def test_names_that_no_host_likes_are_made_safe_and_lead_to_the_tool(factory: Factory, expose: Expose) -> None:
    expose("*")
    async with connected(factory) as client:
        named = {tool.description: name for name, tool in (await published(client)).items()}
        odd = named['Tool "rooms/odd one" of the MCP server "gallery".']
        long = named[f'Tool "{"a" * 80}" of the MCP server "gallery".']
        assert re.fullmatch(r"gallery__rooms_odd_one_[0-9a-f]{8}", odd)
        assert re.fullmatch(r"gallery__a{46}_[0-9a-f]{8}", long)
        answer = await client.call_tool(odd, {})
        assert text_of(answer) == '{"type":"smell","of":"paint"}'
        assert text_of(await client.call_tool(long, {})) == "A picture:"


async def test_large_words_are_shortened_and_the_rest_can_be_read(factory: Factory, expose: Expose) -> None:
    expose("*", limits={"result_tokens": 500})
    async with connected(factory) as client:
        answer = await client.call_tool("gallery__large", {"n": 10_000})
        assert len(text_of(answer)) < 4_000
        assert answer.structured_content is not None
        assert "read_result" in answer.structured_content["next"]
        assert text_of(await client.call_tool("gallery__large", {"n": 1_000})) == "x" * 1_000


async def test_one_that_takes_long_goes_on_as_a_run(
    factory: Factory, expose: Expose, monkeypatch: pytest.MonkeyPatch
) -> None:
    expose("*")

    def impatient(_tool: str) -> dict[str, Any]:
        return {"timeout_seconds": 0.05}

    monkeypatch.setattr("gleitzeit.mcp_server.dispatch._defaults", impatient)
    async with connected(factory) as client:
        answer = await client.call_tool("gallery__never", {})
        assert answer.structured_content is not None
        assert answer.structured_content["status"] in ("pending", "running")
        run_id = answer.structured_content["run_id"]
        stopped = await client.call_tool("cancel_run", {"run_id": run_id})
        assert stopped.structured_content is not None
        assert stopped.structured_content["status"] == "cancelled"


async def test_a_new_tool_of_a_server_is_told_and_listed(factory: Factory, expose: Expose) -> None:
    expose("gallery.[hn]*")
    heard = Heard()
    with anyio.fail_after(30):
        async with connected(factory, mode="legacy", message_handler=heard) as client:
            assert set(await published(client)) == {"gallery__hang", "gallery__never"}
            await client.call_tool("gallery__hang", {"name": "newest"})
            while "gallery__newest" not in await published(client):
                assert await heard.next() == "tools"


async def test_servers_that_do_not_come_up_cost_only_their_own_tools(
    factory: Factory, expose: Expose, home: Path
) -> None:
    expose("*")
    written = yaml.safe_load((home / "config.yaml").read_text())
    written["mcp"]["servers"].append({"name": "gone", "command": str(home / "no-such-program")})
    (home / "config.yaml").write_text(yaml.safe_dump(written))
    async with connected(factory) as client:
        assert len(await published(client)) == 10
