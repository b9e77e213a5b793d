"""Whatever happens, in whatever order: no request is lost or sent twice, and no node gets more than it may have."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, MultipleResults, RuleBasedStateMachine, consumes, invariant, multiple, rule

from gleitzeit.core.errors import LimitError
from gleitzeit_ollama.dispatch.base import NodeView, Want
from gleitzeit_ollama.dispatch.dispatcher import Dispatcher
from gleitzeit_ollama.dispatch.line import Ticket

NODES = ("one", "two", "three")
MODELS = ("a:latest", "b:latest")
MAX_QUEUE = 3

some_models = st.frozensets(st.sampled_from(MODELS))
views = st.builds(
    NodeView,
    state=st.sampled_from(("healthy", "healthy", "healthy", "trial", "down", "unknown")),
    weight=st.sampled_from((0.5, 1.0, 3.0)),
    max_parallel=st.sampled_from((None, 1, 2)),
    max_connections=st.integers(1, 4),
    installed=st.frozensets(st.sampled_from(MODELS), min_size=1),
    loaded=some_models,
)
wants = st.builds(
    Want,
    model=st.sampled_from(MODELS),
    load=st.sampled_from(((), (("num_ctx", 4096),))),
    prefix=st.sampled_from(((), ("p",), ("p", "q"))),
    run=st.sampled_from(("", "r", "s")),
)


class Rules(RuleBasedStateMachine):
    """The dispatcher beside a plain count of what went in and out."""

    waiting = Bundle("waiting")
    in_flight = Bundle("in_flight")

    def __init__(self) -> None:
        super().__init__()
        self.dispatcher = Dispatcher(MAX_QUEUE)
        self.views: dict[str, NodeView] = {}
        self.now = 0.0
        self.tickets: set[Ticket] = set()
        self.sent: dict[Ticket, str] = {}

    @rule(node=st.sampled_from(NODES), view=views)
    def see(self, node: str, view: NodeView) -> None:
        self.views[node] = view
        self.dispatcher.see(node, view)

    @rule(node=st.sampled_from(NODES))
    def forget(self, node: str) -> None:
        self.views.pop(node, None)
        self.dispatcher.forget(node)

    @rule(seconds=st.sampled_from((0.0, 0.1, 3.0, 100.0)))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(target=waiting, want=wants, without=st.frozensets(st.sampled_from(NODES), max_size=2))
    def enter(self, want: Want, without: frozenset[str]) -> Ticket | MultipleResults[Ticket]:
        before = sum(ticket.want.model == want.model for ticket in self.tickets)
        having = sum(
            view.state in {"healthy", "trial"} and want.model in view.installed for view in self.views.values()
        )
        if before >= MAX_QUEUE * max(having, 1):
            with pytest.raises(LimitError):
                self.dispatcher.enter(want, self.now, without)
            nobody: MultipleResults[Ticket] = multiple()
            return nobody
        ticket = self.dispatcher.enter(want, self.now, without)
        self.tickets.add(ticket)
        return ticket

    @rule(target=in_flight)
    def assign(self) -> MultipleResults[Ticket]:
        before = {node: self.dispatcher.in_flight(node) for node in NODES}
        placements = self.dispatcher.assign(self.now)
        for placement in placements:
            self.tickets.remove(placement.ticket)  # fails where it was not waiting
            assert placement.ticket not in self.sent
            self.sent[placement.ticket] = placement.node
            view = self.views[placement.node]
            assert view.state in {"healthy", "trial"}
            assert placement.ticket.want.model in view.installed
            assert placement.expected >= 0
        self._check_caps(before, {placement.node for placement in placements})
        assert self.dispatcher.assign(self.now) == []
        return multiple(*(placement.ticket for placement in placements))

    def _check_caps(self, before: dict[str, dict[str, int]], nodes: set[str]) -> None:
        for node in nodes:
            view, counts = self.views[node], self.dispatcher.in_flight(node)
            assert sum(counts.values()) <= (1 if view.state == "trial" else view.max_connections)
            for model, count in counts.items():
                if view.max_parallel is not None and count > before[node].get(model, 0):
                    assert count <= view.max_parallel

    @rule(ticket=in_flight)
    def begin(self, ticket: Ticket) -> None:
        if ticket in self.sent and ticket.began is None:
            self.dispatcher.began(ticket, self.now)

    @rule(ticket=consumes(in_flight), load=st.sampled_from((0.0, 0.02, 7.0)), prompt=st.sampled_from((0.0, 0.5)))
    def end(self, ticket: Ticket, load: float, prompt: float) -> None:
        self.dispatcher.ended(ticket, self.now, load_seconds=load, prompt_seconds=prompt)
        del self.sent[ticket]

    @rule(ticket=consumes(in_flight))
    def fail(self, ticket: Ticket) -> None:
        self.dispatcher.failed(ticket, self.now)
        del self.sent[ticket]

    @rule(ticket=consumes(in_flight))
    def leave_the_node(self, ticket: Ticket) -> None:
        self.dispatcher.withdraw(ticket, self.now)
        del self.sent[ticket]

    @rule(ticket=consumes(waiting))
    def leave_the_line(self, ticket: Ticket) -> None:
        if ticket in self.tickets:
            self.dispatcher.withdraw(ticket, self.now)
            self.tickets.remove(ticket)

    @invariant()
    def counts_are_those_of_what_is_in_flight(self) -> None:
        for node in NODES:
            expected = Counter(ticket.want.model for ticket, of in self.sent.items() if of == node)
            assert self.dispatcher.in_flight(node) == dict(expected)

    @invariant()
    def averages_are_times(self) -> None:
        assert all(seconds >= 0 for node in NODES for seconds in self.dispatcher.averages(node).values())

    def teardown(self) -> None:
        """Once all nodes are well again, everybody is served."""
        for node in NODES:
            self.see(node, NodeView("healthy", max_parallel=1, installed=frozenset(MODELS)))
        for ticket in list(self.sent):
            self.end(ticket, 0.02, 0.0)
        rounds = len(self.tickets)
        for _ in range(rounds):
            self.now += 30.0
            placements = self.dispatcher.assign(self.now)
            for placement in placements:
                self.tickets.remove(placement.ticket)
                self.dispatcher.ended(placement.ticket, self.now + 1, load_seconds=0.02)
        assert not self.tickets


TestRules = Rules.TestCase
TestRules.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
