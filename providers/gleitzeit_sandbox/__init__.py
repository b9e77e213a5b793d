"""What code can use that `python/execute` runs: its arguments, and calls of other methods.

```python
from gleitzeit_sandbox import args, call, progress

for done, name in enumerate(args["names"], start=1):
    text = await call("mcp/tool.fs.read_file", path=name)
    progress(done, len(args["names"]), name)
```

In inline code these names are there without an import, and `await` can stand outside of functions. What may be called
is what the task lists under `calls`. Outside of a sandbox the module can be imported, for editors and type checkers.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any, Final, Protocol

__all__ = ["CallError", "args", "ask", "ask_sync", "call", "call_sync", "progress"]

GLOBALS: Final = ("args", "ask", "ask_sync", "call", "call_sync", "progress")
"""The names that inline code has without an import."""

args: Any = None
"""The `args` of the task."""


class CallError(Exception):
    """A call that was refused, or failed; `hint` says what to do, `retryable` whether to try again."""

    def __init__(self, message: str, *, code: str = "error", hint: str | None = None, retryable: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.hint = hint
        self.retryable = retryable


class Connection(Protocol):
    """What carries questions to the host, and its answers back."""

    def send(self, frame: Mapping[str, Any]) -> None:
        """Tell something."""
        ...

    def ask(self, frame: Mapping[str, Any]) -> dict[str, Any]:
        """Wait for an answer."""
        ...

    async def ask_later(self, frame: Mapping[str, Any]) -> dict[str, Any]:
        """Await an answer."""
        ...


_connection: Connection | None = None
_interactive = False


async def call(method: str, /, **parameters: Any) -> Any:
    """Have a method carried out, and await its result; many may be under way at once."""
    return _result(await _connected().ask_later(_calling(method, parameters)))


def call_sync(method: str, /, **parameters: Any) -> Any:
    """The result of a method, for code that does not use `await`."""
    return _result(_connected().ask(_calling(method, parameters)))


async def ask(message: str, schema: Mapping[str, Any] | None = None) -> Any:
    """What a person answers to a question; `schema` is the JSON Schema of the answer."""
    return _result(await _connected().ask_later(_asking(message, schema)))


def ask_sync(message: str, schema: Mapping[str, Any] | None = None) -> Any:
    """What a person answers to a question, for code that does not use `await`."""
    return _result(_connected().ask(_asking(message, schema)))


def progress(done: float, total: float | None = None, message: str | None = None) -> Told:
    """Tell how far the work is. It can be awaited, but need not be."""
    _connected().send({"progress": {"done": done, "total": total, "message": message}})
    return Told()


class Told:
    """Something that has been said; awaiting it waits for nothing."""

    def __await__(self) -> Generator[None, None, None]:
        return
        yield


def connect(connection: Connection, arguments: Any, *, interactive: bool) -> None:
    """Tell the module which host it speaks with; done before the code of a task begins."""
    global _connection, _interactive, args
    _connection, _interactive, args = connection, interactive, arguments


def _connected() -> Connection:
    if _connection is None:
        raise CallError("this module works only in code that python/execute runs", code="unsupported")
    return _connection


def _calling(method: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    if not _interactive:
        raise CallError(
            f"{method} may not be called: this task calls nothing",
            code="forbidden",
            hint="list the method under `calls` of the task",
        )
    return {"call": method, "parameters": parameters}


def _asking(message: str, schema: Mapping[str, Any] | None) -> dict[str, Any]:
    return {"ask": message, "schema": schema}


def _result(answer: Mapping[str, Any]) -> Any:
    error = answer.get("error")
    if error is None:
        return answer.get("result")
    raise CallError(
        str(error.get("message", "")),
        code=str(error.get("code", "error")),
        hint=error.get("hint"),
        retryable=bool(error.get("retryable", False)),
    )
