"""Programs for the kernel's packet filter, which it runs before each system call."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from gleitzeit_python.worker.kernel import checked, libc

ITSELF: Final = 0x7FFFFFF0
"""Stands for the process that a filter will be installed in."""

LOAD: Final = 0x20
JUMP: Final = 0x05
EQUAL: Final = 0x15
AT_LEAST: Final = 0x35
ANY_BIT: Final = 0x45
RETURN: Final = 0x06

_FARTHEST: Final = 255
_SET_SECCOMP: Final = 22
_FILTER: Final = 2


class Instruction(NamedTuple):
    """One instruction of the kernel's packet filter."""

    code: int
    if_true: int
    if_false: int
    value: int


Body = tuple[Instruction, ...]
"""Instructions, each of whose ways returns."""


class _Filter(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_ushort),
        ("if_true", ctypes.c_ubyte),
        ("if_false", ctypes.c_ubyte),
        ("value", ctypes.c_uint),
    )


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filters", ctypes.POINTER(_Filter)))


class Filter:
    """A program as the kernel takes it, made once for all workers of a fork server."""

    def __init__(self, instructions: Sequence[Instruction]) -> None:
        self._filters = (_Filter * len(instructions))(*(_Filter(*instruction) for instruction in instructions))
        self._own = [place for place, instruction in enumerate(instructions) if instruction.value == ITSELF]

    def install(self, process: int) -> None:
        """Have the kernel run it before every call that this process makes from now on."""
        for place in self._own:
            self._filters[place].value = process
        wrapped = _Program(len(self._filters), self._filters)
        arguments = (ctypes.c_ulong(_FILTER), ctypes.byref(wrapped), ctypes.c_ulong(0), ctypes.c_ulong(0))
        checked(libc.prctl(ctypes.c_int(_SET_SECCOMP), *arguments), "seccomp")


def load(offset: int) -> Instruction:
    """Take the word at this place of what is known of a call."""
    return Instruction(LOAD, 0, 0, offset)


def answer(action: int) -> Instruction:
    """End with this action."""
    return Instruction(RETURN, 0, 0, action)


def by_number(bodies: Mapping[int, Body], others: Mapping[int, Body]) -> list[Instruction]:
    """What to do by the number that is loaded: `bodies` by theirs; `others` from theirs on, where there is none.

    A binary search: whenever a filter is installed, the kernel runs it for each number there is, to remember which are
    always allowed (`seccomp_cache_prepare`, since Linux 5.11). `others` has to have one for 0.
    """
    return _halved(_rows(bodies, others))


def _rows(bodies: Mapping[int, Body], others: Mapping[int, Body]) -> list[tuple[int, Body]]:
    """The first number of each row with one body."""
    rows: list[tuple[int, Body]] = []
    for first in sorted({*bodies, *(number + 1 for number in bodies), *others}):
        body = bodies.get(first) or others[max(number for number in others if number <= first)]
        if not rows or rows[-1][1] != body:
            rows.append((first, body))
    return rows


def _halved(rows: Sequence[tuple[int, Body]]) -> list[Instruction]:
    if len(rows) == 1:
        return list(rows[0][1])
    middle = len(rows) // 2
    lower, upper = _halved(rows[:middle]), _halved(rows[middle:])
    first = rows[middle][0]
    if len(lower) <= _FARTHEST:
        return [Instruction(AT_LEAST, len(lower), 0, first), *lower, *upper]
    return [Instruction(AT_LEAST, 0, 1, first), Instruction(JUMP, 0, 0, len(lower)), *lower, *upper]
