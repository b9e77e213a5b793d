"""What an answer that is complete teaches about its node."""

from __future__ import annotations

from gleitzeit_ollama.dispatch.ledger import Ledger
from gleitzeit_ollama.dispatch.line import Ticket
from gleitzeit_ollama.dispatch.routing import alone
from gleitzeit_ollama.dispatch.standing import Standing

_WARM = 0.2
"""Seconds of `load_duration` that a model in memory takes at most: Ollama never says 0."""

_OVERLAP = 0.1
"""The part of an answer that another one must have run beside it, for both to have had a place."""


def learn(ticket: Ticket, standing: Standing, ledger: Ledger, now: float, *, load: float, prompt: float) -> None:
    """Note what a request took that ended now, while it is still in flight; `load` and `prompt` as Ollama says."""
    node, model = standing.name, ticket.want.model
    _learn_load(ticket, standing, ledger, now, load)
    if prompt > 0:
        ledger.learn_prompt(node, model, prompt, ticket.share)
    ledger.answers.add(node, model, _answer_seconds(ticket, standing, now, load=load, prompt=prompt))
    standing.slots(model).answered()
    together = 1 + _beside(ticket, standing, now)
    if together > 1:
        standing.slots(model).saw(together)


def _learn_load(ticket: Ticket, standing: Standing, ledger: Ledger, now: float, load: float) -> None:
    if load < _WARM:
        return
    if ticket.cold:
        ledger.loads.add(standing.name, ticket.want.model, load)
    elif not ticket.joined:
        standing.memory.was_gone(ticket.want.model, standing.busy, now)


def _answer_seconds(ticket: Ticket, standing: Standing, now: float, *, load: float, prompt: float) -> float:
    """What it took without loading and prompt. Waiting at the node belongs to it, but not behind others of ours."""
    began = now if ticket.began is None else ticket.began
    whole = now - began if ticket.overtaken else now - ticket.placed - load - prompt
    return alone(whole, (ticket.others + len(standing.in_flight) - 1) / 2)


def _beside(ticket: Ticket, standing: Standing, now: float) -> int:
    """How many answers of the same model ran beside it for long enough; the last words of one may be read late."""
    if ticket.began is None:
        return 0
    enough = (now - ticket.began) * _OVERLAP
    others = [other for other in standing.of(ticket.want.model) if other is not ticket and other.began is not None]
    return sum(now - other.began >= enough > 0 for other in others if other.began is not None)
