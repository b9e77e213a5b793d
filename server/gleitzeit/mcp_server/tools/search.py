"""Finding methods, and seeing how their providers and the downstream servers stand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import anyio

from gleitzeit.core.errors import GleitzeitError
from gleitzeit.core.protocol import MethodSpec
from gleitzeit.mcp_server.tools.answer import Answer, compact, fitting, plain
from gleitzeit.mcp_server.tools.call import Call
from gleitzeit.mcp_server.tools.ranking import ranked

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
        return await _overview(application, specs, call.budget)
    candidates = [spec for spec in specs if not provider or _belongs(spec, provider, application)]
    return _matches(call, ranked(query, candidates) if query else candidates)


def _matches(call: Call, found: list[MethodSpec]) -> Answer:
    detail = call.arguments["detail"]
    shown = fitting([_told(spec, detail, call.application) for spec in found[: call.arguments["limit"]]], call.budget)
    lines = [_line(method) for method in shown]
    if not found:
        lines = ["No method fits. search_methods without query and provider gives an overview."]
    elif len(shown) < len(found):
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


async def _overview(application: Application, specs: list[MethodSpec], budget: int) -> Answer:
    with anyio.move_on_after(_HEALTH):
        await application.check_health()
    counts = Counter(application.provider_of(spec.name) for spec in specs)
    providers = [
        {
            "provider": state.provider_id,
            "protocol": state.protocol_id,
            "state": state.state,
            "methods": counts[state.provider_id],
            **({"error": state.error} if state.error else {}),
        }
        for state in application.providers()
    ]
    servers = await _servers(application)
    names = fitting([{"method": spec.name} for spec in specs], budget // 2)
    lines = [
        f"{len(specs)} methods.",
        *(f"provider {compact(provider)}" for provider in providers),
        *(f"server {compact(server)}" for server in servers),
        f"Methods: {', '.join(name['method'] for name in names)}{', …' if len(names) < len(specs) else ''}",
        "Next: search_methods with a query, or with a provider or server, shows what they do.",
    ]
    data = {"total": len(specs), "providers": providers, "servers": servers, "methods": names}
    return Answer("\n".join(lines), plain(data))


async def _servers(application: Application) -> list[dict[str, Any]]:
    try:
        return await application.servers()
    except GleitzeitError as error:
        return [{"error": str(error)}]


def _belongs(spec: MethodSpec, provider: str, application: Application) -> bool:
    prefix = provider.removesuffix("/*").removesuffix("/")
    return spec.name.startswith((f"{prefix}/", f"mcp/tool.{prefix}.")) or application.provider_of(spec.name) == provider


def _first_sentence(text: str) -> str:
    first = text.strip().split("\n", 1)[0]
    sentence = first.split(". ", 1)[0]
    return sentence if len(sentence) <= _PROMISE else f"{sentence[:_PROMISE]}…"
