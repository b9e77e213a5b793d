"""Resources and prompts of downstream servers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gleitzeit.core.data import is_list, is_object
from gleitzeit.core.diagnostics import did_you_mean
from gleitzeit.core.errors import GleitzeitError, NotFoundError
from gleitzeit.providers.base import TaskContext
from gleitzeit_mcp.failures import call_failure
from gleitzeit_mcp.forwarding.calls import Caller, remaining
from gleitzeit_mcp.hub import Hub
from gleitzeit_mcp.servers.connection import Connection
from gleitzeit_mcp.session.errors import METHOD_NOT_FOUND, RemoteError
from gleitzeit_mcp.session.pages import listed

_BOUNDED = 30.0


class Content:
    """Finds and fetches what servers offer beside tools."""

    def __init__(self, hub: Hub, caller: Caller) -> None:
        self._hub = hub
        self._caller = caller

    async def list_resources(self, server: str | None, task: TaskContext) -> dict[str, Any]:
        """The resources and templates for more, each with its server; servers that fail are told of in `problems`."""
        resources, problems = await self._everywhere("resources", "resources/list", server, task)
        templates, more = await self._everywhere(
            "resources", "resources/templates/list", server, task, "resourceTemplates"
        )
        told = list(dict.fromkeys([*problems, *more]))
        return {"resources": resources, "templates": templates, "count": len(resources), **_told(told)}

    async def list_prompts(self, server: str | None, task: TaskContext) -> dict[str, Any]:
        """The prompts, each with its server; servers that fail are told of in `problems`."""
        prompts, problems = await self._everywhere("prompts", "prompts/list", server, task)
        return {"prompts": prompts, "count": len(prompts), **_told(problems)}

    async def read_resource(self, uri: str, server: str | None, task: TaskContext) -> dict[str, Any]:
        """What a resource holds: `contents` as its server sends them, and the `text` of those that are text."""
        connection = await self._owner("resources", "resources/list", "uri", uri, server, task)
        result = await self._caller.request(connection, "resources/read", {"uri": uri}, task)
        contents = result.get("contents")
        blocks: Sequence[Any] = contents if is_list(contents) else ()
        texts = [str(block["text"]) for block in blocks if is_object(block) and "text" in block]
        return {"contents": list(blocks), "text": "\n".join(texts), "server": connection.server.name}

    async def get_prompt(
        self, name: str, arguments: Mapping[str, Any], server: str | None, task: TaskContext
    ) -> dict[str, Any]:
        """A prompt filled in: its `messages`, and its `description` if it has one."""
        connection = await self._owner("prompts", "prompts/list", "name", name, server, task)
        filled = {key: value if isinstance(value, str) else str(value) for key, value in arguments.items()}
        params = {"name": name, "arguments": filled}
        result = await self._caller.request(connection, "prompts/get", params, task)
        described = {"description": result["description"]} if result.get("description") else {}
        return {"messages": result.get("messages", []), **described, "server": connection.server.name}

    async def _everywhere(
        self, capability: str, method: str, server: str | None, task: TaskContext, key: str | None = None
    ) -> tuple[list[dict[str, Any]], list[str]]:
        entries: list[dict[str, Any]] = []
        problems: list[str] = []
        for connection in await self._hub.with_capability(capability, server, remaining(task)):
            try:
                found = await self._listed(connection, method, key or capability)
            except GleitzeitError as error:
                if server is not None:
                    raise
                problems.append(error.message)
            else:
                entries += [{**entry, "server": connection.server.name} for entry in found]
        return entries, problems

    async def _listed(self, connection: Connection, method: str, key: str) -> list[dict[str, Any]]:
        limit = connection.server.timeout or _BOUNDED
        try:
            entries = await listed(connection.line().session, method, key, limit)
        except RemoteError as error:
            if error.code == METHOD_NOT_FOUND:
                return []
            raise call_failure(f'server "{connection.server.name}": {method}', error, connection.redacted) from error
        return [entry for entry in entries if is_object(entry)]

    async def _owner(
        self, capability: str, method: str, key: str, wanted: str, server: str | None, task: TaskContext
    ) -> Connection:
        """The server that has it: the named one, the only one there is, or the one that lists it."""
        candidates = await self._hub.with_capability(capability, server, remaining(task))
        if len(candidates) == 1:
            return candidates[0]
        known: list[str] = []
        having: list[Connection] = []
        for connection in candidates:
            names = [str(entry.get(key)) for entry in await self._listed(connection, method, capability)]
            known += names
            if wanted in names:
                having.append(connection)
        if len(having) == 1:
            return having[0]
        choice = ", ".join(each.server.name for each in (having or candidates)) or "no server is up"
        problem = f'several servers have "{wanted}"' if having else f'no server lists "{wanted}"'
        hint = did_you_mean(wanted, known) if not having else None
        raise NotFoundError(problem, hint=hint or f"name the server: {choice}")


def _told(problems: list[str]) -> dict[str, Any]:
    return {"problems": problems} if problems else {}
