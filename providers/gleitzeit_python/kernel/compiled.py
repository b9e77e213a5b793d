"""`CompiledCode`: code that a worker has compiled, kept as text; it is read again only inside of another worker."""

from __future__ import annotations

import hashlib
from collections import OrderedDict

from gleitzeit_python.sandbox.base import Job

SHORTEST = 4 << 10
"""Letters of code from which on it is worth the while."""

_MOST = 200
_LARGEST = 32 << 20
_LARGEST_ONE = 2 << 20


class CompiledCode:
    """The code that was used last, by its content."""

    __slots__ = ("_kept", "_size")

    def __init__(self) -> None:
        self._kept: OrderedDict[bytes, str | None] = OrderedDict()
        self._size = 0

    def of(self, job: Job) -> str | None:
        """The compiled code of a job, if there is some."""
        key = _key(job)
        if key is None or key not in self._kept:
            return None
        self._kept.move_to_end(key)
        return self._kept[key] or None

    def saw(self, job: Job) -> bool:
        """Note that its code has run; whether it is to be compiled now, which it is after its second time."""
        key = _key(job)
        if key is None:
            return False
        if key not in self._kept:
            self._put(key, None)
            return False
        again = self._kept[key] is None
        self._kept[key] = self._kept[key] or ""
        return again

    def keep(self, job: Job, compiled: str) -> None:
        """Keep what a worker has made of its code."""
        key = _key(job)
        if key is not None and len(compiled) <= _LARGEST_ONE:
            self._put(key, compiled)

    def _put(self, key: bytes, compiled: str | None) -> None:
        self._size += len(compiled or "") - len(self._kept.pop(key, None) or "")
        self._kept[key] = compiled
        while len(self._kept) > _MOST or self._size > _LARGEST:
            _, oldest = self._kept.popitem(last=False)
            self._size -= len(oldest or "")


def _key(job: Job) -> bytes | None:
    if len(job.code) < SHORTEST:
        return None
    text = f"{job.mode}\0{job.filename}\0{job.code}"
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=20).digest()
