"""How a job ends: what it leaves, what it failed by, and telling of it as `{ok, exit, value?, error?}`."""

from __future__ import annotations

import atexit
import contextlib
import sys
import threading
from types import ModuleType
from typing import Any, Final

from gleitzeit_python.worker import artifacts, limits
from gleitzeit_python.worker.channel import Channel
from gleitzeit_python.worker.failures import failure
from gleitzeit_python.worker.place import Place
from gleitzeit_python.worker.scene import Job, limits_of

_RECURSION: Final = 1000
_MOST_OF_ARTIFACTS: Final = 8 << 20
_FAILED: Final = 1

End = dict[str, Any]


class ResultError(Exception):
    """The variable `result` of a job holds what JSON cannot."""

    hint = "it may hold text, numbers, lists and objects; what `call` and `ask` give has to be awaited"


def good(value: Any) -> End:
    """All went well, and this came of it."""
    return {"ok": True, "exit": 0, "value": value}


def result(job: Job, main: ModuleType) -> End:
    """All went well; of inline code the variable `result` is what came of it."""
    if job["mode"] == "inline" and "result" in main.__dict__:
        return good(main.__dict__["result"])
    return {"ok": True, "exit": 0}


def stopped(stop: SystemExit, job: Job, main: ModuleType) -> End:
    """What Python makes of `sys.exit()`: nothing is 0, a number itself, anything else a message and 1."""
    if stop.code is None or stop.code == 0:
        return result(job, main)
    if type(stop.code) is int:
        return {"ok": False, "exit": stop.code & 0xFF}
    told = failure(stop, "")
    print(told["message"], file=sys.stderr)  # noqa: T201 as Python does
    return {"ok": False, "exit": _FAILED, "error": {**told, "traceback": ""}}


def failed(error: BaseException, filename: str) -> End:
    """An exception that nobody caught, written to standard error as Python does."""
    told = failure(error, filename)
    with contextlib.suppress(BaseException):
        sys.stderr.write(told["traceback"])
    return {"ok": False, "exit": _FAILED, "error": told}


def settled(end: End, job: Job, channel: Channel, place: Place) -> End:
    """Let the job's threads and exit handlers end, and send the files that it has left."""
    try:
        getattr(threading, "_shutdown")()  # noqa: B009 Python itself does no less, and no more
        getattr(atexit, "_run_exitfuncs")()  # noqa: B009
    except BaseException as error:  # noqa: BLE001
        end = failed(error, job["filename"])
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(BaseException):
            stream.flush()
    limits.use_headroom()
    sys.setrecursionlimit(_RECURSION)
    try:
        most: int = limits_of(job).get("artifacts", _MOST_OF_ARTIFACTS)
        artifacts.send(channel, place.work, job.get("artifacts") or (), most)
    except BaseException as error:  # noqa: BLE001
        return failed(error, job["filename"])
    return end


def tell(end: End, channel: Channel) -> int:
    """Send the end, or that it cannot be sent; the code to exit with."""
    try:
        channel.send({"end": end})
    except BaseException as error:  # noqa: BLE001 the value is the job's, and so are its methods
        reason = failure(error, "")
        words = reason["message"] or reason["type"]
        out_of_memory = isinstance(error, MemoryError)
        end = failed(error if out_of_memory else ResultError(f"`result` cannot be sent as JSON: {words}"), "")
        channel.send({"end": end})
    return int(end["exit"]) & 0xFF
