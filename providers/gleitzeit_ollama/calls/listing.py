"""What is where: the models of all nodes, and how each node stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gleitzeit_ollama.pool.base import NodeReport, Pool, full_name
from gleitzeit_ollama.wire.refusals import START

_DETAILS = ("family", "parameter_size", "quantization_level", "context_length", "embedding_length")


async def models(pool: Pool, aliases: Mapping[str, str]) -> dict[str, Any]:
    """The result of `llm/models`, where `aliases` are the names that the configuration has for models."""
    reports = await pool.look()
    found = _models(reports, aliases)
    result: dict[str, Any] = {"models": found, "count": len(found), "nodes": [_node(report) for report in reports]}
    hint = _hint(reports, found)
    return result if hint is None else {**result, "hint": hint}


def _models(reports: Sequence[NodeReport], aliases: Mapping[str, str]) -> list[dict[str, Any]]:
    rows: dict[str, dict[str, Any]] = {}
    for report in reports:
        for model in report.models:
            name = str(model.get("name"))
            row = rows.setdefault(name, _row(name, model, aliases))
            row["nodes"].append(report.node)
            if model.get("loaded"):
                row["loaded"].append(report.node)
    return [rows[name] for name in sorted(rows)]


def _row(name: str, model: Mapping[str, Any], aliases: Mapping[str, str]) -> dict[str, Any]:
    return {
        "name": name,
        "size": model.get("size"),
        "nodes": [],
        "loaded": [],
        "aliases": [alias for alias, meant in aliases.items() if full_name(meant) == full_name(name)],
        "digest": model.get("digest"),
        "details": {key: model[key] for key in _DETAILS if key in model},
    }


def _node(report: NodeReport) -> dict[str, Any]:
    return {
        "node": report.node,
        "state": report.state,
        "version": report.version,
        "error": report.error,
        "weight": report.weight,
        "max_parallel": report.max_parallel,
        "in_flight": dict(report.in_flight),
        "service_seconds": {model: round(seconds, 3) for model, seconds in report.service_seconds.items()},
        "models": [str(model.get("name")) for model in report.models],
        "loaded": [str(model.get("name")) for model in report.models if model.get("loaded")],
    }


def _hint(reports: Sequence[NodeReport], found: Sequence[Mapping[str, Any]]) -> str | None:
    if not any(report.state in ("healthy", "trial") for report in reports):
        return f"no Ollama answers: {START}"
    return None if found else "no node has a model: run `ollama pull llama3.2`"
