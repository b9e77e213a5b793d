"""The image of a container that has this very interpreter, made of its files: no registry is asked for anything."""

from __future__ import annotations

import hashlib
import io
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

WORK: Final = "/job"
SCRATCH: Final = "/scratch"
PYTHON: Final = "/python"
USER: Final = "65534:65534"

_SKIPPED: Final = frozenset(
    "test tests idle_test idlelib turtledemo ensurepip lib2to3 tkinter __pycache__ site-packages dist-packages "
    "pydoc_data".split()
)
_FOLDERS: Final = ("tmp", "job", "scratch", "dev", "proc", "sys", "etc", "usr", "usr/bin", "bin", "run", "lib.d")
_PROGRAMS: Final = tuple(
    "cat cp cut date echo env find grep head id ls mkdir mv rm sed sh sleep sort tail tr wc".split()
)
"""What code that starts programs finds beside Python, where this machine has it."""
_TEXTS: Final = {
    "etc/passwd": "root:x:0:0::/:/sbin/nologin\nsandbox:x:65534:65534::/job:/sbin/nologin\n",
    "etc/group": "root:x:0:\nsandbox:x:65534:\n",
}
_LIBRARY: Final = re.compile(r"(/\S+)")
_AT_ONCE: Final = 100


@dataclass(frozen=True, slots=True)
class Interpreter:
    """Where the files of an interpreter are."""

    program: Path
    library: Path
    version: str

    @classmethod
    def running(cls) -> Interpreter:
        """The one that runs this, and not the virtual environment that it may be in."""
        program = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
        return cls(program, Path(sysconfig.get_path("stdlib")).resolve(), sys.version)

    @property
    def image(self) -> str:
        """The name of its image: another one once anything of it is another."""
        facts = (self.program, self.library, self.version, self.program.stat().st_mtime_ns, _FOLDERS, _PROGRAMS)
        return f"gleitzeit-python:{hashlib.sha256(repr(facts).encode()).hexdigest()[:16]}"

    @property
    def changes(self) -> tuple[str, ...]:
        """What the image is told beside its files."""
        return (f"USER {USER}", f"WORKDIR {WORK}", 'LABEL "io.gleitzeit.sandbox"="image"', f'CMD ["{PYTHON}", "-I"]')

    def tar(self) -> bytes:
        """The whole tree."""
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w") as tree:
            _Tree(tree).fill(self)
        return data.getvalue()


class _Tree:
    def __init__(self, tree: tarfile.TarFile) -> None:
        self._tree = tree
        self._names: set[str] = set()

    def fill(self, interpreter: Interpreter) -> None:
        for folder in _FOLDERS:
            self._folder(folder)
        for name, text in _TEXTS.items():
            self._text(name, text)
        modules = list(_modules(interpreter.library))
        for file in modules:
            self._file(file)
        programs = [path for name in _PROGRAMS if (path := _program(name)) is not None]
        for path in programs:
            self._file(path.resolve())
            self._link(f"bin/{path.name}", path.resolve())
        self._file(interpreter.program)
        for link in ("python", "usr/bin/python3", "bin/python3", "bin/python"):
            self._link(link, interpreter.program)
        binaries = [interpreter.program, *(p.resolve() for p in programs), *(m for m in modules if m.suffix == ".so")]
        for path in sorted(set(_libraries(binaries))):
            self._file(path.resolve())
            self._link(str(path).lstrip("/"), path.resolve())

    def _folder(self, name: str) -> None:
        entry = tarfile.TarInfo(name)
        entry.type = tarfile.DIRTYPE
        entry.mode = 0o1777 if name in ("tmp", "job", "scratch") else 0o755
        self._tree.addfile(entry)

    def _text(self, name: str, text: str) -> None:
        entry = tarfile.TarInfo(name)
        entry.size = len(text)
        self._tree.addfile(entry, io.BytesIO(text.encode()))

    def _file(self, path: Path) -> None:
        if self._is_new(str(path).lstrip("/")):
            self._tree.add(path, str(path).lstrip("/"), recursive=False, filter=_for_everybody)

    def _link(self, name: str, target: Path) -> None:
        if self._is_new(name):
            entry = tarfile.TarInfo(name)
            entry.type = tarfile.SYMTYPE
            entry.linkname = str(target)
            self._tree.addfile(entry)

    def _is_new(self, name: str) -> bool:
        is_new = name not in self._names
        self._names.add(name)
        return is_new


def _for_everybody(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Files of root's own home can be read by nobody but root; and none keeps a bit that raises rights."""
    entry.mode = 0o755 if entry.mode & 0o100 else 0o644
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


def _modules(library: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(library):
        folders[:] = [name for name in folders if name not in _SKIPPED and not name.startswith("config-")]
        yield from (Path(folder, name) for name in files if not name.endswith(".a"))


def _program(name: str) -> Path | None:
    return next((path for folder in ("/bin", "/usr/bin") if (path := Path(folder, name)).is_file()), None)


def _libraries(binaries: list[Path]) -> Iterator[Path]:
    """What the loader would load for them, by its own account."""
    for start in range(0, len(binaries), _AT_ONCE):
        some = [str(path) for path in binaries[start : start + _AT_ONCE]]
        told = subprocess.run(["ldd", *some], capture_output=True, text=True, check=False)  # noqa: S603, S607
        for line in told.stdout.splitlines():
            if line.startswith("\t") and (match := _LIBRARY.search(line)) and Path(match[1]).exists():
                yield Path(match[1])
