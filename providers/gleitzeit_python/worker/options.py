"""What the host tells a fork server before it becomes one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

WORK: Final = "/job"
"""Where a job works, in a namespace of its own; files that it is given are below it."""

SCRATCH: Final = "/scratch"
"""Where its temporary files are."""

LIBRARIES: Final = "/lib.d"
"""Where the folders of modules are that it is given."""

STAGED: Final = "/files"
"""Where files that belong below `WORK` wait for a worker that has one."""


@dataclass(frozen=True, slots=True)
class Bind:
    """A path of the host that can be read inside, by the name that it has there."""

    source: str
    target: str

    @property
    def of_the_job(self) -> bool:
        """Whether it stands in the folder that each worker has of its own."""
        return self.target.startswith(f"{WORK}/")

    @property
    def given(self) -> bool:
        """Whether a request has named it: what was agreed to is the path without links, and not what it is by now."""
        return self.of_the_job or self.target.startswith(f"{LIBRARIES}/")

    @property
    def name(self) -> str:
        """Its path below that folder."""
        return self.target.removeprefix(f"{WORK}/")


@dataclass(frozen=True, slots=True)
class Options:
    """The tier, what can be read in it, and what its workers have in memory and on disk."""

    tier: str
    read_only: tuple[Bind, ...] = ()
    preload: tuple[str, ...] = ()
    site_packages: tuple[str, ...] = ()
    disk: int = 64 << 20
    inodes: int = 1000
    notices: bool = False

    @property
    def namespaces(self) -> bool:
        """Whether workers get namespaces of their own, and do not see the files of the host at all."""
        return self.tier == "ns"


def options(document: Mapping[str, Any]) -> Options:
    """Read the first message of the host."""
    if document["tier"] not in ("ns", "ll"):
        raise ValueError(f"there is no tier {document['tier']}")
    return Options(
        tier=document["tier"],
        read_only=tuple(_bind(entry) for entry in document.get("read_only", ())),
        preload=tuple(document.get("preload", ())),
        site_packages=tuple(document.get("site_packages", ())),
        disk=int(document.get("disk", 64 << 20)),
        inodes=int(document.get("inodes", 1000)),
        notices=bool(document.get("notices", False)),
    )


def _bind(entry: str | list[str]) -> Bind:
    """A path, `source=target`, or both as a pair: the one form in which either may have an `=` in it."""
    if isinstance(entry, list):
        return Bind(entry[0], entry[1])
    source, _, target = entry.partition("=")
    return Bind(source, target or source)
