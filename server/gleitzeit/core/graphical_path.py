"""PATH of a program that was started from the desktop, on systems where that is less than a shell has."""

from __future__ import annotations

from collections.abc import Mapping

GRAPHICAL_PATHS: Mapping[str, str] = {
    "darwin": "/usr/bin:/bin:/usr/sbin:/sbin",
    "linux": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
}
"""By the platform's name in Python; elsewhere the desktop has what a shell has."""
