"""A fork server: it makes workers until its control socket closes, and takes all of them with it.

What is spoken on the control socket, a datagram each (SOCK_SEQPACKET):

    host    the options (`options.py`)
    zygote  {"ready": true, "tier", "landlock_abi", "pid", "missing"}, or {"error", "step"} and it ends
    host    {"spawn": {"work": folder | null}} with three descriptors: stdout, stderr, frames
    zygote  {"pid"} with the worker's pidfd, or {"error"}
    zygote  {"exited": pid, "code": n | null, "signal": n | null}, for each worker, if the options say `"notices": true`

Pids are those of the zygote's own namespace: names for notices, nothing to signal by. A folder for work is named by
the host, and the zygote's to make, and to remove once its worker has ended. `pid` in "ready" is that of the process
that was started.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Sequence
from typing import Any, Final, NoReturn

from gleitzeit_python.worker import kernel, landlock, limits, namespaces, task
from gleitzeit_python.worker.channel import Channel
from gleitzeit_python.worker.lockdown import CHANNEL, Lock, take_low_numbers
from gleitzeit_python.worker.options import SCRATCH, WORK, Options, options
from gleitzeit_python.worker.preload import preload
from gleitzeit_python.worker.removal import remove

_LONGEST_OPTIONS: Final = 1 << 20
_LONGEST_MESSAGE: Final = 1 << 16
_FAVOURED_WHEN_MEMORY_ENDS: Final = b"500"
_FAILED: Final = 70
_OUTPUT_AND_FRAMES: Final = 3


class Zygote:
    """The fork server, once it is where its tier wants it."""

    def __init__(self, control: socket.socket, settings: Options, processes: int) -> None:
        self._control = control
        self._options = settings
        self._lock = Lock.of(settings, processes)
        self._own = os.pidfd_open(os.getpid())
        self._workers: dict[int, str | None] = {}
        self._children: dict[int, int] = {}
        self._waiting = select.poll()
        self._parent_of_workers = 0 if settings.namespaces else os.getpid()
        self._channel = Channel()
        self._taken = limits.addresses_in_use(processes)

    def greet(self, pid: int, missing: Sequence[str]) -> None:
        """Tell the host that workers can be had."""
        facts = {"tier": self._options.tier, "landlock_abi": self._lock.abi, "pid": pid, "missing": list(missing)}
        _tell(self._control, {"ready": True, **facts})

    def serve(self) -> None:
        """Make workers until the host goes."""
        control = self._control.fileno()
        self._waiting.register(control, select.POLLIN)
        while True:
            ready = {descriptor for descriptor, _ in self._waiting.poll()}
            for descriptor in ready & self._children.keys():
                self._reap(descriptor)
            if control in ready and not self._answer():
                return

    def close(self) -> None:
        """Kill the workers that are left, and remove their folders. In a namespace of processes the kernel does it."""
        for pid in self._workers:
            os.kill(pid, signal.SIGKILL)
        for pid, folder in self._workers.items():
            os.waitpid(pid, 0)
            if folder is not None:
                remove(folder)

    def _answer(self) -> bool:
        try:
            message, descriptors, _, _ = socket.recv_fds(self._control, _LONGEST_MESSAGE, _OUTPUT_AND_FRAMES)
        except ConnectionResetError:  # the host has gone with something unread
            return False
        if not message:
            return False
        try:
            self._spawn(json.loads(message)["spawn"], descriptors)
        except (OSError, ValueError, KeyError, TypeError) as error:
            _tell(self._control, {"error": f"no worker could be made: {error}"})
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        return True

    def _spawn(self, wanted: dict[str, Any], descriptors: Sequence[int]) -> None:
        if len(descriptors) != _OUTPUT_AND_FRAMES:
            raise ValueError(f"a worker needs 3 descriptors, not {len(descriptors)}")
        if self._options.namespaces:
            # A process can make a namespace of processes for its children only from within its own.
            kernel.set_namespace(self._own, kernel.NEW_PROCESSES)
            kernel.unshare(kernel.NEW_PROCESSES)
        folder = wanted.get("work")
        pid = _fork_with(folder)
        if pid == 0:
            self._become_worker(descriptors, folder)
        self._workers[pid] = folder
        descriptor = self._watch(pid)
        socket.send_fds(self._control, [b'{"pid":%d}' % pid], [descriptor])

    def _watch(self, pid: int) -> int:
        """Hear of the end of a child by a descriptor of it: a handler of SIGCHLD would be in the way of each worker."""
        descriptor = os.pidfd_open(pid)
        self._children[descriptor] = pid
        self._waiting.register(descriptor, select.POLLIN)
        return descriptor

    def _become_worker(self, descriptors: Sequence[int], work: str | None) -> NoReturn:
        try:
            kernel.die_with_parent()
            if os.getppid() != self._parent_of_workers:
                os._exit(0)
            place = self._lock.close(descriptors, work)
        except BaseException as error:  # noqa: BLE001 nothing of the fork server may run on in a worker
            # Where its socket is not on 3 yet, nothing can be written there, and its end alone tells of it.
            broken = {"ok": False, "exit": _FAILED, "broken": f"{type(error).__name__}: {error}"}
            with contextlib.suppress(OSError):
                os.write(CHANNEL, json.dumps({"end": broken}).encode() + b"\n")
            os._exit(_FAILED)
        self._channel.open(CHANNEL)
        task.work(self._channel, place, self._taken)

    def _reap(self, descriptor: int) -> None:
        self._waiting.unregister(descriptor)
        os.close(descriptor)
        pid, status = os.waitpid(self._children.pop(descriptor), 0)
        if pid not in self._workers:
            return
        if self._options.notices:
            code = os.waitstatus_to_exitcode(status)
            by = {"code": code, "signal": None} if code >= 0 else {"code": None, "signal": -code}
            _tell(self._control, {"exited": pid, **by})
        folder = self._workers.pop(pid)
        if folder is not None and (remover := _remove(folder)):
            self._watch(remover)


def serve(descriptor: int) -> None:
    """Become a fork server that is controlled by the socket behind a descriptor."""
    control = socket.socket(fileno=descriptor)
    control.set_inheritable(False)
    step = ["options"]
    try:
        zygote = _settle(control, step)
    except Exception as error:  # noqa: BLE001 whatever it is, the host has to hear of it
        _tell(control, {"error": f"{type(error).__name__}: {error}", "step": step[0]})
        os._exit(_FAILED)
    zygote.serve()
    zygote.close()
    os._exit(0)


def _settle(control: socket.socket, step: list[str]) -> Zygote:
    """Go where the tier wants it, then import what workers shall have at hand: from there, if it can be had there."""
    settings = options(json.loads(control.recv(_LONGEST_OPTIONS)))
    pid = os.getpid()
    if os.getpgrp() != pid:
        os.setsid()
    take_low_numbers()
    processes = os.open("/proc", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    _be_killed_first(processes)
    kernel.use_one_arena()
    threading.stack_size(limits.THREAD_STACK)
    time.localtime()  # reads the time zone, while it can be read
    step[0] = "namespaces"
    if settings.namespaces:
        namespaces.enter(settings, processes)
        _move_into_namespace(control)
        kernel.set_host_name("sandbox")
    else:
        _check_landlock()
        kernel.set_dumpable(False)
    step[0] = "preload"
    missing = preload(settings)
    _usual_signals()
    limits.hold_all()
    _check_single(processes)
    zygote = Zygote(control, settings, processes)
    zygote.greet(pid, missing)
    return zygote


def _move_into_namespace(control: socket.socket) -> None:
    """Go on as the first process of the new namespace, so that all workers end with it; wait for it outside."""
    pid = os.fork()
    if pid == 0:
        kernel.die_with_parent()
        return
    control.close()
    _, status = os.waitpid(pid, 0)
    os._exit(abs(os.waitstatus_to_exitcode(status)))


def _check_landlock() -> None:
    if landlock.version() == 0:
        raise OSError("this kernel has no Landlock, or it is switched off")


def _be_killed_first(processes: int) -> None:
    """When the machine runs out of memory, a job is less of a loss than the server is."""
    with contextlib.suppress(OSError):
        descriptor = os.open("self/oom_score_adj", os.O_WRONLY | os.O_CLOEXEC, dir_fd=processes)
        try:
            os.write(descriptor, _FAVOURED_WHEN_MEMORY_ENDS)
        finally:
            os.close(descriptor)


def _usual_signals() -> None:
    """A job starts as any program of Python does, whatever the preloaded modules have made of it."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_IGN)


def _check_single(processes: int) -> None:
    """A fork copies one thread, and whatever locks the others held stay locked for ever."""
    threads = os.open("self/task", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=processes)
    try:
        count = len(os.listdir(threads))  # noqa: PTH208 it is a descriptor
    finally:
        os.close(threads)
    if count > 1:
        raise RuntimeError(f"the preloaded modules have started {count - 1} threads")


def _fork_with(folder: str | None) -> int:
    """Fork, with a new folder where one is named. The host only names it: if it is killed, nobody would remove it."""
    if folder is not None:
        os.mkdir(folder, 0o700)  # noqa: PTH102 no pathlib where it must be quick
    try:
        return os.fork()
    except OSError:
        if folder is not None:
            os.rmdir(folder)  # noqa: PTH106 as above
        raise


def _remove(folder: str) -> int:
    """Remove a folder; one that is full in a child, whose pid this is, for meanwhile others want workers."""
    try:
        for path in (folder + WORK, folder + SCRATCH, folder):
            os.rmdir(path)  # noqa: PTH106 no pathlib where it must be quick
        return 0
    except OSError:
        pass
    pid = os.fork()
    if pid == 0:
        try:
            remove(folder)
        finally:
            os._exit(0)
    return pid


def _tell(control: socket.socket, message: dict[str, Any]) -> None:
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        control.send(json.dumps(message).encode())
