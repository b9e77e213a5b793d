"""Who runs hostile code: a real provider in a server of its own, as whichever user, watched from outside."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tests.security.raw import ENOUGH, ROOT, has_ended, pythons

from gleitzeit_python.docker import sdk
from gleitzeit_python.docker.daemon import LABEL

SELF = "as it is"
NOBODY = "nobody"
_ROOTS = (ROOT, ROOT / "server", ROOT / "providers")
_PATIENCE = 60.0
_TRY = "import sys; import tests.security.served; print(sys.version_info[:2])"


@dataclass(frozen=True)
class Place:
    """A tier, and whose rights the server has that runs code in it."""

    tier: str
    user: str = SELF

    def __str__(self) -> str:
        return f"{self.tier}, {self.user}"


@dataclass(frozen=True)
class Observed:
    """What a run looked like from outside: `hits` are canaries that were reached, `left` processes too many."""

    succeeded: bool
    output: str
    seconds: float
    error: str = ""
    hits: tuple[str, ...] = ()
    left: int = 0


class UnavailableError(Exception):
    """Why code cannot be run in a tier, or as a user, on this machine."""


class ProviderRunner:
    """A `PythonProvider` in a process of its own. Raises `UnavailableError` where its tier cannot be had."""

    def __init__(self, tier: str, user: str = SELF, **settings: Any) -> None:
        python = _python(user)
        self._daemon: str | None = settings.get("docker", {}).get("host")
        self.folder = _folder(user)
        self.process = subprocess.Popen(
            [python, "-m", "tests.security.served", tier, str(self.folder), json.dumps(settings)],
            env=_environment(self.folder),
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            **_identity(user),
        )
        said = self._answer()
        if not said["ready"]:
            self.close()
            raise UnavailableError(said["reason"])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        assert self.close() == []

    def ask(self, code: str, **parameters: Any) -> None:
        """Have code carried out, and do not wait for it."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"code": code, **parameters}) + "\n")
        self.process.stdin.flush()

    def run(self, code: str, *, timeout: float, env: Mapping[str, str] | None = None) -> Observed:
        """Carry out inline code, with all of its files as artifacts and the addresses of the canaries as `args`."""
        self.ask(code, timeout=timeout, env=dict(env or {}))
        seen = self._answer()
        error, output = seen["error"], seen["output"]
        return Observed(not error, output, seen["seconds"], error, tuple(seen["hits"]), seen["left"])

    def kill(self) -> list[str]:
        """End the server by force; what is left of it."""
        return self._gone(self.process.kill)

    def close(self) -> list[str]:
        """Let the server end; what is left of it."""
        assert self.process.stdin is not None
        return self._gone(self.process.stdin.close)

    def wait_for_progress(self) -> None:
        """Until the code that was asked for last has told of some."""
        said = self._line()
        assert "progress" in said, said

    def _gone(self, end: Callable[[], object]) -> list[str]:
        started = list(_descendants(self.process.pid))
        end()
        try:
            self.process.wait(ENOUGH)
            left = [f"process {pid}" for pid in started if not has_ended(pid)]
            left += [f"folder {path.name}" for path in (self.folder / "tmp").iterdir()]
            mounts = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
            left += [f"mount {line}" for line in mounts if self.folder.name in line]
            return [*left, *self._containers()]
        finally:
            for stream in (self.process.stdin, self.process.stdout):
                assert stream is not None
                stream.close()
            shutil.rmtree(self.folder)

    def _containers(self) -> list[str]:
        """A daemon removes what has ended when it gets round to it, and tells nobody."""
        if self._daemon is None:
            return []
        with closing(sdk.load().APIClient(self._daemon)) as daemon:
            end = time.monotonic() + _PATIENCE
            while True:
                found = daemon.containers(all=True, filters={"label": LABEL})
                left = [one["Id"] for one in found if f":{self.process.pid}:" in one["Labels"][LABEL]]
                if not left or time.monotonic() > end:
                    return [f"container {name}" for name in left]
                time.sleep(0.1)

    def _answer(self) -> dict[str, Any]:
        while "progress" in (answer := self._line()):
            pass
        return answer

    def _line(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the server has ended"
        said: dict[str, Any] = json.loads(line)
        return said


def _descendants(pid: int) -> Iterator[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except OSError:  # it has ended meanwhile
        return
    for child in children:
        yield int(child)
        yield from _descendants(int(child))


def _identity(user: str) -> dict[str, Any]:
    if user == SELF:
        return {}
    account = pwd.getpwnam(user)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _environment(folder: Path) -> dict[str, str]:
    packages = sysconfig.get_path("purelib")
    kept = {name: value for name, value in os.environ.items() if name in ("DOCKER_HOST", "PATH")}
    places = os.pathsep.join(map(str, (*_ROOTS, packages)))
    home = {"HOME": str(folder), "GLEITZEIT_HOME": str(folder / "home"), "TMPDIR": str(folder / "tmp")}
    return {**kept, **home, "PYTHONPATH": places, "PYTHONDONTWRITEBYTECODE": "1"}


def _folder(user: str) -> Path:
    """The server's own temporary files are where nobody else has any, so that what is left of it is seen."""
    folder = Path(tempfile.mkdtemp(prefix="gleitzeit-security-"))
    (folder / "tmp").mkdir()
    if user != SELF:
        account = pwd.getpwnam(user)
        for path in (folder, folder / "tmp"):
            os.chown(path, account.pw_uid, account.pw_gid)
    folder.chmod(0o755)
    return folder


def _python(user: str) -> str:
    """An interpreter of this version that a user can run, with what a provider needs."""
    if user == SELF:
        return sys.executable
    if os.geteuid() != 0:
        raise UnavailableError(f"only root can become {user}")
    for python in pythons():
        try:
            tried = subprocess.run(
                [python, "-c", _TRY],
                env=_environment(Path(tempfile.gettempdir())),
                cwd="/",
                capture_output=True,
                text=True,
                check=False,
                **_identity(user),
            )
        except OSError:
            continue
        if tried.stdout.strip() == str(sys.version_info[:2]):
            return python
    raise UnavailableError(
        f"{user} can run no Python {sys.version_info[0]}.{sys.version_info[1]} here, or not this checkout"
    )
