"""What a container is made with: all that keeps what runs in it there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from gleitzeit_python.docker import sdk, seccomp
from gleitzeit_python.docker.daemon import LABEL
from gleitzeit_python.docker.image import SCRATCH, USER, WORK
from gleitzeit_python.stdio.program import BOOT

PACKAGES: Final = "/packages"
LIBRARIES: Final = "/lib.d"

_MOST_PROCESSES: Final = 64
_MOST: Final = {"nofile": 256, "core": 0}
_SHARED_MEMORY: Final = "size=16m,nr_inodes=256,mode=1777"
_LEAST_MEMORY: Final = 32 << 20


@dataclass(frozen=True, slots=True)
class Confinement:
    """One container's image, limits and mounts; `binds` are paths of the host by where they are inside, to be read."""

    image: str
    command: tuple[str, ...]
    server: str
    memory: int = 256 << 20
    cpus: float = 1.0
    disk: int = 64 << 20
    inodes: int = 1000
    runtime: str | None = None
    binds: Mapping[str, Path] = field(default_factory=dict[str, Path])

    def options(self, client: Any) -> Mapping[str, Any]:
        """As the SDK takes them."""
        return {
            "image": self.image,
            "command": [*self.command, "-c", BOOT],
            "entrypoint": [],
            "user": user(),
            "stdin_open": True,  # and once only: when this server is gone, so is the container's input
            "network_disabled": True,
            "working_dir": WORK,
            "environment": {"LANG": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            "hostname": "sandbox",
            "labels": {LABEL: self.server},
            "healthcheck": {"test": ["NONE"]},
            "host_config": self._host_config(client),
        }

    def _host_config(self, client: Any) -> Any:
        types = sdk.load().types
        memory = container_memory(self.memory)
        private = f"size={self.disk},nr_inodes={self.inodes},mode=1777,noexec,nosuid,nodev"
        return client.create_host_config(
            auto_remove=True,
            network_mode="none",
            read_only=True,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges:true", f"seccomp={seccomp.profile()}"],
            mem_limit=memory,
            memswap_limit=memory,
            pids_limit=_MOST_PROCESSES,
            nano_cpus=int(self.cpus * 1_000_000_000),
            tmpfs={WORK: private, SCRATCH: private, "/dev/shm": f"{_SHARED_MEMORY},noexec,nosuid,nodev"},  # noqa: S108
            ulimits=[types.Ulimit(name=name, soft=most, hard=most) for name, most in _MOST.items()],
            log_config=types.LogConfig(type="none"),
            ipc_mode="private",
            runtime=self.runtime,
            mounts=[types.Mount(to, str(path), type="bind", read_only=True) for to, path in self.binds.items()],
        )


def container_memory(wanted: int) -> int:
    """What a container needs at least for an interpreter to begin."""
    return max(wanted, _LEAST_MEMORY)


def user() -> str:
    """Nobody, or who this server is: then what the server may read can be read."""
    if not hasattr(os, "getuid") or os.getuid() == 0:
        return USER
    return f"{os.getuid()}:{os.getgid()}"
