"""What a job finds when it begins: its streams, environment and arguments, and the module that it is."""

from __future__ import annotations

import io
import json
import os
import sys
import time
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import gleitzeit_sandbox
from gleitzeit_python.worker.channel import Channel
from gleitzeit_python.worker.failures import remember_source
from gleitzeit_python.worker.place import Place
from gleitzeit_python.worker.policy import builtins_for

Job = Mapping[str, Any]
"""The keys that `task.py` names."""


def open_streams() -> None:
    """Text on the three standard streams."""
    sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)), "utf-8", "replace")
    sys.stdout, sys.stderr = (
        io.TextIOWrapper(
            io.BufferedWriter(io.FileIO(descriptor, "w", closefd=False)),
            "utf-8",
            "backslashreplace",
            line_buffering=True,  # what was printed before a job was killed is what tells why it had to be
        )
        for descriptor in (1, 2)
    )
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr  # type: ignore[misc]


def settle(place: Place) -> None:
    """Set up what does not depend on the job: the variables of all jobs, and random numbers of this process alone."""
    set_variables(place)
    for name in ("random", "numpy.random"):
        numbers = sys.modules.get(name)
        if numbers is not None:
            numbers.seed()


def set_variables(place: Place) -> None:
    """Leave the variables that every job has, and no other."""
    always = {"HOME": place.work, "LANG": "C.UTF-8", "PATH": "/usr/bin:/bin", "TMPDIR": place.scratch}
    if os.environ != always:
        os.environ.clear()
        os.environ.update(always)


def begin(job: Job, channel: Channel, place: Place) -> ModuleType:
    """Set all of it up; the module in which the code is to run."""
    wanted: Mapping[str, str] = job.get("env") or {}
    os.environ.update(wanted)
    if "TZ" in wanted:
        time.tzset()
    sys.path[:0] = [place.work, *(place.real(path) for path in job.get("python_path") or ())]
    arguments = job.get("args")
    sys.argv = job.get("argv") or [job["filename"], *([] if arguments is None else [json.dumps(arguments)])]
    gleitzeit_sandbox.connect(channel, arguments, interactive=bool(job.get("interactive", True)))
    remember_source(job["code"], job["filename"])
    return main_module(job)


def limits_of(job: Job) -> Mapping[str, Any]:
    """Its limits, those that are named."""
    named: Mapping[str, Any] | None = job.get("limits")
    return named or {}


def main_module(job: Job) -> ModuleType:
    """`__main__`, with the names that the code may use without an import."""
    main = ModuleType("__main__")
    names = main.__dict__
    names["__builtins__"] = builtins_for(job.get("allowed_modules"))
    if job["mode"] == "inline":
        names.update({name: getattr(gleitzeit_sandbox, name) for name in gleitzeit_sandbox.GLOBALS})
    else:
        names["__file__"] = job["filename"]
    sys.modules["__main__"] = main
    return main
