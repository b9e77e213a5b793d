"""`Plan`: what a fork server is to be, and the process that becomes it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

PROGRAM = Path(__file__).parents[1] / "worker" / "start.py"

_ENVIRONMENT = {"LANG": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


@dataclass(frozen=True, slots=True)
class Plan:
    """What a zygote is to be: the options that it is sent, and the interpreter that runs it."""

    tier: str
    read_only: Sequence[str]
    preload: Sequence[str] = ()
    site_packages: Sequence[str] = ()
    disk: int = 64 << 20
    inodes: int = 1000
    python: str = field(default_factory=lambda: sys.executable)

    def text(self) -> bytes:
        """The options as the zygote reads them."""
        document = {
            "tier": self.tier,
            "read_only": list(self.read_only),
            "preload": list(self.preload),
            "site_packages": list(self.site_packages),
            "disk": self.disk,
            "inodes": self.inodes,
            "notices": True,
        }
        return json.dumps(document).encode()


def executed(python: str) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """The program of a zygote, run by this interpreter with an empty environment, and the socket that leads to it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    command = [python, "-I", "-S", "-X", "frozen_modules=on", str(PROGRAM), "zygote", str(theirs.fileno())]
    try:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and program
            command,
            env=_ENVIRONMENT,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    return process, ours
