"""`Allowance`: how much one attempt may ask altogether, so that whoever asks without end comes to an end."""

from __future__ import annotations

from gleitzeit.core.errors import LimitError
from gleitzeit.core.models import Question
from gleitzeit.engine.local.results import measured

MOST_ASKED = 50
"""How many questions one attempt of a task may ask, those of its calls among them."""

MOST_BYTES = 256 * 1024
"""How large their texts and schemas may be together."""


class Allowance:
    """What an attempt may still ask; what was asked counts even once it is answered."""

    __slots__ = ("_bytes", "_questions")

    def __init__(self) -> None:
        self._questions = MOST_ASKED
        self._bytes = MOST_BYTES

    def spend(self, question: Question) -> None:
        """Count one more question. Raises `LimitError` where it is one too many, or too large by now."""
        size = measured([question.message, question.schema])[1]
        if not self._questions:
            raise LimitError(
                f"{MOST_ASKED} questions were asked already, and one attempt of a task may ask no more",
                hint="ask for several things in one question, or let several tasks ask",
            )
        if size > self._bytes:
            raise LimitError(
                f"the questions of one attempt of a task are larger than {MOST_BYTES:,} bytes",
                hint="ask with shorter texts and smaller schemas, or let several tasks ask",
            )
        self._questions -= 1
        self._bytes -= size
