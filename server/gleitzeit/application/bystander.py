"""`Bystander`: somebody who is told what a provider reports while it is called outside of any run."""

from __future__ import annotations

from collections.abc import Callable

from gleitzeit.providers.base import Detached


class Bystander(Detached):
    """Is told the words of each report, by `tell`."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell

    async def progress(self, done: float | None, total: float | None, message: str | None) -> None:
        """Tell what is said in words."""
        if message:
            self._tell(message)
