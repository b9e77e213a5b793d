"""A provider whose every execution is witnessed by a file outside of the database, one line for each start and end."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Awaitable, Callable
from typing import Any

import anyio

from gleitzeit.core.errors import ProviderError
from gleitzeit.core.protocol import MethodSpec, Protocol
from gleitzeit.providers.base import ProtocolProvider, current_task
from gleitzeit.registry import ProtocolProviderRegistry

WITNESS = "CHAOS_WITNESS"

PROTOCOL = Protocol(
    "chaos/v1",
    methods=[
        MethodSpec("chaos/step", "Nap, perhaps fail or get stuck at first, and give the value back.", idempotent=True),
        MethodSpec("chaos/once", "Nap, and must not happen twice."),
        MethodSpec("chaos/nest", "Call a method several times.", idempotent=True),
        MethodSpec("chaos/gate", "Wait until a gate is opened.", idempotent=True),
        MethodSpec("chaos/gate_once", "Wait until a gate is opened, and must not happen twice."),
        MethodSpec("chaos/foreign", "Raise something that is no error of a provider.", idempotent=True),
        MethodSpec("chaos/cancelled", "Raise a cancellation that nobody asked for.", idempotent=True),
        MethodSpec("chaos/exit", "Try to end the process.", idempotent=True),
        MethodSpec("chaos/odd", "Return what JSON can't hold.", idempotent=True),
        MethodSpec("chaos/block", "Hold up the whole event loop.", idempotent=True),
        MethodSpec("chaos/deaf", "Ignore every cancellation until a gate is opened.", idempotent=True),
        MethodSpec("chaos/progress", "Tell progress many times.", idempotent=True),
    ],
)


class Alien(BaseException):
    """What no handler for exceptions sees."""


class ChaosProvider(ProtocolProvider):
    """Serves chaos/*; gates are opened by name."""

    def __init__(self, protocol: Protocol) -> None:
        super().__init__("chaos", protocol.id)
        self.protocol = protocol
        self.gates: dict[str, anyio.Event] = {}
        self._methods: dict[str, Callable[[dict[str, Any]], Awaitable[Any]]] = {
            "step": self._step,
            "once": self._step,
            "nest": self._nest,
            "gate": self._gate,
            "gate_once": self._gate,
            "foreign": self._foreign,
            "cancelled": self._cancelled,
            "exit": self._exit,
            "odd": self._odd,
            "block": self._block,
            "deaf": self._deaf,
            "progress": self._progress,
        }

    async def handle_request(self, method: str, parameters: dict[str, Any]) -> Any:
        """Carry one request out between two lines of the witness."""
        testify("start", method)
        result = await self._methods[method.removeprefix("chaos/")](parameters)
        testify("end", method)
        return result

    def gate(self, name: str) -> anyio.Event:
        """The gate of that name."""
        return self.gates.setdefault(name, anyio.Event())

    async def _step(self, parameters: dict[str, Any]) -> Any:
        await anyio.sleep(parameters.get("nap", 0.0))
        if current_task().attempt <= parameters.get("stuck", 0):
            await anyio.sleep_forever()
        if current_task().attempt <= parameters.get("failures", 0):
            raise ProviderError("not yet")
        return {"value": parameters.get("value")}

    async def _nest(self, parameters: dict[str, Any]) -> Any:
        answers = [
            await current_task().call(parameters["method"], {"value": number, "nap": parameters.get("nap", 0.0)})
            for number in range(parameters["count"])
        ]
        return {"values": [answer["value"] for answer in answers]}

    async def _gate(self, parameters: dict[str, Any]) -> Any:
        await self.gate(parameters["gate"]).wait()
        return {"value": parameters.get("value")}

    async def _foreign(self, parameters: dict[str, Any]) -> Any:
        raise Alien("from elsewhere")

    async def _cancelled(self, parameters: dict[str, Any]) -> Any:
        raise anyio.get_cancelled_exc_class()("of its own making")

    async def _exit(self, parameters: dict[str, Any]) -> Any:
        raise {"exit": SystemExit, "interrupt": KeyboardInterrupt}[parameters["with"]]

    async def _odd(self, parameters: dict[str, Any]) -> Any:
        ring: list[Any] = []
        ring.append(ring)
        odd: dict[str, Any] = {
            "object": object(),
            "bytes": b"\xff",
            "ring": ring,
            "huge": 10**20_000,
            "key": {(1, 2): 3},
        }
        return {"value": odd[parameters["kind"]]}

    async def _block(self, parameters: dict[str, Any]) -> Any:
        time.sleep(parameters["seconds"])  # noqa: ASYNC251 - this is what it is for
        return {"value": parameters.get("value")}

    async def _deaf(self, parameters: dict[str, Any]) -> Any:
        gate = self.gate(parameters["gate"])
        while not gate.is_set():
            try:
                await gate.wait()
            except anyio.get_cancelled_exc_class():
                testify("ignored", "chaos/deaf")
                with anyio.CancelScope(shield=True):
                    await gate.wait()
        return {"value": "never asked for"}

    async def _progress(self, parameters: dict[str, Any]) -> Any:
        for number in range(parameters["count"]):
            await current_task().report_progress(number, parameters["count"], "on the way")
        return {"value": parameters["count"]}


def testify(what: str, method: str) -> None:
    """Append one line about the current task; a line is written whole or not at all."""
    task = current_task()
    who = {"run": task.run_id, "task": task.task_id, "attempt": task.attempt, "pid": os.getpid()}
    file = os.open(os.environ[WITNESS], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, json.dumps({"what": what, "method": method, **who, "at": time.monotonic()}).encode() + b"\n")
    finally:
        os.close(file)


def register(registry: ProtocolProviderRegistry, only: str | None = None) -> ChaosProvider:
    """Enter the provider, for all its methods or one of them."""
    protocol = PROTOCOL if only is None else Protocol(PROTOCOL.id, methods=[PROTOCOL.methods[only]])
    provider = ChaosProvider(protocol)
    registry.register_protocol(protocol)
    registry.register_provider(PROTOCOL.id, provider)
    return provider


register(ProtocolProviderRegistry.get_instance())
