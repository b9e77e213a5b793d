"""What a tier needs that this machine may not have: told where it can't be had, and nothing better is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gleitzeit_python.sandbox.names import Tier

NEEDS: Final[Mapping[Tier, str]] = {
    "ns": "let users have namespaces (Ubuntu: sysctl kernel.apparmor_restrict_unprivileged_userns=0; a container: a "
    "seccomp profile that permits unshare); tier ll does without",
    "ll": "use Linux 5.13 or newer with Landlock among its security modules (lsm=landlock,...)",
    "wasm": "install gleitzeit-mcp[wasm]",
    "docker": "start Docker, or see whether this user may use it",
}

ELSEWHERE: Final = "use tier wasm or docker"
"""Where the kernel cannot be one of ours."""
