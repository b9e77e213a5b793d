"""PATH as a login shell has it, which is more than a program has that was started from a desktop."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import anyio
from anyio.lowlevel import RunVar

from gleitzeit_mcp.processes.launch import Order, Process, launch

ANSWER_LIMIT = 3.0
"""Seconds that the login shell has to say its PATH, its startup files included."""

# Startup files that say PATH may be those of every shell, of a login shell, or of one that a person talks to; some
# replace the shell where a person seems to talk to it, and never come to the question.
_WAYS = (("-l", "-i"), ("-l",))
_LARGEST_ANSWER = 1 << 20
_EXIT_GRACE = 0.5


@dataclass(frozen=True, slots=True)
class LoginPath:
    """What the login shell said; without a `value` there is a `problem`."""

    value: str | None
    problem: str = ""


_known: dict[tuple[str, str], LoginPath] = {}
_turn: RunVar[anyio.Lock] = RunVar("gleitzeit_login_path")


async def login_path(environment: Mapping[str, str] | None = None, limit: float = ANSWER_LIMIT) -> LoginPath:
    """The PATH of the login shell, asked once in the life of the process and within `limit` seconds."""
    environment = os.environ if environment is None else environment
    shell = login_shell(environment)
    if shell is None:
        return LoginPath(None, "there is no login shell")
    key = (shell, environment.get("HOME", ""))
    async with _lock():
        if key not in _known:
            _known[key] = await _asked(shell, environment, limit)
        return _known[key]


def login_shell(environment: Mapping[str, str]) -> str | None:
    """The user's shell: `SHELL`, else that of the account; none on Windows."""
    if sys.platform == "win32":
        return None
    named = (environment.get("SHELL", ""), _shell_of_account())
    return next((shell for shell in named if Path(shell).is_absolute() and os.access(shell, os.X_OK)), None)


def _shell_of_account() -> str:
    import pwd  # there is none on Windows

    try:
        return pwd.getpwuid(os.getuid()).pw_shell
    except KeyError:  # a container may have no entry for its user
        return ""


def _lock() -> anyio.Lock:
    try:
        return _turn.get()
    except LookupError:
        lock = anyio.Lock()
        _turn.set(lock)
        return lock


async def _asked(shell: str, environment: Mapping[str, str], limit: float) -> LoginPath:
    with anyio.move_on_after(limit):
        for way in _WAYS:
            try:
                answer = await _answer(shell, way, environment)
            except OSError as error:
                return LoginPath(None, f"{shell} can't be started: {(error.strerror or str(error)).lower()}")
            if answer:
                return LoginPath(answer)
        return LoginPath(None, f"{shell} did not say its PATH")
    return LoginPath(None, f"{shell} did not say its PATH within {limit:g} s")


async def _answer(shell: str, way: tuple[str, ...], environment: Mapping[str, str]) -> str | None:
    """What the shell writes between two marks, whatever its startup files write before and after them."""
    mark = f"gleitzeit-{secrets.token_hex(8)}"
    # A mark in one piece would also be found where the shell prints the commands that it carries out.
    question = f"""printf '\\n%s%s%s%s%s\\n' '{mark}' ':' "$PATH" ':' '{mark}'"""
    # In a session of its own it has no terminal either: it can't be stopped by ours, and asks nothing there.
    process = await launch(
        Order(
            argv=[shell, *way, "-c", question],
            environment={**environment, "TERM": "dumb", "DISABLE_AUTO_UPDATE": "true"},
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    )
    try:
        answer = await _between(process, f"{mark}:".encode(), f":{mark}".encode())
        with anyio.move_on_after(_EXIT_GRACE):
            await process.wait()
        return answer
    finally:
        _end(process)
        with anyio.move_on_after(_EXIT_GRACE, shield=True):
            await process.wait()
        process.close()


async def _between(process: Process, begin: bytes, end: bytes) -> str | None:
    """The text between two marks; what is started in the background may hold the stream open after them."""
    read = bytearray()

    def take(piece: bytes) -> bool:
        read.extend(piece)
        return len(read) <= _LARGEST_ANSWER and end not in read.partition(begin)[2]

    await process.read_stdout(take)
    _, _, rest = bytes(read).partition(begin)
    answer, closed, _ = rest.partition(end)
    return os.fsdecode(answer).strip() if closed else None


def _end(process: Process) -> None:
    """End the shell and what it started, where it has not ended by itself."""
    if process.returncode is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
