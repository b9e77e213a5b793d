"""The write-ahead log of an SQLite file, as bytes: where its transactions end, and what is left of it."""

from __future__ import annotations

import random
import shutil
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

HEADER = 32
FRAME_HEADER = 24
BACKFILL_AT = 128
"""Where the shared memory says up to which frame a checkpoint may have copied pages into the database."""

Damage = Literal["cut", "zeros", "noise"]


@dataclass(frozen=True, slots=True)
class Frozen:
    """A copy of a database as its files were at one instant."""

    database: Path

    @property
    def log(self) -> Path:
        """The write-ahead log."""
        return self.database.with_name(self.database.name + "-wal")

    @property
    def shared_memory(self) -> Path:
        """The index of the log; a loss of power leaves nothing of it."""
        return self.database.with_name(self.database.name + "-shm")


@dataclass(frozen=True, slots=True)
class Log:
    """Offsets in a log: behind each frame that is valid, behind each transaction, and behind what was checkpointed."""

    frames: tuple[int, ...]
    transactions: tuple[int, ...]
    checkpointed: int

    @property
    def end(self) -> int:
        """Behind the last whole transaction: what was acknowledged lies before it."""
        return self.transactions[-1] if self.transactions else HEADER


def freeze(database: Path, into: Path) -> Frozen:
    """Copy the files of a database whose processes are all stopped."""
    into.mkdir(parents=True)
    for suffix in ("", "-wal", "-shm"):
        source = database.with_name(database.name + suffix)
        if source.exists():
            shutil.copyfile(source, into / source.name)
    return Frozen(into / database.name)


def read_log(frozen: Frozen) -> Log:
    """What stands in the log."""
    content = frozen.log.read_bytes() if frozen.log.exists() else b""
    frames: list[int] = []
    transactions: list[int] = []
    for end, last in _frames(content):
        frames.append(end)
        if last:
            transactions.append(end)
    return Log(tuple(frames), tuple(transactions), _checkpointed(frozen, content))


def lose_power(frozen: Frozen, keep: int, damage: Damage, chance: random.Random) -> None:
    """Leave the log as a disk may after `keep` bytes of it were written for certain."""
    content = frozen.log.read_bytes()
    rest = len(content) - keep
    tails = {"cut": b"", "zeros": bytes(rest), "noise": chance.randbytes(rest)}
    frozen.log.write_bytes(content[:keep] + tails[damage])
    frozen.shared_memory.unlink(missing_ok=True)


def _frames(content: bytes) -> Iterator[tuple[int, bool]]:
    """The end of each frame of the log's present round, and whether a transaction ends with it."""
    if len(content) < HEADER:
        return
    page: int = struct.unpack_from(">I", content, 8)[0]
    salt = content[16:24]
    start = HEADER
    while start + FRAME_HEADER + page <= len(content) and content[start + 8 : start + 16] == salt:
        size_after_commit: int = struct.unpack_from(">I", content, start + 4)[0]
        start += FRAME_HEADER + page
        yield start, size_after_commit > 0


def _checkpointed(frozen: Frozen, content: bytes) -> int:
    if len(content) < HEADER or not frozen.shared_memory.exists():
        return HEADER
    page: int = struct.unpack_from(">I", content, 8)[0]
    frames: int = struct.unpack_from("=I", frozen.shared_memory.read_bytes(), BACKFILL_AT)[0]
    return HEADER + frames * (FRAME_HEADER + page)
