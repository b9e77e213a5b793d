"""What became of a job, from what was said and what came out of its pipes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from gleitzeit_python.broker.conversation import Conversation
from gleitzeit_python.broker.messages import End
from gleitzeit_python.broker.streams import Capture
from gleitzeit_python.sandbox.base import ABSENT, Artifact, Ended, Outcome, Problem


@dataclass(frozen=True, slots=True)
class Ending:
    """How a conversation ended: in time or not, with its last words, or cut off for a fault."""

    in_time: bool
    end: End | None = None
    fault: str | None = None
    artifacts: tuple[Artifact, ...] = ()
    calls: int = 0

    @classmethod
    def of(cls, conversation: Conversation, *, in_time: bool) -> Self:
        """That of a conversation that is over, or out of time."""
        return cls(in_time, conversation.end, conversation.fault, conversation.artifacts, conversation.account.calls)

    @property
    def ended(self) -> Ended:
        """Its kind."""
        if self.end is not None:
            memory = self.end.problem is not None and self.end.problem.type == "MemoryError"
            return "memory" if memory else "crashed" if self.end.broken else "exited"
        if not self.in_time:
            return "timeout"
        return "forged" if self.fault else "crashed"

    @property
    def problem(self) -> Problem | None:
        """What the code says of itself, or what we say of its frames."""
        if self.end is not None:
            return Problem("SandboxError", self.end.broken) if self.end.broken else self.end.problem
        return Problem("ProtocolError", self.fault) if self.fault else None


def outcome_of(ending: Ending, stdout: Capture, stderr: Capture, duration: float, facts: Mapping[str, Any]) -> Outcome:
    """The outcome of a job whose worker is gone."""
    return Outcome(
        ending.ended,
        exit_code=None if ending.end is None else ending.end.exit_code,
        value=ABSENT if ending.end is None else ending.end.value,
        problem=ending.problem,
        stdout=bytes(stdout.data),
        stderr=bytes(stderr.data),
        stdout_total=stdout.total,
        stderr_total=stderr.total,
        artifacts=ending.artifacts,
        duration=duration,
        facts=facts,
    )
