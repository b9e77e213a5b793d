"""The process that evaluates heavy expressions: one JSON question a line on stdin, one JSON answer a line on stdout."""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any, TextIO

from gleitzeit.core.errors import GleitzeitError
from gleitzeit.core.expressions import evaluate

LONGEST_ANSWER = 4 * 1024 * 1024
"""Bytes of JSON; reading more would hold up the parent's event loop."""

_PR_SET_PDEATHSIG = 1
_MEMORY = 1024 * 1024 * 1024
_TOO_LARGE = {
    "error": f"the value of the expression is larger than {LONGEST_ANSWER:,} bytes",
    "hint": "refer to the data as it is, or take less of it",
}


def main() -> None:
    """Answer until stdin ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C at a terminal goes to the parent, which then ends this one
    answers = _answers()
    if sys.platform == "linux":
        _be_bound()
    _send(answers, {"ready": True})
    for line in sys.stdin.buffer:
        _send(answers, _answer(json.loads(line)))


def _answer(question: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"value": evaluate(question["source"], question["data"])}
    except GleitzeitError as error:
        return {"error": error.message, "hint": error.hint, "code": error.code}
    except MemoryError:
        return {"error": "the expression needs too much memory", "hint": "let the expression look at less"}
    except RecursionError:
        return {"error": "the expression is nested too deeply", "hint": "split it over several tasks"}


def _answers() -> TextIO:
    """The wire to the parent; what anything else prints goes to stderr."""
    wire = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return wire


def _be_bound() -> None:
    """Die with the parent, and use no more memory than an expression may need."""
    import ctypes  # the server imports this module too, and needs none of it
    import resource  # exists on Unix alone

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))


def _send(answers: TextIO, answer: dict[str, Any]) -> None:
    text = json.dumps(answer)
    if len(text) >= LONGEST_ANSWER:
        text = json.dumps(_TOO_LARGE)
    answers.write(text + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
