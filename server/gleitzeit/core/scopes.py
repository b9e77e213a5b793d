"""What whoever asks may have been given leave for."""

from __future__ import annotations

from typing import Literal

Scope = Literal["workflows:read", "workflows:run", "workflows:write", "admin"]
"""What a token may be good for; `admin` is all of it, for the runs of all callers."""
