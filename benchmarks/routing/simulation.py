"""An Ollama on a virtual clock: what a request meets there, by the rules that `sched.go` and the runners follow.

A loaded model answers as many requests at once as it has slots, and the others wait for it without bound. Requests of
models that are not in memory stand in one line, and its head holds up the rest: it is loaded when there is room, or
when a model that nobody uses can go, the least recently used one first. A prompt whose beginning is still in a slot is
evaluated from there on only.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from benchmarks.routing import scenarios

WARM_LOAD = 0.02
"""What Ollama calls the load time of a model that is in memory."""


@dataclass(slots=True, eq=False)
class Request:
    """One request, with the seconds that it takes on a node of speed 1, and what became of it."""

    number: int
    model: scenarios.Model
    run: str
    arrived: float
    prompt: float
    answer: float
    prefix: str | None
    ended: float | None = None


class Client(Protocol):
    """Who sent the request, and hears what becomes of it."""

    def began(self, request: Request) -> None:
        """Its first byte came."""
        ...

    def ended(self, request: Request, load_seconds: float, prompt_seconds: float) -> None:
        """It is answered, and that is what its parts took."""
        ...

    def broken(self, request: Request) -> None:
        """Its node vanished."""
        ...


class Clock:
    """What happens next, and when."""

    def __init__(self) -> None:
        self.now = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    def at(self, moment: float, event: Callable[[], None]) -> None:
        """Let something happen."""
        heapq.heappush(self._events, (moment, next(self._numbers), event))

    def run(self, finished: Callable[[], bool]) -> None:
        """Let everything happen in its order until it is finished."""
        while not finished():
            self.now, _, event = heapq.heappop(self._events)
            event()


@dataclass(slots=True, eq=False)
class _Turn:
    """A request at a node: waiting for its model or for a slot, then at its prompt, then at its answer."""

    request: Request
    client: Client
    sent: float
    left: float = 0.0
    answering: bool = False
    load_seconds: float = WARM_LOAD
    started: float = 0.0
    prompt_seconds: float = 0.0


@dataclass(slots=True, eq=False)
class _Runner:
    """A model in memory, or on its way there. `kept` is the beginning that each free slot still has."""

    slots: int
    used: float
    ready: bool = False
    waiting: deque[_Turn] = field(default_factory=deque[_Turn])
    busy: list[_Turn] = field(default_factory=list[_Turn])
    kept: list[str | None] = field(default_factory=list[str | None])

    @property
    def idle(self) -> bool:
        return self.ready and not self.busy and not self.waiting


class OllamaNode:
    """One Ollama of a scenario."""

    def __init__(self, shape: scenarios.Node, clock: Clock) -> None:
        self.shape = shape
        self.up = True
        self.loads = 0
        self._clock = clock
        self._stalled = False
        self._runners: dict[str, _Runner] = {}
        self._line: deque[_Turn] = deque()
        self._loading: str | None = None
        self._moved = 0.0
        self._version = 0
        for model in shape.warm:
            self._runners[model] = _Runner(shape.slots, 0.0, ready=True, kept=[None] * shape.slots)
        for begin, end in shape.stalls:
            clock.at(begin, lambda: self._stall(True))
            clock.at(end, lambda: self._stall(False))

    def has(self, model: str) -> bool:
        """Whether the model is installed."""
        return not self.shape.installed or model in self.shape.installed

    @property
    def loaded(self) -> frozenset[str]:
        """What `/api/ps` lists."""
        return frozenset(self._runners)

    def take(self, request: Request, client: Client) -> None:
        """Receive a request."""
        turn = _Turn(request, client, self._clock.now)
        runner = self._runners.get(request.model.name)
        if runner is None:
            self._line.append(turn)
            self._advance_line()
        else:
            self._hand_over(turn, runner)

    def leave(self) -> None:
        """Vanish: whatever is under way breaks."""
        self.up = False
        turns = [*self._line, *(turn for runner in self._runners.values() for turn in (*runner.waiting, *runner.busy))]
        self._line.clear()
        self._runners.clear()
        self._loading = None
        self._schedule()
        for turn in turns:
            turn.client.broken(turn.request)

    def come_back(self) -> None:
        """Start anew, with an empty memory."""
        self.up = True

    def _advance_line(self) -> None:
        while self._line:
            runner = self._runners.get(self._line[0].request.model.name)
            if runner is None and not self._make_room():
                return
            if runner is None:
                runner = self._load(self._line[0].request.model)
            self._hand_over(self._line.popleft(), runner)

    def _make_room(self) -> bool:
        if self._loading is not None:
            return False
        if len(self._runners) < self.shape.memory:
            return True
        idle = [name for name, runner in self._runners.items() if runner.idle]
        if not idle:
            return False
        del self._runners[min(idle, key=lambda name: self._runners[name].used)]
        return True

    def _load(self, model: scenarios.Model) -> _Runner:
        runner = _Runner(self.shape.slots, self._clock.now, kept=[None] * self.shape.slots)
        self._runners[model.name] = runner
        self._loading = model.name
        self.loads += 1
        self._clock.at(self._clock.now + model.load / self.shape.speed, lambda: self._loaded(model.name, runner))
        return runner

    def _loaded(self, name: str, runner: _Runner) -> None:
        if self._runners.get(name) is not runner:
            return  # the node vanished in between
        self._loading = None
        runner.ready = True
        for turn in runner.waiting:
            turn.load_seconds = self._clock.now - turn.sent
        self._advance_line()
        self._fill(runner)

    def _hand_over(self, turn: _Turn, runner: _Runner) -> None:
        runner.used = self._clock.now
        runner.waiting.append(turn)
        self._fill(runner)

    def _fill(self, runner: _Runner) -> None:
        if not runner.ready:
            return
        self._move()
        while runner.waiting and len(runner.busy) < runner.slots:
            turn = runner.waiting.popleft()
            turn.started = self._clock.now
            turn.left = turn.request.prompt * (1 - self._share_in_slot(turn.request, runner))
            runner.busy.append(turn)
        self._schedule()

    def _share_in_slot(self, request: Request, runner: _Runner) -> float:
        """Take the free slot that has the beginning at hand, or the one that was free for longest."""
        if request.prefix is not None and request.prefix in runner.kept:
            runner.kept.remove(request.prefix)
            return request.model.shared
        runner.kept.pop(0)
        return 0.0

    def _stall(self, stalled: bool) -> None:
        self._move()
        self._stalled = stalled
        self._schedule()

    @property
    def _rate(self) -> float:
        count = sum(len(runner.busy) for runner in self._runners.values())
        return 0.0 if self._stalled else self.shape.speed / (1 + self.shape.crowding * max(count - 1, 0))

    def _busy(self) -> list[tuple[_Turn, _Runner]]:
        return [(turn, runner) for runner in self._runners.values() for turn in runner.busy]

    def _move(self) -> None:
        """Let all that is under way get on until now."""
        done = (self._clock.now - self._moved) * self._rate
        self._moved = self._clock.now
        for turn, _ in self._busy():
            turn.left -= done

    def _schedule(self) -> None:
        """See that somebody looks when the next of those under way is through."""
        self._version += 1
        version = self._version
        self._moved = self._clock.now
        busy = self._busy()
        if not busy or not self._rate:
            return
        moment = self._clock.now + max(min(turn.left for turn, _ in busy), 0.0) / self._rate
        self._clock.at(moment, lambda: self._look(version))

    def _look(self, version: int) -> None:
        if version != self._version:
            return
        self._move()
        turn, runner = min(self._busy(), key=lambda pair: pair[0].left)
        if turn.answering:
            self._finish(turn, runner)
        else:
            turn.answering = True
            turn.left = turn.request.answer
            turn.prompt_seconds = self._clock.now - turn.started
            self._schedule()
            turn.client.began(turn.request)

    def _finish(self, turn: _Turn, runner: _Runner) -> None:
        runner.busy.remove(turn)
        runner.kept.append(turn.request.prefix)
        runner.used = self._clock.now
        turn.request.ended = self._clock.now
        self._fill(runner)
        self._advance_line()
        turn.client.ended(turn.request, turn.load_seconds, turn.prompt_seconds)
