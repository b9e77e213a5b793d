"""`gleitzeit config check`: whether the configuration can be used, and what it comes to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import anyio
import typer
import yaml

from gleitzeit.application import open_application
from gleitzeit.application.discovery import load_providers
from gleitzeit.application.stores import database_problem
from gleitzeit.cli import exits
from gleitzeit.cli.chosen_configuration import configured
from gleitzeit.cli.options import ConfigOption, JsonOption
from gleitzeit.cli.output import kept_for_results, print_json, print_result, say
from gleitzeit.cli.problems import say_error, say_hint
from gleitzeit.config import Configuration
from gleitzeit.core.findings import Finding
from gleitzeit.registry import ProtocolProviderRegistry, ProviderOverview
from gleitzeit.store.memory import MemoryStore

ConnectOption = Annotated[bool, typer.Option("--connect", help="Also start the providers and connect to each server.")]

_WELL = ("registered", "starting", "ready")
_CONNECTING = 30.0
_CONNECTED = ("ready", "degraded", "stopped")


def check(config: ConfigOption = None, connect: ConnectOption = False, as_json: JsonOption = False) -> None:
    """Check the configuration, and print what of it is not a default, or all of it as JSON; secrets are left out."""
    configuration = configured(config)
    with kept_for_results():
        overview, findings = anyio.run(_loaded, configuration)
        servers: list[dict[str, Any]] = []
        if connect:
            overview, servers = anyio.run(_connected, configuration)
    data = _data(configuration, overview, servers, everything=as_json)
    if as_json:
        print_json({**data, "findings": [finding.to_dict() for finding in findings]})
    else:
        print_result(yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=120))
    raise typer.Exit(_verdict(configuration, overview, servers, findings))


async def _loaded(configuration: Configuration) -> tuple[list[ProviderOverview], list[Finding]]:
    """How the providers stand before they are started, and what is wrong with their settings."""
    registry = ProtocolProviderRegistry.get_instance()
    load_providers(registry, configuration)
    found = await registry.examine_settings()
    return registry.overview(), [item for each in found.values() for item in each if item.level == "error"]


async def _connected(configuration: Configuration) -> tuple[list[ProviderOverview], list[dict[str, Any]]]:
    async with open_application(configuration, store=MemoryStore(), recover=False) as application:
        await application.methods()  # has every provider started
        await application.check_health()
        # What is remembered of a server from another time says nothing of how it is now.
        return application.providers(), await application.servers(_CONNECTING)


def _data(
    configuration: Configuration,
    overview: Sequence[ProviderOverview],
    servers: Sequence[dict[str, Any]],
    *,
    everything: bool,
) -> dict[str, Any]:
    states = [{key: value for key, value in asdict(provider).items() if value} for provider in overview]
    if not everything:
        states = [{key: state[key] for key in ("provider_id", "state", "error") if key in state} for state in states]
    data: dict[str, Any] = {"configuration": configuration.redacted(everything=everything), "providers": states}
    return {**data, "servers": list(servers)} if servers else data


def _verdict(
    configuration: Configuration,
    overview: Sequence[ProviderOverview],
    servers: Sequence[dict[str, Any]],
    findings: Sequence[Finding],
) -> int:
    """The exit code, and in words what it is for."""
    broken = [provider for provider in overview if provider.state not in _WELL]
    down = [server for server in servers if server["state"] not in _CONNECTED]
    for provider in broken:
        say(("error", "bold red"), f": provider {provider.provider_id} is {provider.state}: {provider.error or ''}")
    for finding in findings:
        say(("error", "bold red"), f": {finding.subject}: {finding.message}")
        say_hint(finding.fix)
    told = {finding.subject for finding in findings}
    for server in down:
        if f"server {server['name']}" in told:
            continue
        reason = server.get("last_error") or "no reason is known"
        say(("error", "bold red"), f": server {server['name']} is {server['state']}: {reason}")
        say_hint(server.get("hint"))
    database = database_problem(configuration)
    if database is not None:
        say_error(database)
    if broken or findings or database is not None:
        return exits.INVALID
    if down:
        return exits.UNREACHABLE
    place = configuration.path or f"no file at {configuration.home / 'config.yaml'}: defaults"
    say(("ok", "bold green"), f": {place}")
    return exits.OK
