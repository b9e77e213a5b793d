"""A host in few lines, without a loop: it starts a fork server, has it make workers, and speaks with them."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import pwd
import secrets
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "providers" / "gleitzeit_python" / "worker" / "start.py"
DESCRIBE = PROGRAM.with_name("describe.py")
PRELOAD = (
    "json csv math datetime ast inspect asyncio random re decimal statistics collections itertools io traceback "
    "tempfile hashlib time threading concurrent.futures encodings.idna _strptime"
).split()
ENVIRONMENT = {"LANG": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
ENOUGH = 10.0

Answer = Callable[[dict[str, Any]], dict[str, Any] | None]


@dataclass
class Ran:
    """What became of a job, and all that came out of its worker."""

    end: dict[str, Any] | None = None
    frames: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    garbage: list[bytes] = field(default_factory=list[bytes])
    stdout: bytes = b""
    stderr: bytes = b""
    written: int = 0
    seconds: float = 0.0
    timed_out: bool = False
    notice: dict[str, Any] | None = None

    @property
    def text(self) -> str:
        return self.stdout.decode("utf-8", "replace")

    @property
    def value(self) -> Any:
        assert self.end is not None, self
        assert self.end["ok"], self.end
        return self.end["value"]

    @property
    def error(self) -> dict[str, str]:
        assert self.end is not None, self
        return dict(self.end["error"])

    @property
    def files(self) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        for frame in self.frames:
            if "artifact" in frame:
                found[frame["artifact"]] = found.get(frame["artifact"], b"") + base64.b64decode(frame["data"])
        return found


def described(python: str) -> dict[str, Any]:
    """What an interpreter needs to read."""
    told = subprocess.run([python, "-I", str(DESCRIBE)], capture_output=True, check=True, timeout=ENOUGH)
    found: dict[str, Any] = json.loads(told.stdout)
    return found


class Worker:
    """The host's ends of one worker."""

    def __init__(self, pid: int, pidfd: int, stdout: int, stderr: int, frames: socket.socket) -> None:
        self.pid, self.pidfd, self.stdout, self.stderr, self.frames = pid, pidfd, stdout, stderr, frames

    @property
    def host_pid(self) -> int:
        """Its pid as the host counts, -1 once it is gone."""
        lines = Path(f"/proc/self/fdinfo/{self.pidfd}").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("Pid:"))

    def send(self, frame: Mapping[str, Any]) -> None:
        self.frames.sendall(json.dumps(frame).encode() + b"\n")

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)

    def gone(self, seconds: float = ENOUGH) -> bool:
        return bool(select.select([self.pidfd], [], [], seconds)[0])

    def close(self) -> None:
        self.kill()
        assert self.gone()
        for descriptor in (self.pidfd, self.stdout, self.stderr):
            os.close(descriptor)
        self.frames.close()

    def finish(self, timeout: float, answer: Answer | None = None, cap: int = 1 << 20) -> Ran:
        """Listen until it has told its end or is gone; kill it when it takes too long."""
        ran, started = Ran(), time.monotonic()
        buffer, open_ends = b"", {self.stdout, self.stderr, self.frames.fileno()}
        while open_ends and not (ran.end and open_ends == {self.frames.fileno()}):
            left = started + timeout - time.monotonic()
            if left <= 0:
                ran.timed_out = True
                break
            ready = select.select([*open_ends, self.pidfd], [], [], left)[0]
            if ready == [self.pidfd]:
                break
            for descriptor in ready:
                if descriptor == self.pidfd:
                    continue
                if descriptor == self.frames.fileno():
                    with contextlib.suppress(ConnectionResetError):
                        data = self.frames.recv(65536)
                        buffer = self._take(buffer + data, ran, answer)
                        if data:
                            continue
                    open_ends.discard(descriptor)
                elif not _keep(ran, descriptor, self.stdout, cap):
                    open_ends.discard(descriptor)
        if buffer:
            ran.garbage.append(buffer)
        ran.seconds = time.monotonic() - started
        return ran

    def _take(self, buffer: bytes, ran: Ran, answer: Answer | None) -> bytes:
        *lines, rest = buffer.split(b"\n")
        for line in lines:
            try:
                frame = json.loads(line)
            except (ValueError, RecursionError):
                ran.garbage.append(line)
                continue
            if "end" in frame:
                ran.end = frame["end"]
            else:
                ran.frames.append(frame)
                reply = answer(frame) if answer and "id" in frame else None
                if reply is not None:
                    self.send({"id": frame["id"], **reply})
        return rest


def _keep(ran: Ran, descriptor: int, stdout: int, cap: int) -> int:
    data = os.read(descriptor, 65536)
    ran.written += len(data)
    if descriptor == stdout:
        ran.stdout = (ran.stdout + data)[:cap]
    else:
        ran.stderr = (ran.stderr + data)[:cap]
    return len(data)


class Server:
    """A fork server of one tier, run by an interpreter as a user."""

    def __init__(
        self,
        tier: str,
        *,
        python: str = sys.executable,
        user: str | None = None,
        preload: Sequence[str] = PRELOAD,
        packages: bool = False,
        extra: Sequence[str | list[str]] = (),
        **options: Any,
    ) -> None:
        tree = described(python)
        self.tier = tier
        self._user = pwd.getpwnam(user) if user is not None else None
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.settimeout(ENOUGH)
        command = [python, "-I", "-S", "-X", "frozen_modules=on", str(PROGRAM), "zygote", str(theirs.fileno())]
        self.process = subprocess.Popen(
            command,
            pass_fds=[theirs.fileno()],
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=None,
            cwd="/",
            start_new_session=True,
            user=None if self._user is None else self._user.pw_uid,
            group=None if self._user is None else self._user.pw_gid,
            extra_groups=None if self._user is None else [],
        )
        theirs.close()
        document = {
            "tier": tier,
            "read_only": [*tree["read_only"], *extra],
            "site_packages": tree["site_packages"] if packages else [],
            "preload": list(preload),
            "notices": True,
            **options,
        }
        self.control.send(json.dumps(document).encode())
        self.folders: list[Path] = []
        self.facts: dict[str, Any] = json.loads(self.control.recv(1 << 16))
        self._notices: dict[int, dict[str, Any]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def ready(self) -> bool:
        return self.facts.get("ready") is True

    def close(self) -> None:
        self.control.close()
        self.process.wait(ENOUGH)

    def processes(self) -> set[int]:
        """All processes that it has started and that are still there, itself among them."""
        return {pid for pid in _pids() if _session_of(pid) == self.process.pid}

    def spawn(self) -> Worker:
        """A worker that waits for its job."""
        stdout, stdout_end = os.pipe2(os.O_CLOEXEC)
        stderr, stderr_end = os.pipe2(os.O_CLOEXEC)
        frames, frames_end = socket.socketpair()
        ends = [stdout_end, stderr_end, frames_end.fileno()]
        message = {"spawn": {"work": self._folder() if self.tier == "ll" else None}}
        socket.send_fds(self.control, [json.dumps(message).encode()], ends)
        for end in (stdout_end, stderr_end):
            os.close(end)
        frames_end.close()
        answer, descriptors = self._hear()
        assert descriptors, answer
        return Worker(answer["pid"], descriptors[0], stdout, stderr, frames)

    def exited(self, worker: Worker) -> dict[str, Any]:
        """What the fork server tells of the end of a worker."""
        while worker.pid not in self._notices:
            self._note(json.loads(self.control.recv(1 << 16)))
        return self._notices.pop(worker.pid)

    def settle(self) -> None:
        """Wait until it does nothing but wait itself: what removes files has ended."""
        usual = {self.process.pid, max(self.processes())} if self.tier == "ns" else {self.process.pid}
        assert all(has_ended(pid) for pid in self.processes() - usual)

    def run(self, code: str, *, timeout: float = ENOUGH, answer: Answer | None = None, **job: Any) -> Ran:
        """Carry out one job in a worker of its own."""
        worker = self.spawn()
        try:
            with contextlib.suppress(BrokenPipeError):
                worker.send(a_job(code, **job))
            ran = worker.finish(timeout, answer)
            worker.kill()
            assert worker.gone()
            ran.notice = self.exited(worker)
        finally:
            worker.close()
        return ran

    def _folder(self) -> str:
        folder = Path(tempfile.gettempdir(), f"gleitzeit-test-{secrets.token_hex(8)}")
        self.folders.append(folder)
        return str(folder)

    def _hear(self) -> tuple[dict[str, Any], list[int]]:
        while True:
            message, descriptors, _, _ = socket.recv_fds(self.control, 1 << 16, 1)
            answer = json.loads(message)
            if "exited" not in answer:
                return answer, descriptors
            self._note(answer)

    def _note(self, notice: dict[str, Any]) -> None:
        self._notices[notice["exited"]] = notice


def _pids() -> Iterator[int]:
    yield from (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())


def _session_of(pid: int) -> int:
    """The session that a process belongs to; none once it has ended."""
    try:
        state, _, _, session = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[:4]
    except OSError:
        return -1
    return -1 if state == "Z" else int(session)


def has_ended(pid: int, seconds: float = ENOUGH) -> bool:
    """Wait for the end of a process that is none of our children."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], seconds)[0])
    finally:
        os.close(descriptor)


def usable(python: str, user: str) -> bool:
    """Whether a user can run an interpreter, and read the program of the fork server."""
    account = pwd.getpwnam(user)
    command = [python, "-I", "-c", "import sys; open(sys.argv[1])", str(PROGRAM)]
    try:
        outcome = subprocess.run(
            command,
            user=account.pw_uid,
            group=account.pw_gid,
            extra_groups=[],
            capture_output=True,
            cwd="/",
            check=False,
        )
    except OSError:
        return False
    return outcome.returncode == 0


def a_job(code: str, **job: Any) -> dict[str, Any]:
    """A job with the limits that tests have, as the worker is given it."""
    limits = {"memory": 256 << 20, "cpu": 10, "file": 32 << 20, **job.pop("limits", {})}
    usual: dict[str, Any] = {"filename": "<task>", "mode": "inline", "args": None, "env": {}, "allowed_modules": None}
    return {"code": code, **usual, "limits": limits, **job}


def pythons() -> Iterator[str]:
    """Interpreters of this machine that are new enough: the one that runs, and others on the usual paths."""
    yield sys.executable
    names = [f"python3.{minor}" for minor in range(11, 16)]
    folders = ["/usr/bin", "/usr/local/bin", *map(str, Path.home().glob(".pyenv/versions/*/bin"))]
    for name in names:
        for folder in folders:
            if Path(folder, name).is_file():
                yield str(Path(folder, name))
