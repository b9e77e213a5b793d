"""Which paths are left: the kernel's own rules on files, TCP, signals and abstract sockets."""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Final

from gleitzeit_python.worker.kernel import attempt, call
from gleitzeit_python.worker.paths import opened

_EXECUTE: Final = 1 << 0
_WRITE_FILE: Final = 1 << 1
_READ_FILE: Final = 1 << 2
_READ_FOLDER: Final = 1 << 3
_MAKE_DEVICE_OR_SOCKET: Final = 1 << 6 | 1 << 9 | 1 << 10 | 1 << 11
_TRUNCATE: Final = 1 << 14
_DEVICE_CONTROL: Final = 1 << 15
_OF_FILES: Final = _WRITE_FILE | _READ_FILE | _TRUNCATE
_VERSION: Final = 1
_PATH_BENEATH: Final = 1
_ABI_WITH_REFER: Final = 2
_ABI_WITH_TRUNCATE: Final = 3
_ABI_WITH_NETWORK: Final = 4
_ABI_WITH_DEVICE_CONTROL: Final = 5
_ABI_WITH_SCOPES: Final = 6


def version() -> int:
    """The ABI that the kernel speaks; 0 where it has no Landlock."""
    return max(0, attempt("landlock_create_ruleset", 0, 0, _VERSION))


class Rules:
    """What may be read: of `readable`, the paths that are there, and all that are `given`, if no link is in them.

    Each rule names a descriptor, which has to stay open until the rules hold; whoever makes a worker closes them all.

    Where the paths are `lasting`, as in a root of one's own, they are opened once for all workers of a fork server;
    elsewhere a path may soon be another file.
    """

    def __init__(self, abi: int, readable: Sequence[str], given: Sequence[str] = (), *, lasting: bool) -> None:
        self._abi = abi
        self._handled = _handled(abi)
        self._written = self._handled & ~(_EXECUTE | _MAKE_DEVICE_OR_SOCKET | _DEVICE_CONTROL)
        self._readable = readable
        self._given = given
        self._lasting = self._standing() if lasting and abi else None

    def restrict(self, writable: Iterable[str]) -> None:
        """Leave this process nothing but these paths and what may be read, and no connection; for good.

        Raises `OSError` where a given path has a link in it or is not there.
        """
        ruleset = _ruleset(self._abi, self._handled)
        standing = self._standing() if self._lasting is None else self._lasting
        for rule in (*standing, *(_rule(_place(path), self._written) for path in writable)):
            call("landlock_add_rule", ruleset, _PATH_BENEATH, rule, 0)
        call("landlock_restrict_self", ruleset, 0)

    def _standing(self) -> Sequence[bytes]:
        standing: list[bytes] = []
        for path in self._readable:
            with suppress(OSError):
                standing.append(_rule(_place(path), _READ_FILE | _READ_FOLDER))
        standing += [_rule(opened(path), _READ_FILE | _READ_FOLDER) for path in self._given]
        return standing


def _handled(abi: int) -> int:
    rights = (1 << 13) - 1
    for needed, right in ((_ABI_WITH_REFER, 1 << 13), (_ABI_WITH_TRUNCATE, _TRUNCATE)):
        rights |= right if abi >= needed else 0
    return rights | (_DEVICE_CONTROL if abi >= _ABI_WITH_DEVICE_CONTROL else 0)


def _ruleset(abi: int, handled: int) -> int:
    network = 3 if abi >= _ABI_WITH_NETWORK else 0
    scopes = 3 if abi >= _ABI_WITH_SCOPES else 0
    size = 24 if scopes else 16 if network else 8
    attributes = struct.pack("QQQ", handled, network, scopes)[:size]
    return call("landlock_create_ruleset", attributes, size, 0)


def _place(path: str) -> int:
    return os.open(path, os.O_PATH | os.O_CLOEXEC)


def _rule(beneath: int, access: int) -> bytes:
    is_folder = stat.S_ISDIR(os.fstat(beneath).st_mode)
    return struct.pack("=Qi", access if is_folder else access & _OF_FILES, beneath)
