"""Spans of runs, tasks and methods, where somebody has set an SDK up; and nothing where nobody has."""

from __future__ import annotations

import json
import timeit
from collections.abc import Awaitable, Callable, Iterator
from types import SimpleNamespace
from typing import Any, Protocol

import anyio
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from gleitzeit.core.errors import ProviderError
from gleitzeit.core.models import Run
from gleitzeit.core.protocol import MethodSpec
from gleitzeit.engine.local import LocalEngine, tracing
from gleitzeit.providers import tracing as looks
from gleitzeit.providers.base import current_task
from gleitzeit.providers.tracing import trace_of, traced

pytestmark = pytest.mark.anyio

Method = Callable[[dict[str, Any]], Awaitable[Any]]

CALLER = "00-11111111111111111111111111111111-2222222222222222-01"
TASK = {"id": "a", "method": "test/echo", "parameters": {"key": "hunter2"}}


class Exported:
    """What an SDK was told."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))

    @property
    def finished(self) -> tuple[ReadableSpan, ...]:
        return self._exporter.get_finished_spans()

    @property
    def spans(self) -> dict[str, ReadableSpan]:
        return {span.name: span for span in self.finished}

    def above(self, name: str) -> str | None:
        """The name of the span that one is beneath."""
        parent = self.spans[name].parent
        ids = {span.context.span_id: name for name, span in self.spans.items() if span.context is not None}
        return None if parent is None else ids.get(parent.span_id, f"{parent.span_id:016x}")


class Bench(Protocol):
    """What of the bench is used here."""

    engine: LocalEngine
    provider: Any
    method: Callable[[Method], Method]

    async def submit(self, document: Any, **fields: Any) -> Run: ...

    async def run(self, document: Any, **fields: Any) -> Run: ...

    async def stop(self) -> None: ...


def watched(provider: TracerProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the process look as one that has set an SDK up."""
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    monkeypatch.setattr(looks, "_GOOD_FOR", 0.0)
    monkeypatch.setattr(looks, "_seen", vars(looks)["_seen"])  # so that what is seen now is forgotten after
    monkeypatch.setattr(tracing, "_tracer", provider.get_tracer("gleitzeit"))


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> Iterator[Exported]:
    made = Exported()
    watched(made.provider, monkeypatch)
    yield made
    made.provider.shutdown()


async def test_a_run_a_task_and_a_method_are_spans_beneath_the_callers(bench: Bench, exported: Exported) -> None:
    seen: dict[str, str] = {}

    @bench.method
    async def far(parameters: dict[str, Any]) -> Any:
        seen.update(trace_of(current_task()))
        return {}

    document = {"name": "report", "tasks": [{**TASK, "method": "test/far"}]}
    run = await bench.run(document, meta={"traceparent": CALLER, "tracestate": "x=y"})
    await bench.stop()
    assert set(exported.spans) == {"invoke_workflow report", "task a", "execute_tool test/far"}
    assert exported.above("invoke_workflow report") == "2" * 16
    assert exported.above("task a") == "invoke_workflow report"
    assert exported.above("execute_tool test/far") == "task a"
    assert dict(exported.spans["invoke_workflow report"].attributes or {}) == {
        "gen_ai.operation.name": "invoke_workflow",
        "gen_ai.agent.name": "report",
        "gleitzeit.run.id": run.id,
        "gleitzeit.run.status": "completed",
    }
    method = exported.spans["execute_tool test/far"].context
    assert method is not None
    assert seen == {"traceparent": f"00-{'1' * 32}-{method.span_id:016x}-01", "tracestate": "x=y"}


async def test_no_parameter_and_no_result_stands_in_a_span(bench: Bench, exported: Exported) -> None:
    await bench.run([TASK])
    await bench.stop()
    assert len(exported.spans) == 3
    assert "hunter2" not in json.dumps([span.to_json() for span in exported.spans.values()])


async def test_what_fails_says_so_by_its_code_alone(bench: Bench, exported: Exported) -> None:
    @bench.method
    async def fail(parameters: dict[str, Any]) -> Any:
        raise ProviderError("hunter2 is wrong", retryable=False)

    await bench.run([{"id": "a", "method": "test/fail"}])
    await bench.stop()
    for span in exported.spans.values():
        assert span.status.status_code is trace.StatusCode.ERROR
    codes = {name: (span.attributes or {})["error.type"] for name, span in exported.spans.items()}
    assert codes["execute_tool test/fail"] == codes["task a"] == "provider_failed"
    assert "hunter2" not in json.dumps([span.to_json() for span in exported.spans.values()])


async def test_nested_calls_and_children_are_beneath_what_made_them(bench: Bench, exported: Exported) -> None:
    @bench.method
    async def code(parameters: dict[str, Any]) -> Any:
        return await current_task().call("test/echo", {"n": 1})

    bench.provider.specs["code"] = MethodSpec("test/code", calls=("test/*",))
    await bench.run({"name": "w", "tasks": [{"id": "a", "method": "test/code"}]})
    await bench.stop()
    assert exported.above("execute_tool test/echo") == "execute_tool test/code"
    assert exported.above("execute_tool test/code") == "task a"


async def test_every_attempt_is_a_span_and_a_cancelled_one_ends_as_such(bench: Bench, exported: Exported) -> None:
    attempts: list[int] = []
    hangs = anyio.Event()

    @bench.method
    async def flaky(parameters: dict[str, Any]) -> Any:
        attempts.append(current_task().attempt)
        if len(attempts) < 2:
            raise ProviderError("not yet")
        hangs.set()
        await anyio.sleep_forever()

    run = await bench.submit([{"id": "a", "method": "test/flaky", "retry": {"max_attempts": 3}}])
    with anyio.fail_after(5):
        await hangs.wait()
    await bench.engine.cancel(run.id)
    await bench.stop()
    ended = [span for span in exported.finished if span.name == "task a"]
    told = [
        ((span.attributes or {})["gleitzeit.task.attempt"], (span.attributes or {})["error.type"]) for span in ended
    ]
    assert told == [(1, "provider_failed"), (2, "cancelled")]


async def test_what_is_not_sampled_stays_in_the_trace_and_is_told_to_nobody(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = TracerProvider(sampler=ALWAYS_OFF)
    watched(provider, monkeypatch)
    seen: dict[str, str] = {}

    @bench.method
    async def far(parameters: dict[str, Any]) -> Any:
        seen.update(trace_of(current_task()))
        return {}

    await bench.run([{"id": "a", "method": "test/far"}], meta={"traceparent": CALLER})
    assert seen["traceparent"].startswith(f"00-{'1' * 32}-")
    assert seen["traceparent"].endswith("-00")


async def test_without_an_sdk_the_trace_of_the_caller_is_passed_on(bench: Bench) -> None:
    seen: list[dict[str, str]] = []

    @bench.method
    async def far(parameters: dict[str, Any]) -> Any:
        seen.append(trace_of(current_task()))
        return {}

    await bench.run([{"id": "a", "method": "test/far"}], meta={"traceparent": CALLER})
    await bench.run([{"id": "a", "method": "test/far"}])
    assert seen[0]["traceparent"].startswith(f"00-{'1' * 32}-")
    assert seen[1]["traceparent"].split("-")[1] not in ("1" * 32, "0" * 32)


def test_without_an_sdk_a_span_costs_next_to_nothing() -> None:
    def one() -> None:
        assert not traced()
        assert tracing.beneath(None, {}) == {}
        tracing.end_span(None)

    assert min(timeit.repeat(one, number=1000, repeat=5)) < 0.01  # seconds for a thousand, where a task takes one


def test_who_begins_to_look_at_spans_is_noticed_within_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(looks, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(looks, "_seen", vars(looks)["_seen"]._replace(at=0.0))
    assert not traced()
    monkeypatch.setattr(trace, "get_tracer_provider", TracerProvider)
    now[0] += 0.9
    assert not traced()
    now[0] += 0.1
    assert traced()
