"""`gleitzeit methods`: what workflows can call."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import anyio
import typer

from gleitzeit.application import open_application
from gleitzeit.cli.chosen_configuration import configured
from gleitzeit.cli.options import ConfigOption, JsonOption
from gleitzeit.cli.output import json_text, kept_for_results, print_json, print_result, say
from gleitzeit.cli.problems import say_hint
from gleitzeit.config import Configuration
from gleitzeit.core.diagnostics import did_you_mean
from gleitzeit.core.errors import MethodNotFoundError
from gleitzeit.core.protocol import MethodSpec
from gleitzeit.registry import ProviderOverview
from gleitzeit.store.memory import MemoryStore

QueryArgument = Annotated[str, typer.Argument(metavar="[QUERY]", help="Words to look for in names and descriptions.")]
ProviderOption = Annotated[str | None, typer.Option(help="Only methods of this provider or prefix.")]
SchemaOption = Annotated[bool, typer.Option("--schema", help="With parameters and results as JSON Schema.")]


@dataclass(frozen=True, slots=True)
class _Served:
    """A method and the provider that would get it."""

    spec: MethodSpec
    provider: str

    def fits(self, words: Sequence[str], provider: str | None) -> bool:
        text = f"{self.spec.name} {self.spec.description}".lower()
        ours = provider is None or provider in (self.provider, self.spec.name.split("/", 1)[0])
        return ours and all(word in text for word in words)


def methods(
    query: QueryArgument = "",
    provider: ProviderOption = None,
    with_schema: SchemaOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the methods that workflows can call."""
    configuration = configured(config)
    with kept_for_results():
        served, overview, servers = anyio.run(_collect, configuration)
    _say_failures(overview, servers)
    found = [method for method in served if method.fits(query.lower().split(), provider)]
    if not found and (query or provider):
        raise _nothing(query, provider, served, overview)
    if as_json:
        print_json({"methods": [_data(method, with_schema) for method in found], "count": len(found)})
    else:
        _print_methods(found, with_schema)


async def _collect(
    configuration: Configuration,
) -> tuple[list[_Served], list[ProviderOverview], list[dict[str, Any]]]:
    async with open_application(configuration, store=MemoryStore(), recover=False) as application:
        specs = await application.methods()
        served = [_Served(spec, application.provider_of(spec.name) or "") for spec in specs]
        return served, application.providers(), await application.servers()


def _say_failures(overview: Iterable[ProviderOverview], servers: Iterable[dict[str, Any]]) -> None:
    for server in servers:
        if server.get("last_error"):
            words = f": server {server['name']} is {server['state']}: {server['last_error']}"
            say(("warning", "bold yellow"), words)
            say_hint(server.get("hint"))
    for provider in overview:
        if provider.error:
            say(("warning", "bold yellow"), f": provider {provider.provider_id} is {provider.state}: {provider.error}")


def _nothing(
    query: str, provider: str | None, served: Sequence[_Served], overview: Iterable[ProviderOverview]
) -> MethodNotFoundError:
    if provider is not None and not any(method.fits((), provider) for method in served):
        known = sorted(
            {entry.provider_id for entry in overview} | {method.spec.name.split("/")[0] for method in served}
        )
        hint = did_you_mean(provider, known) or f"there are {', '.join(known)}"
        return MethodNotFoundError(f'no method is served by "{provider}"', hint=hint)
    guess = did_you_mean(query, [method.spec.name for method in served])
    return MethodNotFoundError(f'no method fits "{query}"', hint=guess or "`gleitzeit methods` lists all of them")


def _print_methods(found: Sequence[_Served], with_schema: bool) -> None:
    width = max((len(method.spec.name) for method in found), default=0)
    for method in found:
        summary = method.spec.description.strip().partition("\n")[0]
        marks = f"[{', '.join(method.spec.capabilities)}]" if method.spec.capabilities else ""
        print_result(" ".join(part for part in (f"{method.spec.name:<{width}} ", summary, marks) if part).rstrip())
        if with_schema:
            print_result("\n".join(f"    {line}" for line in json_text(_schemas(method.spec)).splitlines()))


def _data(method: _Served, with_schema: bool) -> dict[str, Any]:
    spec = method.spec
    data: dict[str, Any] = {
        "name": spec.name,
        "description": spec.description,
        "provider": method.provider,
        "read_only": spec.read_only,
        "idempotent": spec.idempotent,
        "capabilities": list(spec.capabilities),
    }
    return {**data, **_schemas(spec)} if with_schema else data


def _schemas(spec: MethodSpec) -> dict[str, Any]:
    parameters = {"parameters": dict(spec.parameters)}
    return parameters if spec.returns is None else {**parameters, "returns": dict(spec.returns)}
