"""What `gleitzeit doctor` says of Ollama."""

from __future__ import annotations

from typing import Any

import pytest
from tests.providers.ollama.calls.memory_pool import MemoryPool

from gleitzeit.core.findings import Finding
from gleitzeit_ollama.dispatch.base import NodeState
from gleitzeit_ollama.examination import examine
from gleitzeit_ollama.pool.base import NodeReport
from gleitzeit_ollama.settings import OllamaSettings

pytestmark = pytest.mark.anyio

ONE = "http://localhost:11434"
TWO = "http://gpu.lan:11434"
TINY = {"name": "tiny:latest", "digest": "a" * 64, "loaded": True}
LARGE = {"name": "large:7b", "digest": "b" * 64, "loaded": False}


def report(
    node: str, *models: dict[str, Any], state: NodeState = "healthy", error: str | None = None, **facts: Any
) -> NodeReport:
    known: dict[str, Any] = {"weight": 1.0, "max_parallel": None, "in_flight": {}, "service_seconds": {}, **facts}
    return NodeReport(node, state, "0.5.4", error, models=models, **known)


async def found(*reports: NodeReport, environment: dict[str, str] | None = None, **settings: Any) -> list[Finding]:
    return await examine(MemoryPool(reports=reports), OllamaSettings(**settings), environment or {})


async def test_each_node_is_told_with_what_it_has_and_does() -> None:
    busy = report(
        ONE, TINY, LARGE, in_flight={"tiny:latest": 2}, service_seconds={"tiny:latest": 1.25}, max_parallel=4, weight=2
    )
    whole, first, second = await found(busy, report(TWO, LARGE))
    assert whole == Finding("ollama", "ok", "2 of 2 nodes, 2 models")
    assert first == Finding(
        f"ollama node {ONE}",
        "ok",
        "healthy: Ollama 0.5.4, 2 models, 1 loaded, 4 at once, weight 2, in flight: 2 of tiny:latest, "
        "tiny:latest takes 1.2 s",
    )
    assert second.message == "healthy: Ollama 0.5.4, 1 model, 0 loaded, in flight: nothing"


async def test_a_node_that_is_down_says_why_and_how_to_mend_it() -> None:
    whole, _, down = await found(report(ONE, TINY), report(TWO, state="down", error="nothing listens there"))
    assert (whole.level, whole.message) == ("ok", "1 of 2 nodes, 1 model")
    assert (down.level, down.message) == ("error", "down: nothing listens there")
    assert "ollama serve" in str(down.fix)


async def test_a_node_that_knows_what_mends_it_says_that() -> None:
    whole, down = await found(report(TWO, state="down", error="no Ollama", hint="say where it is"), endpoint=TWO)
    assert (whole.fix, down.fix) == ("say where it is", "say where it is")


async def test_a_node_that_is_tried_again_is_a_warning() -> None:
    _, trial = await found(report(ONE, TINY, state="trial", error="it answered 500"))
    assert trial.level == "warning"
    assert "it answered 500" in trial.message


async def test_no_node_at_all_says_where_was_looked_and_how_to_start_one() -> None:
    [whole] = await found()
    assert (whole.level, whole.message) == ("error", "no Ollama answers on this machine, on the ports 11434 to 11439")
    assert "ollama serve" in str(whole.fix)
    whole, _ = await found(report(TWO, state="down", error="refused"), endpoint=TWO)
    assert whole.message == f"no Ollama answers at {TWO}"
    [whole] = await found(discovery=False)
    assert "providers.ollama.discovery" in whole.message
    assert "ollama serve" not in str(whole.fix)


async def test_configured_models_that_no_node_has_are_told_with_the_command() -> None:
    findings = await found(report(ONE, TINY), models={"default": "tiny", "code": "tinny", "vision": "llava"})
    missing = [finding for finding in findings if finding.level == "error"]
    assert [finding.message for finding in missing] == [
        'models.code is "tinny", which no node has',
        'models.vision is "llava", which no node has',
    ]
    assert missing[0].fix == 'run `ollama pull tinny`, or correct it: did you mean "tiny"?'
    assert missing[1].fix == "run `ollama pull llava`"


async def test_nodes_without_models_and_with_other_versions_of_one_are_warnings() -> None:
    [whole, *_] = await found(report(ONE))
    assert (whole.level, whole.fix) == ("warning", "run `ollama pull llama3.2`")
    other = {**TINY, "digest": "c" * 64}
    *_, unlike = await found(report(ONE, TINY), report(TWO, other))
    assert unlike.level == "warning"
    assert unlike.message == f"tiny:latest is not the same on all nodes: aaaaaaaaaaaa at {ONE}; cccccccccccc at {TWO}"


@pytest.mark.parametrize("host", ["", "127.0.0.1", "0.0.0.0:11434", "http://localhost:11434", "gpu.lan", "[::1]:11434"])
async def test_an_environment_that_means_one_of_the_nodes_is_nothing_to_tell(host: str) -> None:
    findings = await found(report(ONE, TINY), report(TWO, TINY), environment={"OLLAMA_HOST": host})
    assert [finding.level for finding in findings] == ["ok", "ok", "ok"]


@pytest.mark.parametrize("host", ["other.lan", "127.0.0.1:11999", "https://gpu.lan", "http://gpu.lan"])
async def test_an_environment_that_means_another_server_is_a_warning(host: str) -> None:
    *_, elsewhere = await found(report(ONE, TINY), report(TWO, TINY), environment={"OLLAMA_HOST": host})
    assert elsewhere.level == "warning"
    assert elsewhere.message.endswith("which is none of the nodes")
    assert "providers.ollama.endpoint" in str(elsewhere.fix)


async def test_an_environment_that_is_no_address_is_a_warning_without_its_password() -> None:
    *_, wrong = await found(report(ONE, TINY), environment={"OLLAMA_HOST": "http://me:secret@host:x"})
    assert wrong.level == "warning"
    assert "secret" not in wrong.message
