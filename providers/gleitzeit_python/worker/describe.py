"""What of the disk an interpreter needs: its standard library, its packages, and the libraries that both load.

Run as a program it describes the interpreter that runs it, as JSON.
"""

from __future__ import annotations

import json
import os
import site
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

_LOADING: Final = "_bz2 _ctypes _decimal _hashlib _lzma _socket _sqlite3 _ssl _uuid _zoneinfo unicodedata zlib".split()
"""Modules of the standard library that bring libraries of the system with them."""

_SETTINGS: Final = ("/etc/ld.so.cache", "/etc/localtime", "/usr/share/zoneinfo")
_FOLDERS_OF_LIBRARIES: Final = ("/lib", "/lib64", "/usr/lib", "/usr/lib64")


def describe() -> dict[str, Any]:
    """The paths that have to be readable, and the folders of installed packages among them."""
    packages = list(_packages())
    standard = {sysconfig.get_path("stdlib"), *_standard_path()}
    needed = {*standard, *packages, *_libraries(), *(path for path in _SETTINGS if Path(path).exists())}
    return {
        "executable": sys.executable,
        "version": list(sys.version_info[:3]),
        "read_only": _outermost(path for path in needed if Path(path).exists()),
        "site_packages": packages,
    }


def _standard_path() -> Iterator[str]:
    """Where `-S` leaves modules to be found; a stub of a virtual environment counts as its base here."""
    name = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    for prefix in {sys.base_prefix, sys.base_exec_prefix}:
        yield str(Path(prefix, sys.platlibdir, name))
        yield str(Path(prefix, sys.platlibdir, name, "lib-dynload"))


def _packages() -> Iterator[str]:
    """Folders that the `site` module has added, in their order; not what `.pth` files in them point to."""
    known = [*site.getsitepackages(), *([site.getusersitepackages()] if site.ENABLE_USER_SITE else [])]
    yield from (path for path in sys.path if path in known and Path(path).is_dir())


def _libraries() -> set[str]:
    """The folders of the libraries that are loaded, once all that the standard library needs are."""
    for name in _LOADING:
        try:
            __import__(name)
        except ImportError:
            continue
    lines = Path("/proc/self/maps").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    files = {parts[5] for parts in (line.split(None, 5) for line in lines) if len(parts) > 5}
    return {os.path.dirname(file) for file in files if ".so" in os.path.basename(file) and file.startswith("/")}  # noqa: PTH119, PTH120


def _outermost(paths: Iterable[str]) -> list[str]:
    """Without those that are below another, but never widened to a whole system folder."""
    kept: list[str] = []
    for path in sorted(set(paths)):
        if not any(path.startswith(f"{outer}/") for outer in kept):
            kept.append(path)
    return kept


if __name__ == "__main__":
    json.dump(describe(), sys.stdout)
