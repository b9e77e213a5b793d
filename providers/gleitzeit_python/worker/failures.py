"""What is told of an exception: its type, its message, and the lines of the code that it went through."""

from __future__ import annotations

import linecache
from traceback import TracebackException
from types import TracebackType
from typing import Any, Final

_MOST_FRAMES: Final = 40
_LONGEST_TEXT: Final = 64 << 10
_LONGEST_NAME: Final = 200
_LONGEST_HINT: Final = 1000
_OURS: Final = (
    *("gleitzeit_python/worker/policy.py", "gleitzeit_python/worker/channel.py", "gleitzeit_sandbox/__init__.py"),
    # As they are called where their texts were sent, and not their files.
    *("<gleitzeit_python.worker.policy>", "<gleitzeit_python.worker.channel>", "<policy>", "<gleitzeit_sandbox>"),
)


def remember_source(code: str, filename: str) -> None:
    """Let tracebacks quote code that is in no file."""
    linecache.cache[filename] = (len(code), None, code.splitlines(keepends=True), filename)


def failure(error: BaseException, filename: str) -> dict[str, str]:
    """Tell of an exception. What it says of itself is code too, and may be hostile."""
    name = _or_else(lambda: str(type(error).__qualname__)[:_LONGEST_NAME], "Exception")
    return {
        "type": name,
        "message": _or_else(lambda: str(error)[:_LONGEST_TEXT], "(the message of this exception cannot be read)"),
        "traceback": _or_else(lambda: _traceback(error, filename), f"{name} (its traceback cannot be read)"),
        "hint": _or_else(lambda: str(getattr(error, "hint", None) or "")[:_LONGEST_HINT], ""),
    }


def _traceback(error: BaseException, filename: str) -> str:
    theirs = _from_file(error.__traceback__, filename)
    if theirs is None and not isinstance(error, SyntaxError):
        return ""  # it is of the job's making, but of no line of it
    told = TracebackException(type(error), error, theirs, limit=-_MOST_FRAMES, compact=True)
    _leave_out_ours(told)
    text = "".join(told.format())
    if len(text) > _LONGEST_TEXT:
        half = _LONGEST_TEXT // 2
        text = f"{text[:half]}\n[...]\n{text[-half:]}"
    return text


def _from_file(trace: TracebackType | None, filename: str) -> TracebackType | None:
    """The part of a traceback that begins with the code of the job: what ran it is of no interest."""
    while trace is not None and trace.tb_frame.f_code.co_filename != filename:
        trace = trace.tb_next
    return trace


def _leave_out_ours(told: TracebackException) -> None:
    """Code that calls us is told where it did, not what we do then: nothing can be mended there."""
    told.stack[:] = [frame for frame in told.stack if not frame.filename.endswith(_OURS)]
    for other in (told.__cause__, told.__context__, *(told.exceptions or ())):
        if other is not None:
            _leave_out_ours(other)


def _or_else(tell: Any, instead: str) -> str:
    try:
        text: str = tell()
    except BaseException:  # noqa: BLE001 hostile code may raise anything, SystemExit too
        return instead
    return text
