"""What leads to a worker: two pipes that it prints to, and a socket for frames."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from contextlib import suppress

from gleitzeit.core.errors import ProviderUnavailableError


def open_ends() -> tuple[list[int], list[int]]:
    """Our ends of what leads to a worker, which do not block, and its own: stdout, stderr, frames."""
    pairs: list[tuple[int, int]] = []
    try:
        pairs += (os.pipe2(os.O_CLOEXEC) for _ in range(2))
        one, other = socket.socketpair()
    except OSError as error:
        close_ends([descriptor for pair in pairs for descriptor in pair])
        raise ProviderUnavailableError(f"the sandbox has no worker: {error}") from error
    pairs.append((one.detach(), other.detach()))
    for ours, _ in pairs:
        os.set_blocking(ours, False)
    return [ours for ours, _ in pairs], [theirs for _, theirs in pairs]


def close_ends(descriptors: Sequence[int]) -> None:
    """Close them, whatever the system says to it."""
    for descriptor in descriptors:
        with suppress(OSError):
            os.close(descriptor)
