"""A worker, from the moment that it is one until nothing is left to it: all of it before there is a job."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from gleitzeit_python.worker import kernel, landlock, limits, namespaces, seccomp
from gleitzeit_python.worker.options import SCRATCH, WORK, Options
from gleitzeit_python.worker.place import Place
from gleitzeit_python.worker.seccomp import Filter

CHANNEL: Final = 3
"""The descriptor that the frames of a job go over; above it, a worker has none."""

_FAR: Final = 100
_DEVICES: Final = ("/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_ABI_WITH_TRUNCATE: Final = 3


@dataclass(frozen=True, slots=True)
class Lock:
    """What all workers of a fork server are locked by; `processes` is a descriptor of the host's /proc."""

    options: Options
    processes: int
    abi: int
    filter: Filter
    readable: tuple[str, ...]
    given: tuple[str, ...]

    @classmethod
    def of(cls, options: Options, processes: int) -> Self:
        """The lock of a tier on this kernel."""
        abi = landlock.version()
        instructions = seccomp.program(
            first=options.namespaces,
            sees_host_files=not options.namespaces,
            truncates=options.namespaces or abi >= _ABI_WITH_TRUNCATE,
        )
        return cls(options, processes, abi, Filter(instructions), _readable(options), _given(options))

    def close(self, descriptors: Sequence[int], host_work: str | None) -> Place:
        """Give up all that a job does not need, and say where it works."""
        processes = _keep(descriptors, self.processes)
        if self.options.namespaces:
            namespaces.separate(processes, self.options)
            place = Place(WORK, SCRATCH)
        else:
            place = _prepare(self.options, host_work or "")
        os.close(processes)
        os.chdir(place.work)
        self._restrict(place)
        return place

    def _restrict(self, place: Place) -> None:
        kernel.drop_capabilities()
        kernel.forbid_new_privileges()
        limits.hold(own_user_namespace=self.options.namespaces)
        if self.abi:
            landlock.restrict(self.abi, self.readable, [place.work, place.scratch, os.devnull], self.given)
        self.filter.install(os.getpid())


def _readable(options: Options) -> tuple[str, ...]:
    if options.namespaces:
        below = (bind.target for bind in options.read_only if not bind.target.startswith("/etc/"))
        return ("/etc", *below, *_DEVICES)
    return (*(bind.source for bind in options.read_only if not bind.given), *_DEVICES)


def _given(options: Options) -> tuple[str, ...]:
    return () if options.namespaces else tuple(bind.source for bind in options.read_only if bind.given)


def _keep(descriptors: Sequence[int], processes: int) -> int:
    """Nothing on 0, output on 1 and 2, frames on 3, no other descriptor but, until it is closed, that of /proc."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    wanted = [nothing, *descriptors, processes]
    for place, descriptor in enumerate(wanted):
        os.dup2(descriptor, _FAR + place)
    for place in range(len(wanted)):
        os.dup2(_FAR + place, place, inheritable=False)
    kernel.call("close_range", len(wanted), 0xFFFFFFFF, 0)
    return len(descriptors) + 1


def _prepare(options: Options, host_work: str) -> Place:
    """Without namespaces there is a folder of the host instead, with links to what is given."""
    work, scratch = host_work + WORK, host_work + SCRATCH
    Path(work).mkdir(mode=0o700)
    Path(scratch).mkdir(mode=0o700)
    for bind in options.read_only:
        if bind.of_the_job:
            link = Path(work, bind.name)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(bind.source)
    moved = {bind.target: bind.source for bind in options.read_only if bind.target != bind.source}
    return Place(work, scratch, moved)
