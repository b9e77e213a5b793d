"""What `gleitzeit doctor` says of Ollama: each node, each configured model, and what the environment says otherwise."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from gleitzeit.core.diagnostics import did_you_mean
from gleitzeit.core.findings import Finding
from gleitzeit_ollama.addresses import Endpoint
from gleitzeit_ollama.pool.base import NodeReport, Pool, full_name
from gleitzeit_ollama.settings import OllamaSettings
from gleitzeit_ollama.wire.refusals import START, WHERE

_SUBJECT = "ollama"
_ANSWERING = ("healthy", "trial")
_SHOWN = 8
_DIGEST = 12
_DEFAULT_PORT = 11434
_SCHEME_PORTS = {"http": 80, "https": 443}


async def examine(pool: Pool, settings: OllamaSettings, environment: Mapping[str, str] = os.environ) -> list[Finding]:
    """At first how the pool as a whole stands, then each node and whatever does not fit together."""
    reports = await pool.look()
    healthy = [report for report in reports if report.state in _ANSWERING]
    findings = [_whole(reports, healthy, settings), *map(_node, reports)]
    if healthy:
        findings += [*_missing(healthy, settings.models), *_unlike(healthy)]
    return findings + _elsewhere(reports, settings, environment)


def _whole(reports: Sequence[NodeReport], healthy: Sequence[NodeReport], settings: OllamaSettings) -> Finding:
    if not healthy:
        return Finding(_SUBJECT, "error", *_nowhere(reports, settings))
    models = {str(model.get("name")) for report in healthy for model in report.models}
    if not models:
        return Finding(_SUBJECT, "warning", "no node has a model", "run `ollama pull llama3.2`")
    return Finding(_SUBJECT, "ok", f"{len(healthy)} of {_count(len(reports), 'node')}, {_count(len(models), 'model')}")


def _nowhere(reports: Sequence[NodeReport], settings: OllamaSettings) -> tuple[str, str]:
    """Where no Ollama was found, and how to mend it."""
    ports = settings.discovered_ports
    if reports:
        fix = next((report.hint for report in reports if report.hint), START)
        return f"no Ollama answers at {_several([report.node for report in reports])}", fix
    if not ports:
        return "no node is configured, and none is looked for (providers.ollama.discovery)", WHERE
    return f"no Ollama answers on this machine, on the ports {ports[0]} to {ports[-1]}", START


def _node(report: NodeReport) -> Finding:
    subject = f"{_SUBJECT} node {report.node}"
    if report.state not in _ANSWERING:
        said = f"{report.state}: {report.error or 'it has not answered yet'}"
        return Finding(subject, "error", said, report.hint or START)
    facts = ", ".join(_facts(report))
    if report.state == "trial":
        fix = "look into its log; it gets requests again once it has answered one"
        return Finding(subject, "warning", f"trial, for it failed before: {facts}; {report.error}", fix)
    return Finding(subject, "ok", f"healthy: {facts}")


def _facts(report: NodeReport) -> Iterator[str]:
    loaded = sum(1 for model in report.models if model.get("loaded"))
    yield f"Ollama {report.version or 'of an unknown version'}"
    yield f"{_count(len(report.models), 'model')}, {loaded} loaded"
    if report.max_parallel is not None:
        yield f"{report.max_parallel} at once"
    if report.weight != 1:
        yield f"weight {report.weight:g}"
    busy = {model: count for model, count in report.in_flight.items() if count}
    yield "in flight: " + (", ".join(f"{count} of {model}" for model, count in sorted(busy.items())) or "nothing")
    for model, seconds in sorted(report.service_seconds.items()):
        yield f"{model} takes {seconds:.2g} s"


def _missing(healthy: Sequence[NodeReport], aliases: Mapping[str, str]) -> Iterator[Finding]:
    """The configured names whose model no node has."""
    there = sorted({str(model.get("name")) for report in healthy for model in report.models})
    known = {full_name(name) for name in there}
    for alias, model in aliases.items():
        if full_name(model) not in known:
            close = did_you_mean(model, (name.removesuffix(":latest") for name in there))
            fix = f"run `ollama pull {model}`{f', or correct it: {close}' if close else ''}"
            yield Finding(_SUBJECT, "error", f'models.{alias} is "{model}", which no node has', fix)


def _unlike(healthy: Sequence[NodeReport]) -> Iterator[Finding]:
    """Models that have one name and are not the same on all nodes: then the same call has unlike answers."""
    versions: dict[str, dict[Any, list[str]]] = {}
    for report in healthy:
        for model in report.models:
            if model.get("digest"):
                versions.setdefault(str(model.get("name")), {}).setdefault(model["digest"], []).append(report.node)
    for name, nodes in sorted(versions.items()):
        if len(nodes) > 1:
            shown = "; ".join(f"{str(digest)[:_DIGEST]} at {_several(at)}" for digest, at in nodes.items())
            fix = f"run `ollama pull {name}` on each of them"
            yield Finding(_SUBJECT, "warning", f"{name} is not the same on all nodes: {shown}", fix)


def _elsewhere(
    reports: Sequence[NodeReport], settings: OllamaSettings, environment: Mapping[str, str]
) -> list[Finding]:
    """That OLLAMA_HOST, which Ollama's own programs go by, is none of the nodes."""
    host = environment.get("OLLAMA_HOST", "").strip()
    if not host:
        return []
    try:
        meant = _place(host)
    except ValueError as error:
        return [Finding(_SUBJECT, "warning", f"OLLAMA_HOST is no address: {error}", "correct it, or unset it")]
    named = [report.node for report in reports] + [node.url for node in settings.nodes]
    if meant in map(_place, named):
        return []
    shown = Endpoint.parse(host).shown
    fix = f'set providers.ollama.endpoint to "{shown}" if that is the Ollama you mean'
    return [Finding(_SUBJECT, "warning", f"OLLAMA_HOST is {shown}, which is none of the nodes", fix)]


def _place(address: str) -> tuple[str, int]:
    """Host and port of an address as Ollama reads it, where all names of this machine are one."""
    endpoint = Endpoint.parse(address)
    parts = urlsplit(endpoint.url)
    port = parts.port or (_SCHEME_PORTS[parts.scheme] if "://" in address else _DEFAULT_PORT)
    return ("localhost" if endpoint.loopback else str(parts.hostname)), port


def _several(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
