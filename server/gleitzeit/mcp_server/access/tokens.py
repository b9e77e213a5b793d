"""Tokens: making them, and knowing whose they are by their hashes alone."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from gleitzeit.config.settings import TokenSettings

PREFIX = "gleitzeit_"
"""What every token begins with, for people and for programs that look for secrets in texts."""

_BYTES = 32


def new_token() -> str:
    """A token that nobody guesses: 256 bits of the system's randomness."""
    return PREFIX + secrets.token_urlsafe(_BYTES)


def hash_of(token: str) -> str:
    """What the configuration keeps of a token.

    One round of SHA-256: slow hashes and salts are for what people choose, and nobody goes through 2 to the 256.
    """
    return f"sha256:{hashlib.sha256(token.encode()).hexdigest()}"


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens that a server takes."""

    known: Sequence[TokenSettings]

    def __bool__(self) -> bool:
        return bool(self.known)

    def owner_of(self, token: str) -> TokenSettings | None:
        """The entry that a token belongs to, if it does; all take the same time, and so does none."""
        given = hash_of(token)
        found: TokenSettings | None = None
        for entry in self.known:
            if hmac.compare_digest(entry.hash, given):
                found = entry
        return found
