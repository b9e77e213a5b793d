"""Finding methods, and seeing how their providers and the downstream servers stand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread

from gleitzeit.core.diagnostics import did_you_mean
from gleitzeit.core.errors import GleitzeitError
from gleitzeit.core.protocol import MethodSpec
from gleitzeit.mcp_server.rendering.answer import Answer, compact, cut, fitting, plain
from gleitzeit.mcp_server.tools.call import Call
from gleitzeit.mcp_server.tools.ranking import nearest_name, ranked

if TYPE_CHECKING:  # at run time the call brings it
    from gleitzeit.application import Application

_HEALTH = 3.0
_PROMISE = 200


async def search_methods(call: Call) -> Answer:
    """Methods that fit the query, or an overview where there is none."""
    query, provider = call.arguments["query"].strip(), call.arguments.get("provider")
    application = call.application
    specs = await application.methods()
    if not query and not provider:
        return await _overview(call, specs)
    candidates = [spec for spec in specs if not provider or _belongs(spec, provider, application)]
    # Many words about many methods take a while, which should hold up nobody else.
    found = await anyio.to_thread.run_sync(ranked, query, candidates) if query else candidates
    return _matches(call, found) if found else await _nothing(call, candidates)


async def _nothing(call: Call, candidates: list[MethodSpec]) -> Answer:
    """What else there is where no method fits: names like it, and servers whose tools nobody knows yet."""
    query, provider = call.arguments["query"].strip(), call.arguments.get("provider")
    servers = await _servers(call.application)
    lines = [f'No method fits "{cut(query or provider or "", _PROMISE)}".']
    if provider and not candidates:
        known = [state.provider_id for state in call.application.providers()]
        hint = did_you_mean(provider, [*known, *(str(server.get("name")) for server in servers)])
        lines = [
            f'There is no provider, prefix or server "{cut(provider, _PROMISE)}" with methods. {hint or ""}'.strip()
        ]
    elif (near := nearest_name(query, candidates)) is not None:
        lines.append(f'Did you mean "{near}"?')
    down = [server for server in servers if server.get("state") not in (None, "ready", "degraded")]
    lines += [f"The server {server['name']} is {server['state']}: {server.get('last_error') or ''}" for server in down]
    lines.append("search_methods without query and provider gives an overview.")
    return Answer(cut("\n".join(lines), call.budget), {"methods": [], "total": 0})


def _matches(call: Call, found: list[MethodSpec]) -> Answer:
    detail = call.arguments["detail"]
    shown = fitting([_told(spec, detail, call.application) for spec in found[: call.arguments["limit"]]], call.budget)
    lines = [_line(method) for method in shown]
    if len(shown) < len(found):
        lines.append(f"{len(found) - len(shown)} more fit; ask more precisely, or raise limit.")
    return Answer("\n".join(lines), plain({"methods": shown, "total": len(found)}))


def _told(spec: MethodSpec, detail: str, application: Application) -> dict[str, Any]:
    told: dict[str, Any] = {"method": spec.name}
    if detail == "name":
        return told
    told["description"] = spec.description if detail == "schema" else _first_sentence(spec.description)
    told["provider"] = application.provider_of(spec.name)
    told["read_only"] = spec.read_only
    if spec.capabilities:
        told["capabilities"] = list(spec.capabilities)
    if detail == "schema":
        told["parameters"] = dict(spec.parameters)
        if spec.returns is not None:
            told["returns"] = dict(spec.returns)
    return told


def _line(method: Mapping[str, Any]) -> str:
    if "description" not in method:
        return str(method["method"])
    marks = [*(["read-only"] if method["read_only"] else ()), *method.get("capabilities", ())]
    marked = f" ({', '.join(marks)})" if marks else ""
    lines = [f"{method['method']}{marked}: {method['description'] or 'no description'}"]
    lines += [f"  {key}: {compact(method[key])}" for key in ("parameters", "returns") if key in method]
    return "\n".join(lines)


async def _overview(call: Call, specs: list[MethodSpec]) -> Answer:
    application, budget = call.application, call.budget
    with anyio.move_on_after(_HEALTH):
        await application.check_health()
    providers, servers = _providers(application, specs), await _servers(application)
    saved = [each.name for each in await application.saved.list(caller=call.caller.name)]
    workflows = [name["workflow"] for name in fitting([{"workflow": name} for name in saved], budget // 8)]
    names = fitting([{"method": spec.name} for spec in specs], budget // 2)
    more = ", …" if len(workflows) < len(saved) else ""
    lines = [
        f"{len(specs)} methods.",
        *(f"provider {compact(provider)}" for provider in providers),
        *(f"server {compact(server)}" for server in servers),
        f"Methods: {', '.join(name['method'] for name in names)}{', …' if len(names) < len(specs) else ''}",
        *([f"Saved workflows, for submit_workflow with name: {', '.join(workflows)}{more}"] if saved else ()),
        "Next: search_methods with a query, or with a provider or server, shows what they do.",
    ]
    data = {"total": len(specs), "providers": providers, "servers": servers, "methods": names, "workflows": workflows}
    return Answer("\n".join(lines), plain(data))


def _providers(application: Application, specs: list[MethodSpec]) -> list[dict[str, Any]]:
    counts = Counter(application.provider_of(spec.name) for spec in specs)
    return [
        {
            "provider": state.provider_id,
            "protocol": state.protocol_id,
            "state": state.state,
            "methods": counts[state.provider_id],
            **({"error": state.error} if state.error else {}),
        }
        for state in application.providers()
    ]


async def _servers(application: Application) -> list[dict[str, Any]]:
    try:
        return await application.servers()
    except GleitzeitError as error:
        return [{"error": str(error)}]


def _belongs(spec: MethodSpec, provider: str, application: Application) -> bool:
    prefix = provider.removesuffix("/*").removesuffix("/")
    named = any(name.startswith((f"{prefix}/", f"mcp/tool.{prefix}.")) for name in application.allowed_names(spec.name))
    return named or application.provider_of(spec.name) == provider


def _first_sentence(text: str) -> str:
    first = text.strip().split("\n", 1)[0]
    sentence = first.split(". ", 1)[0]
    return sentence if len(sentence) <= _PROMISE else f"{sentence[:_PROMISE]}…"
