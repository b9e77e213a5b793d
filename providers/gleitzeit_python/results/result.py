"""What became of a job, as the result of its task, or as its error; and what its metadata says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from gleitzeit.core.data import is_object
from gleitzeit.core.errors import GleitzeitError, LimitError, ProviderError, TimeoutError
from gleitzeit_python.results.hints import hint_of
from gleitzeit_python.results.printed import printed_value
from gleitzeit_python.sandbox.base import ABSENT, Job, Limits, Outcome
from gleitzeit_python.sizes import shown_size

_KEPT = 64 << 10
_SHOWN = 4000
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_SAME_AGAIN = frozenset({"SyntaxError", "IndentationError", "TabError"})


def facts_of(outcome: Outcome, job: Job) -> dict[str, Any]:
    """What the metadata of the task says: where it ran, within what limits, and all that it printed."""
    return {
        "sandbox": {**outcome.facts, "limits": _shown_limits(job.limits)},
        "exit_code": outcome.exit_code,
        "duration": round(outcome.duration, 6),
        "stdout": _kept(outcome.stdout, outcome.stdout_total),
        "stderr": _kept(outcome.stderr, outcome.stderr_total),
    }


def result_of(outcome: Outcome, job: Job) -> dict[str, Any]:
    """The result of a job that is done. Raises the error that stands for one that is not."""
    if outcome.ended != "exited" or outcome.problem is not None or outcome.exit_code != 0:
        raise error_of(outcome, job)
    value = outcome.value
    if value is ABSENT:
        if outcome.stdout_total > len(outcome.stdout):
            raise _overrun(outcome, job)
        value = printed_value(_text(outcome.stdout))
    return value if is_object(value) else {"result": value}


def error_of(outcome: Outcome, job: Job) -> GleitzeitError:
    """The error that stands for what became of a job."""
    match outcome.ended:
        case "timeout":
            return TimeoutError(
                f"the code took longer than {job.limits.timeout:g} s, and was ended",
                hint="give it a longer `timeout`, or less to do",
                details=_details(outcome),
            )
        case "memory":
            return LimitError(
                f"the code needed more than {shown_size(job.limits.memory)} of memory (max_memory)",
                hint="process data in parts, or raise max_memory",
                details=_details(outcome),
            )
        case "forged":
            words = outcome.problem.message if outcome.problem is not None else "something that is no message"
            return ProviderError(f"{words}, and was ended", retryable=False, details=_details(outcome))
        case "exited":
            return _failure(outcome, job)
        case _:
            return ProviderError(_death(outcome), details=_details(outcome))


def _failure(outcome: Outcome, job: Job) -> GleitzeitError:
    problem = outcome.problem
    if problem is None or problem.type == "SystemExit":
        words = _clean(problem.message if problem is not None else _text(outcome.stderr[-_SHOWN:]).strip())
        ending = f": {words}" if words else ", and wrote nothing to standard error"
        return ProviderError(f"the code exited with code {outcome.exit_code}{ending}", details=_details(outcome))
    name, message = _clean(problem.type), _clean(problem.message)
    place = _clean(problem.traceback.strip())
    told = f"{name}: {message}" if message else name
    hint = hint_of(problem, job, outcome.facts)
    return ProviderError(
        f"{told}\n{place}" if place else told,
        hint=_clean(hint) if hint else None,
        retryable=problem.type not in _SAME_AGAIN,
        details={**_details(outcome), "exception": name},
    )


def _death(outcome: Outcome) -> str:
    code = outcome.exit_code
    if code is None:
        return "the process of the code ended without an answer"
    if code < 0:
        return f"the process of the code was ended by signal {-code}"
    return f"the process of the code ended by itself with code {code}, without an answer"


def _overrun(outcome: Outcome, job: Job) -> LimitError:
    return LimitError(
        f"the code printed {outcome.stdout_total:,} bytes, and {shown_size(job.limits.output)} are the most",
        hint="set the variable `result`, or write to a file and name it in `artifacts`",
        details=_details(outcome),
    )


def _details(outcome: Outcome) -> dict[str, Any]:
    return {"ended": outcome.ended, "exit_code": outcome.exit_code}


def _shown_limits(limits: Limits) -> Mapping[str, Any]:
    return {
        "timeout": round(limits.timeout, 3),
        "memory": limits.memory,
        "output": limits.output,
        "disk": limits.disk,
        "artifacts": limits.artifacts,
    }


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _kept(data: bytes, total: int) -> str:
    """The beginning and the end of what was printed, with a word on what is left out between them."""
    cut = total - len(data)
    if len(data) > _KEPT:
        half = _KEPT // 2
        left_out = len(data) - _KEPT
        end = "" if cut else _text(data[-half:])
        return f"{_text(data[:half])}\n[... {left_out + cut:,} bytes left out ...]\n{end}"
    return _text(data) + (f"\n[... {cut:,} more bytes ...]" if cut else "")


def _clean(words: str) -> str:
    """Words of the code for a message that may be shown on a terminal."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", words[:_SHOWN] if len(words) <= _SHOWN else _shortened(words))


def _shortened(words: str) -> str:
    return f"{words[: _SHOWN // 4]}\n...\n{words[-3 * _SHOWN // 4 :]}"
