"""One job, from its frame to its end: `scene.py` has what it finds when it begins, `ending.py` how it ends.

The job is the first frame; `zygote.py` makes the process, `channel.py` carries the frames. Its keys: `code, filename,
mode (inline | script | compile), args, argv, env, limits {memory, cpu, file, artifacts}, allowed_modules, python_path,
artifacts, interactive, compiled`. Told at last: `{"end": {ok, exit, value?, error?}}`. The value of `compile` is the
compiled code, as base64 that `compiled` of a later job with the same code can have.
"""

from __future__ import annotations

import ast
import base64
import json
import marshal
import os
import sys
from types import CodeType, ModuleType
from typing import Final, NoReturn

from gleitzeit_python.worker import ending, limits, scene
from gleitzeit_python.worker.channel import Channel
from gleitzeit_python.worker.ending import End
from gleitzeit_python.worker.place import Place
from gleitzeit_python.worker.scene import Job

_IS_COROUTINE: Final = 0x80
_UNUSABLE: Final = 70
_REHEARSAL: Final[Job] = {"code": "print(end='')", "filename": "<task>", "mode": "inline"}


def prepare() -> None:
    """What a fork server does once for all workers: take its own modules out of the way of those of a job."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "gleitzeit_python"]:
        del sys.modules[name]


def rehearse() -> None:
    """Do what a job does, so that what it needs is there while nobody waits: forks share a page until it is written."""
    main = scene.main_module(_REHEARSAL)
    _run(_compiled(_REHEARSAL), main)
    json.loads(json.dumps(ending.result(_REHEARSAL, main)))


def run(descriptor: int) -> NoReturn:
    """Carry out one job in this very process, which nothing protects from it."""
    processes = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    taken = limits.addresses_in_use(processes)
    os.close(processes)
    here = os.getcwd()  # noqa: PTH109 it is handed on as text
    work_alone(descriptor, Place(here, os.environ.get("TMPDIR", here)), taken)


def work_alone(descriptor: int, place: Place, taken: int) -> NoReturn:
    """Do for one worker what a fork server does for all, and have it work."""
    prepare()
    scene.open_streams()
    channel = Channel()
    channel.open(descriptor)
    work(channel, place, taken)


def work(channel: Channel, place: Place, taken: int) -> NoReturn:
    """Wait for a job, carry it out, tell how it ended, and end with it. Channel and streams are open."""
    try:
        scene.settle(place)
        rehearse()
        job = channel.job()
    except Exception:  # noqa: BLE001 no job, or none that can begin
        os._exit(_UNUSABLE)
    if job is None:
        os._exit(0)
    try:
        code = ending.tell(_carried_out(job, channel, place, taken), channel)
    except BaseException:  # noqa: BLE001 nothing may go on from here
        os._exit(_UNUSABLE)
    os._exit(code)


def _carried_out(job: Job, channel: Channel, place: Place, taken: int) -> End:
    main = scene.begin(job, channel, place)
    limits.apply(scene.limits_of(job), taken)
    try:
        end = _value(job, main)
    except SystemExit as stop:
        end = ending.stopped(stop, job, main)
    except BaseException as error:  # noqa: BLE001 whatever the job raises is its end
        limits.use_headroom()
        end = ending.failed(error, job["filename"])
    return ending.settled(end, job, channel, place)


def _value(job: Job, main: ModuleType) -> End:
    if job["mode"] == "compile":
        return ending.good(base64.b64encode(marshal.dumps(_compiled(job))).decode("ascii"))
    code = marshal.loads(base64.b64decode(job["compiled"])) if job.get("compiled") else _compiled(job)  # noqa: S302
    _run(code, main)
    return ending.result(job, main)


def _compiled(job: Job) -> CodeType:
    awaiting = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT if job["mode"] != "script" else 0
    compiled: CodeType = compile(job["code"], job["filename"], "exec", flags=awaiting, dont_inherit=True)
    return compiled


def _run(code: CodeType, main: ModuleType) -> None:
    if code.co_flags & _IS_COROUTINE:
        import asyncio

        asyncio.run(eval(code, main.__dict__))  # noqa: S307 it is what this process is for
    else:
        exec(code, main.__dict__)  # noqa: S102
