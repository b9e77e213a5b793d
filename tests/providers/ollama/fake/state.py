"""What a fake node is: its version, models, pace and faults."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.providers.ollama.fake.answer import Answers, Asked, echo
from tests.providers.ollama.fake.counters import Counters, Gate
from tests.providers.ollama.fake.faults import Fault
from tests.providers.ollama.fake.model import FakeModel, tagged
from tests.providers.ollama.fake.refusals import LOAD_OPTIONS, RefusedError, check_options
from tests.providers.ollama.fake.runners import Runners

_NAME = re.compile(r"[\w./:@-]+")


@dataclass(slots=True)
class State:
    """One node, which may change while it runs. Times are in seconds; `prompt_seconds` come before the first token."""

    runners: Runners
    counters: Counters
    version: str = "0.5.4"
    models: dict[str, FakeModel] = field(default_factory=dict[str, FakeModel])
    pullable: dict[str, FakeModel] = field(default_factory=dict[str, FakeModel])
    answers: Answers = echo
    token_seconds: float = 0.0
    prompt_seconds: float = 0.0
    keep_alive: float = 300.0
    fault: Fault | None = None
    gate: Gate = field(default_factory=Gate)

    @property
    def modern(self) -> bool:
        """Whether it knows what came after 0.5.4: thinking, dimensions, capabilities, logprobs."""
        return tuple(int(part) for part in re.findall(r"\d+", self.version)[:2]) > (0, 5)

    def model_for(self, asked: Asked) -> FakeModel:
        """The model that a request names, once its options are found to be right too."""
        name = str(asked.body.get("model") or "")
        model = self.models.get(tagged(name))
        if model is None or not _NAME.fullmatch(name):
            raise self.missing(name, asked.path)
        self._check_capabilities(asked.body, model, name)
        check_options(asked.options)
        return model

    def missing(self, name: str, path: str) -> RefusedError:
        """That there is no such model, in the words of this version and path."""
        if path not in ("/api/generate", "/api/embed") and not _NAME.fullmatch(name):
            return RefusedError(400, "model is required")
        if self.modern or path in ("/api/generate", "/api/show"):
            return RefusedError(404, f"model '{name}' not found")
        return RefusedError(404, f'model "{name}" not found, try pulling it first')

    def _check_capabilities(self, body: Mapping[str, Any], model: FakeModel, name: str) -> None:
        full = f"registry.ollama.ai/library/{model.name}"
        if body.get("tools") and "tools" not in model.capabilities:
            raise RefusedError(400, f"{full} does not support tools")
        if body.get("suffix") and "insert" not in model.capabilities:
            raise RefusedError(400, f"{full} does not support insert")
        if self.modern and body.get("think") and "thinking" not in model.capabilities:
            raise RefusedError(400, f'"{name}" does not support thinking')


def load_options(asked: Asked) -> dict[str, Any]:
    """Those options that a model has to be loaded with."""
    return {name: asked.options[name] for name in LOAD_OPTIONS if asked.options.get(name) is not None}


def timestamp(nanoseconds: int | None = None) -> str:
    """A time in UTC with nanoseconds, now where none is given."""
    seconds, rest = divmod(time.time_ns() if nanoseconds is None else nanoseconds, 1_000_000_000)
    fraction = f".{rest:09d}".rstrip("0.")  # as Go writes it
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}{fraction}Z"
