"""Folders that installers put programs in, whether or not PATH has them."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

_IN_HOME = (
    ".local/bin",
    ".volta/bin",
    ".asdf/shims",
    ".local/share/mise/shims",
    ".bun/bin",
    ".deno/bin",
    ".cargo/bin",
    ".pyenv/shims",
    ".nix-profile/bin",
)
_OF_MACHINE = (
    "/opt/homebrew/bin",
    "/usr/local/bin",
    "/home/linuxbrew/.linuxbrew/bin",
    "/nix/var/nix/profiles/default/bin",
    "/snap/bin",
)
_ON_WINDOWS = (
    ("USERPROFILE", ".local/bin"),
    ("APPDATA", "npm"),
    ("PROGRAMFILES", "nodejs"),
    ("LOCALAPPDATA", "Volta/bin"),
    ("LOCALAPPDATA", "Microsoft/WinGet/Links"),
    ("USERPROFILE", "scoop/shims"),
    ("USERPROFILE", ".bun/bin"),
    ("USERPROFILE", ".cargo/bin"),
)

# Managers of versions keep each in a folder of its own.
_VERSIONS = (
    ".nvm/versions/node/*/bin",
    ".local/share/fnm/node-versions/*/installation/bin",
    "Library/Application Support/fnm/node-versions/*/installation/bin",
    ".fnm/node-versions/*/installation/bin",
)


def usual_places(home: Path, environment: Mapping[str, str], platform: str = sys.platform) -> list[str]:
    """The folders that are there, the likeliest first; of several versions the newest first."""
    folders = _on_windows(environment) if platform == "win32" else _on_unix(home)
    return [str(folder) for folder in folders if folder.is_dir()]


def _on_windows(environment: Mapping[str, str]) -> Iterator[Path]:
    return (Path(environment[name]) / folder for name, folder in _ON_WINDOWS if environment.get(name))


def _on_unix(home: Path) -> Iterator[Path]:
    yield home / _IN_HOME[0]
    yield from map(Path, _OF_MACHINE)
    yield from (home / folder for folder in _IN_HOME[1:])
    for pattern in _VERSIONS:
        yield from sorted(home.glob(pattern), key=_version, reverse=True)


def _version(folder: Path) -> list[int]:
    """The numbers of a path, so that version 22 is newer than version 9."""
    return [int(number) for number in re.findall(r"\d+", str(folder))]
