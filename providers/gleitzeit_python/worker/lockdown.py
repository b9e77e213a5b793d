"""A worker, from the moment that it is one until nothing is left to it: all of it before there is a job."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from gleitzeit_python.worker import kernel, landlock, limits, namespaces, seccomp
from gleitzeit_python.worker.bpf import Filter
from gleitzeit_python.worker.landlock import Rules
from gleitzeit_python.worker.options import SCRATCH, STAGED, WORK, Options
from gleitzeit_python.worker.place import Place

CHANNEL: Final = 3
"""The descriptor that the frames of a job go over; above it, a worker has none."""

_DEVICES: Final = ("/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_ABI_WITH_TRUNCATE: Final = 3


@dataclass(frozen=True, slots=True)
class Lock:
    """What all workers of a fork server are locked by; `processes` is a descriptor of the host's /proc."""

    options: Options
    processes: int
    abi: int
    filter: Filter
    rules: Rules

    @classmethod
    def of(cls, options: Options, processes: int) -> Self:
        """The lock of a tier on this kernel. The rules are for files that this process can see."""
        abi = landlock.version()
        instructions = seccomp.program(
            first=options.namespaces,
            sees_host_files=not options.namespaces,
            truncates=options.namespaces or abi >= _ABI_WITH_TRUNCATE,
        )
        rules = Rules(abi, _readable(options), _given(options), lasting=options.namespaces)
        return cls(options, processes, abi, Filter(instructions), rules)

    def close(self, descriptors: Sequence[int], host_work: str | None) -> Place:
        """Give up all that a job does not need, and say where it works. `descriptors` are output and frames."""
        for number, descriptor in enumerate(descriptors, 1):
            os.dup2(descriptor, number, inheritable=False)
        if self.options.namespaces:
            namespaces.separate(self.processes, self.options)
            place = Place(WORK, SCRATCH)
        else:
            place = _prepare(self.options, host_work or "")
        # Opened anew: flags and locks belong to what was opened, which jobs would else share.
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0, inheritable=False)
        os.chdir(place.work)
        self._restrict(place)
        return place

    def _restrict(self, place: Place) -> None:
        kernel.drop_capabilities()
        kernel.forbid_new_privileges()
        if self.abi:
            self.rules.restrict([place.work, place.scratch, os.devnull])
        kernel.call("close_range", CHANNEL + 1, 0xFFFFFFFF, 0)
        limits.hold(own_user_namespace=self.options.namespaces)  # the fork server may hold more descriptors than a job
        self.filter.install(os.getpid())


def take_low_numbers() -> None:
    """Have something on all numbers that workers use, so that what is opened later gets higher ones."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    while nothing <= CHANNEL:
        nothing = os.dup(nothing)
    os.close(nothing)


def _readable(options: Options) -> tuple[str, ...]:
    if options.namespaces:
        inside = (f"{STAGED}/{bind.name}" if bind.of_the_job else bind.target for bind in options.read_only)
        return ("/etc", *(path for path in inside if not path.startswith("/etc/")), *_DEVICES)
    return (*(bind.source for bind in options.read_only if not bind.given), *_DEVICES)


def _given(options: Options) -> tuple[str, ...]:
    return () if options.namespaces else tuple(bind.source for bind in options.read_only if bind.given)


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
