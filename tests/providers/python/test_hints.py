"""What an error of code says can be done about it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from gleitzeit.core.errors import GleitzeitError, ProviderError
from gleitzeit_python import PythonProvider
from gleitzeit_python.results.hints import hint_of
from gleitzeit_python.sandbox.base import Job, Problem

Refused = Callable[..., Awaitable[GleitzeitError]]
Start = Callable[..., Awaitable[PythonProvider]]

NS = {"tier": "ns", "network": "none"}


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("code", "parameters", "words"),
    [
        ("import not_there", {}, "install it where Gleitzeit is installed"),
        ("import not_there", {"packages": "none"}, "`packages: host`"),
        ("import os", {"allowed_modules": ["json"]}, "name it in `allowed_modules`"),
        ("open('data.csv')", {}, "the files that `files` names"),
        ("open('given.csv', 'w')", {"files": ["given.csv"]}, "can only be read"),
        ("open('x', 'wb').write(bytes(80 << 20))", {}, "providers.python.max_disk"),
        ("import urllib.request\nurllib.request.urlopen('http://localhost')", {}, "no network"),
        ("result = call('a/b')", {}, "has to be awaited"),
        ("open('a.bin', 'wb').write(bytes(9 << 20))", {"artifacts": ["*.bin"]}, "providers.python.max_artifacts"),
    ],
)
async def test_what_the_sandbox_stands_behind_has_a_way_out(
    refused: Refused, root: Path, code: str, parameters: dict[str, object], words: str
) -> None:
    (root / "given.csv").write_text("1,2", encoding="utf-8")
    error = await refused(code, **parameters)
    assert words in str(error.hint)
    assert "worker" not in error.message
    assert "gleitzeit_python" not in error.message


def test_what_the_error_of_a_call_says_comes_first() -> None:
    assert hint_of(Problem("PermissionError", "no", hint="ask for it"), Job("x"), NS) == "ask for it"


def test_without_a_sandbox_nothing_is_blamed_on_it() -> None:
    assert hint_of(Problem("FileNotFoundError", "no"), Job("x"), {"tier": "none"}) is None


def test_an_error_that_is_the_codes_own_has_no_hint() -> None:
    assert hint_of(Problem("ValueError", "no"), Job("x"), NS) is None
    assert hint_of(Problem("ImportError", "cannot import name 'x'"), Job("x"), NS) is None


@pytest.mark.anyio
async def test_the_hint_of_a_refused_call_is_that_of_the_refusal(start: Start) -> None:
    provider = await start(calls={"allow": ["text/*"]})
    with pytest.raises(ProviderError, match="may not call mcp/servers") as caught:
        await provider.handle_request("python/execute", {"code": "await call('mcp/servers')"})
    assert caught.value.hint == "whoever runs this server can add it to the configuration"
    assert "gleitzeit_sandbox/" not in caught.value.message


@pytest.mark.anyio
async def test_what_is_always_allowed_may_be_named(start: Start) -> None:
    provider = await start(allowed_modules=["json"])
    parameters = {"code": "import sys, json\nresult = 1", "allowed_modules": ["sys", "gleitzeit_sandbox", "json"]}
    assert await provider.handle_request("python/execute", parameters) == {"result": 1}
