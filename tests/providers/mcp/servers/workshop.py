"""A server of the SDK that uses what the modern era brings: tasks, questions in rounds, streams of changes."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Annotated, Any

import anyio
from mcp import MCPError
from mcp.server import MCPServer
from mcp.server.mcpserver import Context, Elicit, Resolve
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import BaseModel
from tests.providers.mcp.servers.jobs import Asked, Job, Jobs


class Name(BaseModel):
    """The first answer."""

    name: str


class Age(BaseModel):
    """The second answer."""

    years: int


def _text(words: str, **structured: Any) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": words}], "structuredContent": {"words": words, **structured}}


def _question(message: str, field: str, kind: str) -> dict[str, Any]:
    schema = {"type": "object", "properties": {field: {"type": kind}}, "required": [field]}
    params = {"mode": "form", "message": message, "requestedSchema": schema}
    return {"method": "elicitation/create", "params": params}


async def _build(job: Job) -> dict[str, Any]:
    for number in range(1, job.arguments["parts"] + 1):
        job.say(f"part {number}")
        await anyio.sleep(0.1)
    return _text("built", parts=job.arguments["parts"])


async def _break(job: Job) -> dict[str, Any]:
    job.say("about to break")
    raise MCPError(code=-32050, message="the saw is blunt")


async def _spoil(_job: Job) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": "the wood is wet"}], "isError": True}


async def _commission(job: Job) -> dict[str, Any]:
    wood: Asked = {"wood": _question("Which wood?", "wood", "string")}
    size: Asked = {"height": _question("How high?", "cm", "number"), "width": _question("How wide?", "cm", "number")}
    answers = {**await job.ask(wood), **await job.ask(size)}
    said = {key: answer.get("content", answer["action"]) for key, answer in answers.items()}
    return _text("commissioned", said=said)


async def _wait(job: Job) -> dict[str, Any]:
    job.say("waiting")
    try:
        await anyio.sleep_forever()
    finally:
        os.close(os.open(job.arguments["cancelled"], os.O_CREAT))
    raise AssertionError


jobs = Jobs({"build": _build, "break": _break, "spoil": _spoil, "commission": _commission, "wait": _wait})
server = MCPServer("workshop", extensions=[jobs], lifespan=jobs.lifespan)


def _only_as_task(name: str, parameters: str | None = None) -> None:
    """Offer a tool that clients without tasks can't use."""

    def with_number(parts: int) -> str:
        raise ToolError(f"{name} needs a client that knows tasks")

    def with_path(cancelled: str) -> str:
        raise ToolError(f"{name} needs a client that knows tasks")

    def plain() -> str:
        raise ToolError(f"{name} needs a client that knows tasks")

    tools: dict[str | None, Callable[..., str]] = {"number": with_number, "path": with_path, None: plain}
    server.add_tool(tools[parameters], name=name, structured_output=False)


_only_as_task("build", "number")
_only_as_task("break")
_only_as_task("spoil")
_only_as_task("commission")
_only_as_task("wait", "path")


async def _ask_name() -> Elicit[Name]:
    return Elicit("What is your name?", Name)


async def _ask_age(name: Annotated[Name, Resolve(_ask_name)]) -> Elicit[Age]:
    return Elicit(f"How old are you, {name.name}?", Age)


@server.tool()
def introduce(
    name: Annotated[Name, Resolve(_ask_name)], age: Annotated[Age, Resolve(_ask_age)]
) -> dict[str, str | int]:
    """Ask for a name, and then for an age."""
    return {"name": name.name, "years": age.years}


@server.tool()
async def count(limit: int, ctx: Context) -> dict[str, int]:
    """Count, and tell each number."""
    for number in range(1, limit + 1):
        await ctx.report_progress(number, limit, f"at {number}")
    return {"counted": limit}


@server.tool()
async def learn(name: str, ctx: Context) -> str:
    """Have one more tool, prompt and resource from now on."""

    def use() -> str:
        """What was learnt."""
        return f"used {name}"

    server.add_tool(use, name=name, structured_output=False)
    await ctx.notify_tools_changed()
    return name


@server.resource("workshop://rules")
def rules() -> str:
    """What holds here."""
    return "Sweep before you leave."


@server.resource("workshop://tools/{name}")
def described(name: str) -> str:
    """A tool of the other kind."""
    return f"a {name}"


@server.prompt()
def order(thing: str, pieces: str = "one") -> str:
    """Order something."""
    return f"Make {pieces} {thing}."


if __name__ == "__main__":
    server.run()
