"""Whether requests have a chance, and how each node stands."""

from __future__ import annotations

from typing import Any

from gleitzeit.core.errors import GleitzeitError
from gleitzeit_ollama.pool.base import NodeReport, Pool
from gleitzeit_ollama.wire.refusals import START


async def health(pool: Pool) -> dict[str, Any]:
    """`status` healthy where at least one node answers, its version, and all nodes; never raises."""
    try:
        reports = await pool.look()
    except GleitzeitError as error:
        return {"status": "unhealthy", "nodes": [], "error": error.message, "hint": error.hint}
    nodes = [_node(report) for report in reports]
    healthy = next((report for report in reports if report.state in ("healthy", "trial")), None)
    if healthy is not None:
        return {"status": "healthy", "version": healthy.version, "nodes": nodes}
    problems = "; ".join(f"{report.error or f'{report.node} is {report.state}'}" for report in reports)
    return {"status": "unhealthy", "nodes": nodes, "error": problems or "no Ollama was found", "hint": START}


def _node(report: NodeReport) -> dict[str, Any]:
    return {"node": report.node, "state": report.state, "version": report.version, "error": report.error}
