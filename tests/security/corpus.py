"""All cases, by what they go for."""

from __future__ import annotations

from collections.abc import Mapping

from tests.security.cases import files, interpreter, processes, resources, sockets, syscalls
from tests.security.cases.case import Case

KINDS: Mapping[str, list[Case]] = {
    "files, secrets in them, disk": files.CASES,
    "sockets": sockets.CASES,
    "processes, signals, memory of others": processes.CASES,
    "memory, threads, descriptors, floods": resources.CASES,
    "other calls of the kernel": syscalls.CASES,
    "interpreter, imports, hostile values": interpreter.CASES,
}

CASES = [case for cases in KINDS.values() for case in cases]


def kind_of(case: Case) -> str:
    """What a case goes for."""
    return next(kind for kind, cases in KINDS.items() if case in cases)
