"""What an examination found: that something is well, or what is wrong with it and how to mend it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from gleitzeit.core.errors import GleitzeitError

Level = Literal["ok", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `fix` says what to do about it, where something can be done."""

    subject: str
    level: Level
    message: str
    fix: str | None = None

    @classmethod
    def of(cls, subject: str, error: GleitzeitError) -> Finding:
        """What an error says, as a finding about `subject`."""
        return cls(subject, "error", error.message, error.hint)

    def to_dict(self) -> dict[str, Any]:
        """The finding as JSON data, without what is absent."""
        values = {"subject": self.subject, "level": self.level, "message": self.message, "fix": self.fix}
        return {key: value for key, value in values.items() if value is not None}


def health_finding(subject: str, answer: dict[str, Any] | bool) -> Finding:
    """What a provider's health check says, as a finding about `subject`."""
    if isinstance(answer, bool):
        return Finding(subject, "ok", "healthy") if answer else Finding(subject, "error", "its health check says no")
    if answer.get("status", "healthy") == "healthy":
        return Finding(subject, "ok", "healthy")
    error, hint = answer.get("error"), answer.get("hint")
    return Finding(
        subject, "error", str(error) if error else f"its health check answered {answer!r}", str(hint) if hint else None
    )
