"""The program between a host that holds three standard streams and a job that wants output, errors and frames apart.

It runs as the first process of a container, or as an unprotected process, and is sent to it: a length of ten digits and
this text, then the same for the sources that it needs, as JSON. It forks a process for the job at once, carries bytes
until that process is gone, tells how it went, and ends: in a container all that is left ends with it.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
import struct
import sys
from contextlib import suppress
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from types import ModuleType
from typing import Any, Final

_OUTPUT, _ERRORS, _FRAMES, _END = 1, 2, 3, 4
_PIECE: Final = 64 << 10
_FAR: Final = 100
_CHANNEL: Final = 3
_SET_DUMPABLE: Final = 4
_CGROUP_COUNTS: Final = ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control")


def read_exactly(size: int) -> bytes:
    """So many bytes of standard input; whoever sends fewer is gone."""
    data = b""
    while len(data) < size:
        chunk = os.read(0, size - len(data))
        if not chunk:
            os._exit(0)
        data += chunk
    return data


class Sources(MetaPathFinder, Loader):
    """Modules from texts."""

    def __init__(self, texts: dict[str, str]) -> None:
        self._texts = texts

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Of a module that is here; a package is one that others are in."""
        if fullname not in self._texts:
            return None
        is_package = any(name.startswith(f"{fullname}.") for name in self._texts)
        return spec_from_loader(fullname, self, is_package=is_package)

    def exec_module(self, module: ModuleType) -> None:
        """Run its text."""
        name = module.__name__
        exec(compile(self._texts[name], f"<{name}>", "exec"), module.__dict__)  # noqa: S102 they are our own


def main() -> None:
    """Fork the job's process, stand between it and the host, and end with it."""
    sources = Sources(json.loads(read_exactly(int(read_exactly(10)))))
    options = json.loads(read_exactly(int(read_exactly(10))))
    sys.meta_path.insert(0, sources)
    from gleitzeit_python.worker import task
    from gleitzeit_python.worker.place import Place

    sys.meta_path.remove(sources)
    for name in options["preload"]:
        with suppress(Exception):
            __import__(name)
    sys.path.extend(options["packages"])
    place = Place(options["work"], options["scratch"])
    gc.collect()
    gc.freeze()
    ours, theirs = socket.socketpair()
    output, errors, waking = os.pipe(), os.pipe(), os.pipe()
    os.set_blocking(waking[1], False)
    signal.set_wakeup_fd(waking[1])
    signal.signal(signal.SIGCHLD, _noticed)
    process = os.fork()
    if process == 0:
        try:
            _become_job((output[1], errors[1], theirs.detach()))
            task.work_alone(_CHANNEL, place, _addresses_in_use())
        finally:
            os._exit(70)
    for descriptor in (output[1], errors[1], theirs.detach()):
        os.close(descriptor)
    _hide()
    _tell(_END, b'{"ready": true}')
    Relay(process, ours, output[0], errors[0], waking[0]).run()


def _noticed(_number: int, _frame: Any) -> None:
    """Do nothing: that there is a handler is what makes the kernel wake us."""


def _become_job(descriptors: tuple[int, ...]) -> None:
    """Nothing on 0, output on 1 and 2, frames on 3, and the first to go where memory is short."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with suppress(AttributeError):
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as score:  # noqa: PTH123
        score.write("1000")
    wanted = (os.open(os.devnull, os.O_RDONLY), *descriptors)
    for place, descriptor in enumerate(wanted):
        os.dup2(descriptor, _FAR + place)
    for place in range(len(wanted)):
        os.dup2(_FAR + place, place, inheritable=place < _CHANNEL)
    os.closerange(len(wanted), _FAR + len(wanted))


def _addresses_in_use() -> int:
    try:
        with open("/proc/self/statm", encoding="ascii") as statistics:  # noqa: PTH123
            return int(statistics.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def _hide() -> None:
    """Let the job, which is of the same user, neither trace this process nor read its memory."""
    with suppress(Exception):
        import ctypes

        ctypes.CDLL(None).prctl(_SET_DUMPABLE, 0, 0, 0, 0)


def _memory_kills() -> int:
    """How often this container was too large for its memory; none where nobody counts."""
    for path in _CGROUP_COUNTS:
        with suppress(OSError, ValueError), open(path, encoding="ascii") as counts:  # noqa: PTH123
            found = dict(line.split()[:2] for line in counts if len(line.split()) > 1)
            return int(found.get("oom_kill", 0))
    return 0


class Relay:
    """Carries bytes between the host's streams and the job's until the job's process is gone."""

    def __init__(self, process: int, channel: socket.socket, output: int, errors: int, waking: int) -> None:
        self._process = process
        self._channel = channel
        self._kinds = {output: _OUTPUT, errors: _ERRORS, channel.fileno(): _FRAMES}
        self._waking = waking
        self._pending = b""
        for descriptor in self._kinds:
            os.set_blocking(descriptor, False)

    def run(self) -> None:
        """Go on until it is over; then tell how, and end."""
        end = None
        while end is None:
            reading = [*self._kinds, self._waking, *([] if self._pending else [0])]
            readable, writable, _ = select.select(reading, [self._channel] if self._pending else [], [])
            if writable:
                self._forward()
            if 0 in readable:
                self._from_host()
            for descriptor in [descriptor for descriptor in self._kinds if descriptor in readable]:
                self._from_job(descriptor)
            if self._waking in readable:
                os.read(self._waking, 4096)
                end = self._reap()
        for descriptor in list(self._kinds):
            while self._from_job(descriptor):
                pass  # a descendant may hold a pipe, but what is read by now is all that is told
        told = {"exit": end, "memory": end == -signal.SIGKILL and _memory_kills() > 0}
        _tell(_END, json.dumps(told).encode())
        os._exit(0)

    def _from_host(self) -> None:
        data = os.read(0, _PIECE)
        if not data:
            self._die()  # the host is gone, and nobody is left to hear of the job
        self._pending = data
        self._forward()

    def _forward(self) -> None:
        try:
            self._pending = self._pending[self._channel.send(self._pending) :]
        except BlockingIOError:
            return
        except OSError:
            self._pending = b""

    def _from_job(self, descriptor: int) -> int:
        try:
            data = os.read(descriptor, _PIECE)
        except BlockingIOError:
            return 0
        except OSError:
            data = b""
        if data:
            _tell(self._kinds[descriptor], data)
        else:
            del self._kinds[descriptor]
        return len(data)

    def _reap(self) -> int | None:
        """Bury the dead; the exit code of the job's process once it is among them, a signal as a negative number."""
        end = None
        with suppress(ChildProcessError):
            while True:
                process, status = os.waitpid(-1, os.WNOHANG)
                if process == 0:
                    break
                if process == self._process:
                    end = os.waitstatus_to_exitcode(status)
        return end

    def _die(self) -> None:
        if os.getpid() != 1:
            os.killpg(0, signal.SIGKILL)
        os._exit(0)


def _tell(kind: int, data: bytes) -> None:
    rest = memoryview(struct.pack(">BI", kind, len(data)) + data)
    while rest:
        rest = rest[os.write(1, rest) :]


main()
