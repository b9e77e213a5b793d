"""How to go on with a run, as a command to paste; what nobody but a person knows is left open in it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from gleitzeit.application import Undecided
from gleitzeit.core.decisions import DECISIONS
from gleitzeit.core.diagnostics import listed
from gleitzeit.core.keys import task_of

_MOST_OPTIONS = 10


def resuming(run_id: str, undecided: Undecided, options: str = "") -> str:
    """The command that goes on with a run, with a gap for each decision."""
    return f"gleitzeit runs resume {run_id}{_gaps(undecided.unknown)}{options}"


def explained(undecided: Undecided) -> str | None:
    """What has to be found out before, or may have to be."""
    *first, last = DECISIONS
    if undecided.unknown:
        return (
            f"find out whether {listed(undecided.unknown)} was carried out, "
            f"and write for DECISION {', '.join(first)} or {last}"
        )
    if undecided.cut_off:
        return f"resuming may ask what became of {listed(undecided.cut_off)}, cancelled while it ran"
    return None


def decisions_due(keys: Sequence[str]) -> str:
    """The options that decide on all `keys`, each with a gap; a foreach stands for its items where they are many."""
    return _gaps(keys).strip()


def _gaps(keys: Sequence[str]) -> str:
    named = keys if len(keys) <= _MOST_OPTIONS else [*dict.fromkeys(map(task_of, keys))]
    return "".join(f" --unknown {shlex.quote(f'{key}=DECISION')}" for key in named)
