"""What requests took so far, by node and model, and what is assumed where little was measured."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean

_SERVICE = 2.0
_LOAD = 5.0
"""Seconds that are assumed before anything at all was measured."""

_LATEST = 0.1
"""The part that the latest value has in an average of many."""

_FEW = 3
_ENOUGH = 10
"""From so many values on an average is one; from so many on nothing else counts."""

_OUTLIER = 2.0
"""A value over so many times the average counts as that: one stall says little about the next request."""

_GUESS = 2.0
"""How many values a guess counts as."""


@dataclass(slots=True)
class Average:
    """A moving average: of all values so far while they are few, then mostly of the latest."""

    value: float = 0.0
    count: int = 0

    def add(self, value: float) -> None:
        """Learn."""
        if self.count >= _FEW:
            value = min(value, _OUTLIER * self.value)
        self.count += 1
        self.value += (value - self.value) * max(1 / self.count, _LATEST)


class Averages:
    """Moving averages of one thing, by node and model; what is not known of a node is guessed from the others."""

    def __init__(self, assumed: float) -> None:
        self._assumed = assumed
        self._of: dict[tuple[str, str], Average] = {}

    def add(self, node: str, model: str, seconds: float) -> None:
        """Learn."""
        self._of.setdefault((node, model), Average()).add(max(seconds, 0.0))

    def models(self, node: str) -> list[str]:
        """The models of which something was measured on a node."""
        return [model for of, model in self._of if of == node]

    def forget(self, node: str) -> None:
        """Know nothing of a node."""
        for key in [key for key in self._of if key[0] == node]:
            del self._of[key]

    def get(self, node: str, model: str) -> float:
        """What to expect: what was measured there, mixed with a guess while that is little."""
        own = self._of.get((node, model))
        others = [] if own is not None and own.count >= _ENOUGH else self._elsewhere(node, model)
        if own is None:
            return self._guess(node, model, others)
        if not others:
            return own.value
        guess = fmean(others) * self._slowness(node, model)
        return (own.value * own.count + guess * _GUESS) / (own.count + _GUESS)

    def _guess(self, node: str, model: str, others: list[float]) -> float:
        """Be hopeful about a node that nobody has tried, or nobody ever would."""
        if others:
            return min(others) * self._slowness(node, model)
        return fmean(average.value for average in self._of.values()) if self._of else self._assumed

    def _elsewhere(self, node: str, model: str) -> list[float]:
        return [average.value for (of, name), average in self._of.items() if name == model and of != node]

    def _slowness(self, node: str, model: str) -> float:
        """How much longer than the others a node takes with its other models."""
        ratios: list[float] = []
        for (of, name), average in self._of.items():
            others = self._elsewhere(node, name) if of == node and name != model else []
            if others and (usual := fmean(others)) > 0:
                ratios.append(average.value / usual)
        return fmean(ratios) if ratios else 1.0


class Ledger:
    """All that the pool has measured: `answers` without their prompts, and `loads` of models into memory."""

    def __init__(self) -> None:
        self.answers = Averages(_SERVICE)
        self.loads = Averages(_LOAD)
        self._whole_prompts = Averages(0.0)
        self._short_prompts = Averages(0.0)

    def learn_prompt(self, node: str, model: str, seconds: float, share: float) -> None:
        """Note what a prompt took of which the node had a part at hand."""
        (self._short_prompts if share >= 0.5 else self._whole_prompts).add(node, model, seconds)

    def service(self, node: str, model: str) -> float:
        """Seconds that a request takes alone on a node, with nothing of its prompt at hand."""
        return self.answers.get(node, model) + self._whole_prompts.get(node, model)

    def saved(self, node: str, model: str, share: float) -> float:
        """Seconds that a beginning at hand saves."""
        whole = self._whole_prompts.get(node, model)
        return share * max(whole - self._short_prompts.get(node, model), 0.0)

    def averages(self, node: str) -> dict[str, float]:
        """What a request takes on a node, by model."""
        return {model: self.service(node, model) for model in self.answers.models(node)}

    def forget(self, node: str) -> None:
        """Know nothing of a node."""
        for averages in (self.answers, self.loads, self._whole_prompts, self._short_prompts):
            averages.forget(node)
