"""What runs do stands in the audit: each method with who wanted it, what was decided, and how it ended."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import anyio
import pytest

from gleitzeit.application import Application, open_application
from gleitzeit.audit.memory import MemoryAudit
from gleitzeit.config import load_configuration
from gleitzeit.core.digest import canonical_text
from gleitzeit.core.errors import ConfigurationError
from gleitzeit.core.models import Run, Workflow
from gleitzeit.engine.base import Submission
from gleitzeit.engine.local import LocalEngine
from gleitzeit.registry import ProtocolProviderRegistry
from gleitzeit.store.memory import MemoryStore

pytestmark = pytest.mark.anyio


class Opened(Protocol):
    def __call__(self, **settings: Any) -> AbstractAsyncContextManager[Application]: ...


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "audit.jsonl"


@pytest.fixture
def opened(registry: ProtocolProviderRegistry, home: Path, log: Path) -> Opened:
    """Opens an application with an audit; all of them share a database."""

    @asynccontextmanager
    async def open_one(**settings: Any) -> AsyncGenerator[Application]:
        given = {"server.audit": str(log), **{key.replace("__", "."): value for key, value in settings.items()}}
        config = load_configuration(None, {"GLEITZEIT_HOME": str(home)}, given)
        async with open_application(config, registry=registry) as application:
            yield application

    return open_one


def lines(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_bytes().splitlines()]


async def ended(application: Application, run: Run) -> Run:
    with anyio.fail_after(10):
        return await application.engine.wait(run.id)


async def test_a_method_is_decided_on_before_it_is_carried_out_and_told_of_after(opened: Opened, log: Path) -> None:
    async with opened() as application:
        run = await ended(application, await application.call("text/upper", {"text": "hunter2"}, caller="ann"))
        assert run.status == "completed"
    decided, over = lines(log)
    assert [decided["event"], over["event"]] == ["decided", "ended"]
    assert decided["decision"] == "allowed"
    assert over["outcome"] == "completed"
    assert over["seconds"] >= 0
    for line in (decided, over):
        assert (line["caller"], line["run_id"], line["task_id"]) == ("ann", run.id, "call")
        assert (line["method"], line["attempt"], line["id"]) == ("text/upper", 1, decided["id"])
    told = hashlib.sha256(canonical_text({"text": "hunter2"}).encode()).hexdigest()
    assert decided["parameters_sha256"] == told
    assert "hunter2" not in json.dumps(lines(log)).lower()


async def test_calls_of_a_task_have_lines_of_their_own_and_what_is_denied_says_by_which_rule(
    opened: Opened, log: Path
) -> None:
    def calls(method: str) -> dict[str, Any]:
        parameters = {"method": method, "parameters": {"text": "a"}}
        return {"tasks": [{"id": "a", "method": "text/call", "parameters": parameters, "calls": ["text/*"]}]}

    async with opened(policy__deny=["text/ro*"]) as application:
        await ended(application, await application.submit(calls("text/upper")))
        await ended(application, await application.submit(calls("text/roots")))
    told = [(line["event"], line["task_id"], line["method"], line.get("decision")) for line in lines(log)]
    assert told[:4] == [
        ("decided", "a", "text/call", "allowed"),
        ("decided", "a/1", "text/upper", "allowed"),
        ("ended", "a/1", "text/upper", None),
        ("ended", "a", "text/call", None),
    ]
    assert told[4:] == [
        ("decided", "a", "text/call", "allowed"),
        ("decided", "a", "text/roots", "denied"),
        ("ended", "a", "text/call", None),
    ]
    assert lines(log)[5]["rule"] == 'policy.deny has "text/ro*"'
    assert (lines(log)[6]["outcome"], lines(log)[6]["error"]) == ("failed", "forbidden")


async def test_a_result_that_is_used_again_is_told_as_such(opened: Opened, log: Path) -> None:
    task = {"id": "a", "method": "text/upper", "parameters": {"text": "a"}, "cache": {"ttl": 60}}
    async with opened() as application:
        for _ in range(2):
            await ended(application, await application.submit({"tasks": [task]}))
    assert [line.get("reused", False) for line in lines(log)] == [False, False, True]


async def test_a_secret_is_not_in_the_digest_either(opened: Opened, log: Path, tmp_path: Path) -> None:
    (tmp_path / "pin").write_text("1234")
    task = {"id": "a", "method": "text/upper", "parameters": {"text": "${secrets.PIN}"}}
    async with opened(secrets={"PIN": {"file": str(tmp_path / "pin")}}) as application:
        assert (await ended(application, await application.submit({"tasks": [task]}))).status == "completed"
    guess = hashlib.sha256(canonical_text({"text": "1234"}).encode()).hexdigest()
    assert guess not in json.dumps(lines(log))


async def test_nothing_is_carried_out_that_cannot_be_recorded(registry: ProtocolProviderRegistry) -> None:
    audit = MemoryAudit()
    document = Workflow.model_validate({"tasks": [{"id": "a", "method": "text/upper", "parameters": {"text": "a"}}]})
    async with registry.running(), LocalEngine(registry, MemoryStore(), audit=audit) as engine:
        audit.full = True
        with anyio.fail_after(5):
            run = await engine.wait((await engine.submit(Submission(document))).id)
        assert run.status == "failed"
        assert run.tasks["a"].error is not None
        assert run.tasks["a"].error.code == "audit_unavailable"
        audit.full = False
        with anyio.fail_after(5):
            run = await engine.wait((await engine.submit(Submission(document))).id)
        assert run.status == "completed"
    assert [line["event"] for line in audit.lines] == ["decided", "ended"]


async def test_a_task_that_is_cancelled_is_told_to_have_been(registry: ProtocolProviderRegistry) -> None:
    audit = MemoryAudit()
    begun = anyio.Event()
    provider: Any = registry.provider("text")

    async def hang(method: str, parameters: dict[str, Any]) -> Any:
        begun.set()
        await anyio.sleep_forever()

    provider.handle_request = hang
    document = Workflow.model_validate({"tasks": [{"id": "a", "method": "text/roots"}]})
    async with registry.running(), LocalEngine(registry, MemoryStore(), audit=audit) as engine:
        run = await engine.submit(Submission(document))
        with anyio.fail_after(5):
            await begun.wait()
        await engine.cancel(run.id)
    assert [line.get("outcome") for line in audit.lines] == [None, "cancelled"]


async def test_a_log_that_tasks_could_write_is_refused(opened: Opened, home: Path) -> None:
    with pytest.raises(ConfigurationError, match="whose files tasks may write"):
        async with opened(server__audit=str(home / "files" / "audit.jsonl")):
            pass


async def test_a_log_that_cannot_be_opened_keeps_everything_from_starting(opened: Opened, home: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"server\.audit .*it is a folder"):
        async with opened(server__audit=str(home.parent)):
            pass
