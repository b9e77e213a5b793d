"""The files that a job leaves: collected in here, where a link leads no further than the job itself got."""

from __future__ import annotations

import base64
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

from gleitzeit_python.worker.channel import Channel

_CHUNK: Final = 256 << 10
_MOST_FILES: Final = 100
_OPENING: Final = sum(getattr(os, name, 0) for name in ("O_RDONLY", "O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC"))


class ArtifactError(Exception):
    """The files that a job has left are more, or larger, than agreed."""

    hint = "name fewer in `artifacts`, or raise providers.python.max_artifacts in the configuration"


def send(channel: Channel, folder: str, patterns: Sequence[str], most: int) -> None:
    """Send every regular file below a folder that a pattern matches; links are not followed, devices not opened."""
    if not patterns:
        return
    left = most
    device = Path(folder).stat().st_dev
    names = sorted(_matches(folder, patterns))
    if len(names) > _MOST_FILES:
        raise ArtifactError(f"there are {len(names)} artifacts, and {_MOST_FILES} are the most")
    for name in names:
        try:
            descriptor = os.open(Path(folder, name), _OPENING)
        except OSError:
            continue
        try:
            facts = os.fstat(descriptor)
            if not stat.S_ISREG(facts.st_mode) or facts.st_dev != device:
                continue  # what was given is on a device of its own
            left -= facts.st_size
            if left < 0:
                raise ArtifactError(f"artifacts may have {most:,} bytes together, and {name} goes beyond")
            for frame in _frames(name, descriptor, facts.st_size):
                channel.send(frame)
        finally:
            os.close(descriptor)


def _frames(name: str, descriptor: int, size: int) -> Iterator[dict[str, Any]]:
    left = size
    while True:
        data = os.read(descriptor, min(left, _CHUNK))
        left -= len(data)
        last = left == 0 or not data
        yield {"artifact": name, "data": base64.b64encode(data).decode("ascii"), "last": last}
        if last:
            return


def _matches(folder: str, patterns: Sequence[str]) -> Iterator[str]:
    for path, _, files in os.walk(folder):
        for file in files:
            name = Path(path, file).relative_to(folder).as_posix()
            if wanted(name, patterns):
                yield name


def wanted(name: str, patterns: Iterable[str]) -> bool:
    """Whether a path fits a pattern in which `**` stands for any number of folders; `folder/` is all that is in it."""
    return any(_fits(name.split("/"), pattern.removeprefix("./").split("/")) for pattern in patterns)


def _fits(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Step by step through the pattern, for all places at once where it may be in the path by then."""
    steps = [*pattern[:-1], "**", "*"] if pattern[-1] in ("", "**") else pattern
    places = {0}
    for step in steps:
        if step == "**":
            places = set(range(min(places), len(parts)))
        else:
            places = {place + 1 for place in places if place < len(parts) and fnmatchcase(parts[place], step)}
        if not places:
            return False
    return len(parts) in places
