"""What no job may reach: sockets, files, a signal handler and a secret of the host, each of which tells when it was."""

from __future__ import annotations

import os
import shutil
import signal
import socket
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

SECRET = "topsecret-canary"


@dataclass
class Canaries:
    """A folder with secrets, and listeners; `forbidden` are files that nobody may make."""

    folder: Path
    listeners: Mapping[str, socket.socket]
    addresses: Mapping[str, str | int]
    forbidden: tuple[Path, ...]
    watched: Mapping[Path, object]
    signals: list[int] = field(default_factory=list[int])

    def hits(self) -> list[str]:
        """Whatever was reached since they were set up or last asked."""
        found = [name for name, listener in self.listeners.items() if _heard(listener)]
        found += [f"signal {number}" for number in self.signals]
        self.signals.clear()
        for path in self.forbidden:
            if os.access(path, os.F_OK):
                found.append(f"{path} was written")
                path.unlink()
        found += [f"{path} was changed" for path, state in self.watched.items() if _state(path) != state]
        return found


@contextmanager
def canaries(folder: Path, *, tcp: int = 0, udp: int = 0, abstract: str | None = None) -> Generator[Canaries]:
    """Set all of them up, alive."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    _write_secrets(folder)
    name = abstract or f"gleitzeit-canary-{os.getpid()}-{os.urandom(4).hex()}"
    listeners = {
        "tcp": _bound(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", tcp)),
        "udp": _bound(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", udp)),
        "unix": _bound(socket.AF_UNIX, socket.SOCK_STREAM, str(folder / "docker.sock")),
        "unix datagrams": _bound(socket.AF_UNIX, socket.SOCK_DGRAM, str(folder / "log.sock")),
        "abstract": _bound(socket.AF_UNIX, socket.SOCK_STREAM, f"\0{name}"),
        "abstract datagrams": _bound(socket.AF_UNIX, socket.SOCK_DGRAM, f"\0{name}-datagrams"),
    }
    addresses: dict[str, str | int] = {
        "folder": str(folder),
        "tcp": listeners["tcp"].getsockname()[1],
        "udp": listeners["udp"].getsockname()[1],
        "abstract": name,
        "server": os.getpid(),
    }
    written = [folder / "written", folder / "pickled", Path("/dev/shm/gzx0")]
    written += [Path(place, "gz_evil") for place in ("/var/tmp", "/dev/shm", "/etc", "/root")]
    watched = {path: _state(path) for path in (folder, folder / "secret.txt", folder / ".ssh" / "id_test")}
    found = Canaries(folder, listeners, addresses, tuple(written), watched)
    before = signal.signal(signal.SIGUSR1, lambda number, _: found.signals.append(number))
    os.environ["GZ_SECRET"] = SECRET
    try:
        yield found
    finally:
        signal.signal(signal.SIGUSR1, before)
        os.environ.pop("GZ_SECRET")
        for listener in listeners.values():
            listener.close()
        shutil.rmtree(folder)


def _state(path: Path) -> object:
    if not path.exists():
        return None
    facts = path.stat()
    content = path.read_bytes() if path.is_file() else sorted(entry.name for entry in path.iterdir())
    return facts.st_mode, facts.st_uid, facts.st_gid, facts.st_mtime_ns, content


def _write_secrets(folder: Path) -> None:
    (folder / ".ssh").mkdir(exist_ok=True)
    (folder / "evil").mkdir(exist_ok=True)
    (folder / "secret.txt").write_text(SECRET, encoding="utf-8")
    (folder / ".ssh" / "id_test").write_text(SECRET, encoding="utf-8")
    (folder / "evil" / "sitecustomize.py").write_text(
        "import os; os.environ['GZ_EVIL_RAN'] = '1'; print('PWNED ESCAPED')\n", encoding="utf-8"
    )


def _bound(family: int, kind: int, address: tuple[str, int] | str) -> socket.socket:
    listener = socket.socket(family, kind)
    if isinstance(address, str) and not address.startswith("\0"):
        with suppress(FileNotFoundError):
            Path(address).unlink()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(address)
    if isinstance(address, str) and not address.startswith("\0"):
        Path(address).chmod(0o777)
    if kind == socket.SOCK_STREAM:
        listener.listen(8)
    listener.setblocking(False)
    return listener


def _heard(listener: socket.socket) -> bool:
    try:
        if listener.type == socket.SOCK_STREAM:
            listener.accept()[0].close()
        else:
            listener.recv(64)
    except BlockingIOError:
        return False
    return True
