"""The file that keeps what a login to one server brought."""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

import anyio
from mcp.shared.auth import OAuthClientInformationFull, OAuthMetadata, OAuthToken, ProtectedResourceMetadata
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gleitzeit.core.errors import ConfigurationError
from gleitzeit_mcp.home import home_folder, write_whole
from gleitzeit_mcp.transports.remote import Remote

_LOCK_LIMIT = 30.0
_LOCK_PAUSE = 0.05
_LONGEST_STEM = 100


class Grant(BaseModel):
    """What one login brought: it is good for `url` alone."""

    model_config = ConfigDict(frozen=True)

    url: str
    tokens: OAuthToken | None = Field(default=None, repr=False)
    expires_at: float | None = None
    client: OAuthClientInformationFull | None = Field(default=None, repr=False)
    issuer: OAuthMetadata | None = None
    resource: ProtectedResourceMetadata | None = None
    issuer_url: str | None = None


def oauth_folder() -> Path:
    """The folder of these files: `oauth` under `GLEITZEIT_HOME`, else under `~/.gleitzeit`."""
    return home_folder() / "oauth"


class TokenFile:
    """The grant of one server. Nobody else on this machine may read it, or it is not used."""

    def __init__(self, name: str, url: str, folder: Path | None = None) -> None:
        self._remote = Remote(name, url)
        self._folder = oauth_folder() if folder is None else folder
        self.path = self._folder / f"{_stem(name)}.json"

    def read(self) -> Grant:
        """What is kept, or an empty grant.

        Raises `ConfigurationError` where others could have read or changed it, or where it cannot be read.
        """
        try:
            self._refuse_open(self._folder)
            self._refuse_open(self.path)
            grant = Grant.model_validate_json(self.path.read_bytes())
        except FileNotFoundError:
            return Grant(url=self._remote.url)
        except ValidationError as error:
            raise self._unusable(
                "is not what a login wrote", f"delete it, then `{self._remote.login_command}`"
            ) from error
        except OSError as error:
            raise self._unusable(f"cannot be read: {error.strerror}", None) from error
        return grant if grant.url == self._remote.url else Grant(url=self._remote.url)

    def write(self, grant: Grant) -> None:
        """Keep a grant; at no moment is there half of it, or one that others can read."""
        try:
            self._make_folder()
            write_whole(self.path, grant.model_dump_json(exclude_none=True).encode())
        except OSError as error:
            raise self._unusable(f"cannot be written: {error.strerror}", None) from error

    @asynccontextmanager
    async def locked(self) -> AsyncGenerator[None]:
        """Hold off all other processes: a token to refresh with is often good for one use."""
        self._make_folder()
        lock = os.open(self._folder / f"{self.path.stem}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            with anyio.move_on_after(_LOCK_LIMIT):
                while not _taken(lock):  # noqa: ASYNC110 - another process tells nobody when it lets go
                    await anyio.sleep(_LOCK_PAUSE)
            yield
        finally:
            os.close(lock)

    def _make_folder(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._refuse_open(self._folder)

    def _refuse_open(self, path: Path) -> None:
        state = path.stat()
        if sys.platform == "win32":  # the folders of a user are nobody else's there
            return
        if stat.S_IMODE(state.st_mode) & 0o077:
            mode, login = "700" if path == self._folder else "600", self._remote.login_command
            raise ConfigurationError(
                f"{self._remote.subject}: others can reach {path}, which holds tokens; it is not used",
                hint=f"chmod {mode} '{path}'; if somebody may have read it, `{login}` for new tokens",
            )
        if state.st_uid != os.geteuid():
            raise ConfigurationError(f"{self._remote.subject}: {path} belongs to another user; it is not used")

    def _unusable(self, problem: str, hint: str | None) -> ConfigurationError:
        return ConfigurationError(f"{self._remote.subject}: {self.path} {problem}", hint=hint)


def _stem(name: str) -> str:
    """A server's name as that of a file; a long one is cut, and told apart from others by its hash."""
    quoted = quote(name, safe=" ")
    if len(quoted) <= _LONGEST_STEM:
        return quoted
    return f"{quoted[:60]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


if sys.platform == "win32":
    import msvcrt

    def _taken(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    from fcntl import LOCK_EX, LOCK_NB, flock

    def _taken(descriptor: int) -> bool:
        try:
            flock(descriptor, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            return False
        return True
