"""What a fork server has in memory for all of its workers: modules, streams, and code that has run before.

Every page and every mapping costs each fork a little, and each page that a worker writes to costs it a copy.
"""

from __future__ import annotations

import gc
import importlib
import os
import socket
import sys
from collections.abc import Iterable
from typing import Any, Final, cast

from gleitzeit_python.worker import scene, task
from gleitzeit_python.worker.channel import Channel
from gleitzeit_python.worker.forks import without_hooks
from gleitzeit_python.worker.options import SCRATCH, WORK, Options
from gleitzeit_python.worker.place import Place

_REHEARSALS: Final = 12
"""The interpreter specialises code that has run eight times, and each of its instructions when that runs next."""


def preload(settings: Options) -> list[str]:
    """Bring all of it in; the names of the modules that could not be imported."""
    sys.path.extend(settings.site_packages)
    with without_hooks():
        if "asyncio" in settings.preload:
            _import_asyncio()
        missing = _not_imported(settings.preload)
    task.prepare()
    _open_streams()
    if settings.preload:  # one that has nothing at hand is used once, and its worker rehearses by itself
        _rehearse(settings)
    gc.collect()
    gc.freeze()
    return missing


def _import_asyncio() -> None:
    """Without TLS, which is large, and of no use to a job that can connect to nothing."""
    if "ssl" in sys.modules:
        return
    modules = cast("dict[str, Any]", sys.modules)
    modules["ssl"] = None
    try:
        importlib.import_module("asyncio")
    finally:
        del modules["ssl"]


def _not_imported(names: Iterable[str]) -> list[str]:
    missing: list[str] = []
    for name in names:
        try:
            importlib.import_module(name)
        except Exception:  # noqa: BLE001 a module may fail as it likes; a job that imports it will see how
            missing.append(name)
    return missing


def _rehearse(settings: Options) -> None:
    """Do what jobs do until the interpreter has made it quick (PEP 659), which each worker would else do again."""
    if settings.namespaces:  # elsewhere each worker has folders of its own
        scene.set_variables(Place(WORK, SCRATCH))
    for _ in range(_REHEARSALS):
        task.rehearse()
        _exchange_frames()


def _exchange_frames() -> None:
    ours, theirs = socket.socketpair()
    channel = Channel()
    channel.open(theirs.detach())
    with ours:
        ours.sendall(b"{}\n")
        channel.send(channel.job())
    channel.close()


def _open_streams() -> None:
    """Open those of all workers on pipes, as theirs are: a stream remembers of what kind its descriptor was."""
    own = {number: os.dup(number) for number in (1, 2)}
    reading, writing = os.pipe()
    for number in own:
        os.dup2(writing, number)
    scene.open_streams()
    for number, descriptor in own.items():
        os.dup2(descriptor, number)
    for descriptor in (*own.values(), reading, writing):
        os.close(descriptor)
