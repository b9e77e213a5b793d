"""Gleitzeit's engine on its SQLite store, as it comes: `synchronous=FULL`, and a method that promises nothing."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks import contender
from benchmarks.contender import PAYLOAD, Contender, Shape, Work
from gleitzeit.core.models import Workflow
from gleitzeit.core.protocol import MethodSpec, Protocol
from gleitzeit.engine.base import Submission
from gleitzeit.engine.local import LocalEngine
from gleitzeit.providers.base import ProtocolProvider, current_task
from gleitzeit.registry import ProtocolProviderRegistry
from gleitzeit.store.sqlite import SqliteStore
from gleitzeit.version import __version__

PROTOCOL = Protocol("bench/v1", methods=["answer", MethodSpec(name="look", read_only=True), "caller"])
CALLED = {Shape.CALLS: "bench/answer", Shape.READS: "bench/look"}


class Answering(ProtocolProvider):
    """Returns the payload, or makes as many calls as it is told to, one after the other."""

    protocol = PROTOCOL

    async def handle_request(self, method: str, parameters: dict[str, Any]) -> Any:
        """Answer one request."""
        if method == "bench/caller":
            for number in range(parameters["times"]):
                await current_task().call(parameters["method"], {"number": number})
        return {"r": PAYLOAD}


def registry_of(provider: ProtocolProvider) -> ProtocolProviderRegistry:
    """A registry with this provider alone."""
    registry = ProtocolProviderRegistry()
    registry.register_protocol(PROTOCOL)
    registry.register_provider(PROTOCOL.id, provider)
    return registry


def submission(shape: Shape, tasks: int) -> Submission:
    """A checked document of so many tasks, items or calls, with its inputs."""
    return Submission(
        Workflow.model_validate({**document(shape, tasks), "settings": settings(shape, tasks)}),
        {"items": list(range(tasks))} if shape is Shape.ITEMS else {},
    )


def document(shape: Shape, tasks: int) -> dict[str, Any]:
    """The tasks and inputs of a document."""
    answer = {"method": "bench/answer"}
    if shape is Shape.ITEMS:
        item = {"id": "t", "foreach": "${inputs.items}", "parameters": {"item": "${item}"}, **answer}
        return {"inputs": {"items": {"type": "array"}}, "tasks": [item]}
    if shape in CALLED:
        method = CALLED[shape]
        parameters = {"times": tasks, "method": method}
        return {"tasks": [{"id": "t", "method": "bench/caller", "parameters": parameters, "calls": [method]}]}
    names = [f"t{number}" for number in range(tasks)]
    earlier = ["", *names] if shape is Shape.CHAIN else [""] * tasks
    return {
        "tasks": [
            {"id": name, "dependencies": [before] if before else [], **answer}
            for name, before in zip(names, earlier, strict=False)
        ]
    }


def settings(shape: Shape, tasks: int) -> dict[str, Any]:
    """No bound where the shape has none."""
    return {"max_parallel_tasks": tasks} if shape is Shape.WIDE else {}


class Ours(Contender):
    """One engine on a fresh file."""

    version = f"Gleitzeit {__version__}"

    def __init__(self, folder: Path) -> None:
        self._path = folder / "gleitzeit.db"

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            registry = registry_of(Answering("bench", PROTOCOL.id))
            await stack.enter_async_context(registry.running())
            self._engine = await stack.enter_async_context(LocalEngine(registry, SqliteStore(self._path)))
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def prepare(self, shape: Shape, tasks: int) -> Work:
        """A run of so many tasks, or of one."""
        submitted = submission(shape, 1 if shape is Shape.SINGLE else tasks)

        async def work() -> None:
            await complete(self._engine, submitted)

        return work


async def complete(engine: LocalEngine, submitted: Submission) -> None:
    """Run a document to its end, which has to be a good one."""
    accepted = await engine.submit(submitted)
    run = await engine.wait(accepted.id)
    if run.status != "completed":
        raise RuntimeError(f"the run is {run.status}: {run.error}")


if __name__ == "__main__":
    contender.main(Ours)
