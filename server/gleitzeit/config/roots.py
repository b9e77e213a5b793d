"""The folders that paths in requests may lie in, and the places that no request may reach."""

from __future__ import annotations

from pathlib import Path

from gleitzeit.core.errors import ConfigurationError

_SYSTEM = tuple(
    Path(name)
    for name in (
        *("/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/proc", "/run", "/sbin", "/sys", "/usr"),
        *("/System", "/Library", "/private/etc", "C:/Windows", "C:/Program Files"),
    )
)
_SHARED = tuple(Path(name) for name in ("/home", "/Users", "/var", "/opt", "/mnt", "/media", "/srv", "/root"))


def check_root(folder: Path, home: Path, where: str = "files.roots") -> Path:
    """The folder with links resolved. Raises `ConfigurationError` for one that holds more than files for workflows."""
    resolved = folder.expanduser().resolve()
    reason = _refusal(resolved, home.resolve())
    if reason is not None:
        raise ConfigurationError(
            f"{where}: {folder} can't be a root: {reason}", hint="name a folder that holds only files for workflows"
        )
    if not resolved.is_dir():
        raise ConfigurationError(f"{where}: {folder} is not a folder", hint="create it, or correct the path")
    return resolved


def usable_root(folder: Path, home: Path) -> Path | None:
    """The folder with links resolved, or nothing where it may not be a root."""
    try:
        return check_root(folder, home)
    except ConfigurationError:
        return None


def _refusal(folder: Path, home: Path) -> str | None:
    user = Path.home().resolve()
    if folder == folder.parent:
        return "it is the whole file system"
    if folder == user or folder in user.parents:
        return "it has the home directory in it"
    if folder == home or folder in home.parents:
        return "it has the configuration of Gleitzeit in it"
    if folder in _SHARED or any(folder == place or place in folder.parents for place in _SYSTEM):
        return "it is a system directory"
    if any(part in (".ssh", ".gnupg", ".aws") for part in folder.parts):
        return "it holds credentials"
    return None
