"""Which paths are left: the kernel's own rules on files, TCP, signals and abstract sockets."""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterable
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


def restrict(abi: int, readable: Iterable[str], writable: Iterable[str], given: Iterable[str] = ()) -> None:
    """Leave nothing but these paths, and no connection; for good. Those `given` may be read if no link is in them."""
    handled = _handled(abi)
    rules = _ruleset(abi, handled)
    may_read = _READ_FILE | _READ_FOLDER
    may_write = handled & ~(_EXECUTE | _MAKE_DEVICE_OR_SOCKET | _DEVICE_CONTROL)
    for paths, access in ((readable, may_read), (writable, may_write)):
        for path in paths:
            with suppress(OSError):
                _allow(rules, os.open(path, os.O_PATH | os.O_CLOEXEC), access)
    for path in given:
        _allow(rules, opened(path), may_read)
    call("landlock_restrict_self", rules, 0)
    os.close(rules)


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


def _allow(rules: int, beneath: int, access: int) -> None:
    try:
        is_folder = stat.S_ISDIR(os.fstat(beneath).st_mode)
        granted = access if is_folder else access & _OF_FILES
        rule = struct.pack("=Qi", granted, beneath)
        call("landlock_add_rule", rules, _PATH_BENEATH, rule, 0)
    finally:
        os.close(beneath)
