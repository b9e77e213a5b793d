from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from gleitzeit.core.errors import LimitError
from gleitzeit_ollama.dispatch.base import NodeState, NodeView, Want
from gleitzeit_ollama.dispatch.dispatcher import Dispatcher, Placement
from gleitzeit_ollama.dispatch.line import Ticket

A, B = Want("a:latest"), Want("b:latest")
BOTH = frozenset({"a:latest", "b:latest"})
WARM = NodeView("healthy", max_parallel=1, installed=BOTH, loaded=frozenset({"a:latest"}))


def pool(max_queue: int = 100, **nodes: NodeView) -> Dispatcher:
    dispatcher = Dispatcher(max_queue)
    for name, view in nodes.items():
        dispatcher.see(name, view)
    return dispatcher


def enter(dispatcher: Dispatcher, count: int, want: Want = A, now: float = 0.0) -> list[Ticket]:
    return [dispatcher.enter(want, now) for _ in range(count)]


def sent(placements: Iterable[Placement]) -> list[str]:
    return [placement.node for placement in placements]


def answer(dispatcher: Dispatcher, placement: Placement, begin: float, end: float) -> None:
    dispatcher.began(placement.ticket, begin)
    dispatcher.ended(placement.ticket, end, load_seconds=0.01, prompt_seconds=0.1)


def teach(dispatcher: Dispatcher, node: str, seconds: float, now: float = 0.0) -> float:
    """Let the only node that is there answer some requests; the time then."""
    for _ in range(12):
        dispatcher.enter(A, now)
        (placement,) = dispatcher.assign(now)
        assert placement.node == node
        answer(dispatcher, placement, now + 0.1, now + seconds)
        now += seconds
    return now


def test_requests_are_spread_over_nodes_and_the_rest_waits_in_the_pool() -> None:
    dispatcher = pool(one=WARM, two=WARM)
    enter(dispatcher, 5)
    assert sorted(sent(dispatcher.assign(0.0))) == ["one", "two"]
    assert sent(dispatcher.assign(0.0)) == []
    assert (dispatcher.in_flight("one"), dispatcher.in_flight("two")) == ({"a:latest": 1}, {"a:latest": 1})


def test_an_answer_makes_room_for_the_next_in_the_order_of_arrival() -> None:
    dispatcher = pool(one=WARM)
    tickets = enter(dispatcher, 3)
    for number, ticket in enumerate(tickets):
        (placement,) = dispatcher.assign(float(number))
        assert placement.ticket is ticket
        answer(dispatcher, placement, number + 0.1, number + 1.0)
    assert dispatcher.in_flight("one") == {}


def test_a_node_without_the_model_is_never_chosen() -> None:
    dispatcher = pool(one=replace(WARM, installed=frozenset({"b:latest"})), two=WARM)
    enter(dispatcher, 3)
    assert sent(dispatcher.assign(0.0)) == ["two"]


@pytest.mark.parametrize("state", ["down", "unknown"])
def test_a_node_that_is_not_there_is_never_chosen(state: NodeState) -> None:
    dispatcher = pool(one=replace(WARM, state=state))
    enter(dispatcher, 1)
    assert dispatcher.assign(0.0) == []


def test_a_node_on_trial_gets_one_request_at_a_time() -> None:
    dispatcher = pool(one=replace(WARM, state="trial", max_parallel=4))
    enter(dispatcher, 3)
    assert sent(dispatcher.assign(0.0)) == ["one"]
    dispatcher.see("one", replace(WARM, max_parallel=4))
    assert sent(dispatcher.assign(0.0)) == ["one", "one"]


def test_the_node_that_has_the_model_in_memory_is_preferred() -> None:
    dispatcher = pool(one=replace(WARM, loaded=frozenset()), two=WARM)
    enter(dispatcher, 1)
    (placement,) = dispatcher.assign(0.0)
    assert (placement.node, placement.cold) == ("two", False)


def test_residence_is_not_idleness_a_long_line_makes_another_node_load_the_model() -> None:
    dispatcher = pool(one=WARM, two=replace(WARM, loaded=frozenset()))
    enter(dispatcher, 1)
    dispatcher.assign(0.0)
    enter(dispatcher, 1)
    assert dispatcher.assign(0.0) == []
    enter(dispatcher, 8)
    (placement,) = dispatcher.assign(0.0)
    assert (placement.node, placement.cold) == ("two", True)


def test_a_model_that_is_being_loaded_is_waited_for_there_and_not_loaded_by_all() -> None:
    empty = replace(WARM, loaded=frozenset(), max_parallel=4)
    dispatcher = pool(one=empty, two=empty, three=empty)
    enter(dispatcher, 1)
    first = dispatcher.assign(0.0)
    enter(dispatcher, 2)
    second = dispatcher.assign(2.0)
    assert [placement.cold for placement in (*first, *second)] == [True, False, False]
    assert set(sent(second)) == set(sent(first))


def test_a_faster_node_is_found_out_and_preferred() -> None:
    dispatcher = pool(slow=WARM)
    teach(dispatcher, "slow", 4.0)
    dispatcher.see("slow", replace(WARM, state="down"))
    dispatcher.see("fast", WARM)
    now = teach(dispatcher, "fast", 1.0, 100.0)
    dispatcher.see("slow", WARM)
    assert dispatcher.averages("slow")["a:latest"] > 3 * dispatcher.averages("fast")["a:latest"]
    enter(dispatcher, 1, now=now)
    assert sent(dispatcher.assign(now)) == ["fast"]
    enter(dispatcher, 1, now=now)
    assert sent(dispatcher.assign(now)) == []
    enter(dispatcher, 5, now=now)
    assert sent(dispatcher.assign(now)) == ["slow"]


def test_a_node_that_hangs_is_avoided_the_longer_it_hangs() -> None:
    dispatcher = pool(one=replace(WARM, max_parallel=2))
    now = teach(dispatcher, "one", 1.0)
    enter(dispatcher, 1, now=now)
    dispatcher.assign(now)
    dispatcher.see("two", replace(WARM, loaded=frozenset()))
    enter(dispatcher, 1, now=now + 30)
    assert sent(dispatcher.assign(now + 30)) == ["two"]


def test_a_prompt_goes_to_the_node_that_has_seen_its_beginning() -> None:
    dispatcher = pool(one=WARM, two=WARM)
    now = 0.0
    homes: dict[str, str] = {}
    for prefix in ("p", "q"):
        dispatcher.enter(replace(A, prefix=(prefix,)), now)
    for placement in dispatcher.assign(now):
        homes[placement.ticket.want.prefix[0]] = placement.node
        dispatcher.began(placement.ticket, now + 5)
        dispatcher.ended(placement.ticket, now + 6, prompt_seconds=5.0)
    assert set(homes.values()) == {"one", "two"}
    for prefix in ("q", "p", "p", "q"):
        now += 10
        dispatcher.enter(replace(A, prefix=(prefix,)), now)
        (placement,) = dispatcher.assign(now)
        assert placement.node == homes[prefix]
        answer(dispatcher, placement, now + 0.1, now + 1)


def test_other_load_options_are_a_cold_load_and_wait_until_the_model_is_not_in_use() -> None:
    dispatcher = pool(one=replace(WARM, max_parallel=2))
    enter(dispatcher, 1)
    (busy,) = dispatcher.assign(0.0)
    enter(dispatcher, 1, replace(A, load=(("num_ctx", 8192),)))
    assert dispatcher.assign(0.0) == []
    answer(dispatcher, busy, 0.5, 1.0)
    (placement,) = dispatcher.assign(1.0)
    assert placement.cold


def test_where_the_places_are_not_configured_they_are_found_out() -> None:
    dispatcher = pool(one=replace(WARM, max_parallel=None))
    assert dispatcher.places("a:latest") == 1
    enter(dispatcher, 4)
    first, second = dispatcher.assign(0.0)
    for placement in (first, second):
        dispatcher.began(placement.ticket, 0.5)
    dispatcher.ended(first.ticket, 2.0)
    assert dispatcher.places("a:latest") == 2
    assert len(dispatcher.assign(2.0)) == 2


def test_where_there_is_no_second_place_it_is_not_tried_over_and_over() -> None:
    dispatcher = pool(one=replace(WARM, max_parallel=None))
    enter(dispatcher, 10)
    first, second = dispatcher.assign(0.0)
    dispatcher.began(first.ticket, 0.1)
    dispatcher.ended(first.ticket, 1.0)
    dispatcher.began(second.ticket, 1.1)
    assert dispatcher.assign(1.1) == []
    dispatcher.ended(second.ticket, 2.0)
    assert len(dispatcher.assign(2.0)) == 1
    assert dispatcher.places("a:latest") == 1


def test_last_words_that_are_read_late_do_not_prove_a_place() -> None:
    dispatcher = pool(one=replace(WARM, max_parallel=None))
    enter(dispatcher, 2)
    first, second = dispatcher.assign(0.0)
    dispatcher.began(first.ticket, 0.1)
    dispatcher.began(second.ticket, 10.0)
    dispatcher.ended(first.ticket, 10.01)
    assert dispatcher.places("a:latest") == 1


def test_all_connections_of_a_node_are_shared_by_its_models() -> None:
    dispatcher = pool(one=replace(WARM, max_parallel=4, max_connections=3, loaded=BOTH))
    enter(dispatcher, 3, A)
    enter(dispatcher, 3, B)
    assert len(dispatcher.assign(0.0)) == 3


def test_a_node_whose_connections_are_taken_a_moment_ago_is_no_idle_one() -> None:
    one = replace(WARM, max_connections=1)
    dispatcher = pool(one=one, two=replace(one, installed=frozenset({"a:latest"}), loaded=frozenset()))
    enter(dispatcher, 1, B)
    enter(dispatcher, 1, A)
    assert sent(dispatcher.assign(0.0)) == ["one", "two"]


def test_a_full_queue_says_how_long_to_wait() -> None:
    dispatcher = pool(max_queue=2, one=WARM, two=WARM)
    enter(dispatcher, 2)
    dispatcher.assign(0.0)
    enter(dispatcher, 4)
    with pytest.raises(LimitError, match="4 requests wait for the model a:latest") as raised:
        dispatcher.enter(A, 0.0)
    assert raised.value.retryable
    assert raised.value.details["retry_after"] > 0
    dispatcher.enter(B, 0.0)


def test_without_a_queue_a_request_is_taken_only_where_a_place_is_free() -> None:
    dispatcher = pool(max_queue=0, one=WARM)
    enter(dispatcher, 1)
    assert len(dispatcher.assign(0.0)) == 1
    with pytest.raises(LimitError):
        dispatcher.enter(A, 0.0)


def test_whoever_gives_up_waiting_makes_room_in_the_queue() -> None:
    dispatcher = pool(max_queue=1, one=WARM)
    enter(dispatcher, 1)
    dispatcher.assign(0.0)
    (waiting,) = enter(dispatcher, 1)
    dispatcher.withdraw(waiting, 1.0)
    enter(dispatcher, 1)


def test_whoever_gives_up_at_a_node_frees_the_place() -> None:
    dispatcher = pool(one=WARM)
    enter(dispatcher, 2)
    (placement,) = dispatcher.assign(0.0)
    dispatcher.withdraw(placement.ticket, 1.0)
    assert len(dispatcher.assign(1.0)) == 1


def test_a_request_that_failed_goes_to_another_node_and_back_only_where_there_is_no_other() -> None:
    dispatcher = pool(one=WARM, two=WARM)
    dispatcher.enter(A, 0.0, {"one"})
    (placement,) = dispatcher.assign(0.0)
    assert placement.node == "two"
    dispatcher.failed(placement.ticket, 1.0)
    dispatcher.enter(A, 1.0, {"one", "two"})
    assert len(dispatcher.assign(1.0)) == 1


def test_a_failure_teaches_nothing_about_speed() -> None:
    dispatcher = pool(one=WARM)
    enter(dispatcher, 1)
    (placement,) = dispatcher.assign(0.0)
    dispatcher.failed(placement.ticket, 500.0)
    assert dispatcher.averages("one") == {}


def test_while_all_nodes_are_gone_requests_wait_and_go_on_when_one_returns() -> None:
    dispatcher = pool(one=WARM)
    dispatcher.see("one", NodeView("down"))
    enter(dispatcher, 2)
    assert dispatcher.assign(0.0) == []
    dispatcher.see("one", replace(WARM, loaded=frozenset()))
    (placement,) = dispatcher.assign(5.0)
    assert placement.cold


def test_a_node_that_was_down_has_nothing_in_memory() -> None:
    dispatcher = pool(one=WARM)
    dispatcher.see("one", NodeView("down"))
    dispatcher.see("one", replace(WARM, loaded=frozenset()))
    enter(dispatcher, 1)
    (placement,) = dispatcher.assign(0.0)
    assert placement.cold


def test_what_is_in_flight_on_a_forgotten_node_may_still_end() -> None:
    dispatcher = pool(one=WARM)
    enter(dispatcher, 2)
    (placement,) = dispatcher.assign(0.0)
    dispatcher.forget("one")
    assert dispatcher.assign(1.0) == []
    dispatcher.ended(placement.ticket, 2.0)
    assert (dispatcher.in_flight("one"), dispatcher.averages("one")) == ({}, {})


def test_a_single_request_is_not_held_up_by_a_run_with_hundreds() -> None:
    dispatcher = pool(max_queue=1000, one=WARM)
    enter(dispatcher, 500, replace(A, run="large"))
    single = dispatcher.enter(replace(A, run="small"), 0.0)
    for number in range(10):
        (placement,) = dispatcher.assign(float(number))
        if placement.ticket is single:
            return
        answer(dispatcher, placement, number + 0.1, number + 1.0)
    pytest.fail("nine others came first")


def test_a_model_that_nobody_has_in_memory_gets_its_turn_beside_one_that_is_always_asked_for() -> None:
    dispatcher = pool(one=replace(WARM, max_parallel=2))
    now, running = 0.0, list[Placement]()
    enter(dispatcher, 2)
    running += dispatcher.assign(now)
    rare = dispatcher.enter(B, now)
    for _ in range(300):
        if rare.node is not None:
            return
        now += 0.5
        enter(dispatcher, 1, now=now)
        oldest = running.pop(0)
        answer(dispatcher, oldest, now - 0.4, now)
        running += dispatcher.assign(now)
    pytest.fail("it was never served")


def test_where_memory_is_known_to_hold_one_model_another_waits_until_it_is_idle() -> None:
    dispatcher = pool(one=replace(WARM, max_parallel=2))
    enter(dispatcher, 1, B)
    (cold,) = dispatcher.assign(1.0)
    answer(dispatcher, cold, 6.0, 7.0)
    dispatcher.see("one", replace(WARM, max_parallel=2, loaded=frozenset({"b:latest"})))
    enter(dispatcher, 1, B, now=8.0)
    (busy,) = dispatcher.assign(8.0)
    enter(dispatcher, 1, A, now=8.0)
    assert dispatcher.assign(8.0) == []
    answer(dispatcher, busy, 8.1, 9.0)
    (placement,) = dispatcher.assign(9.0)
    assert (placement.ticket.want, placement.cold) == (A, True)


def test_a_cold_load_that_was_measured_is_what_the_next_is_expected_to_take() -> None:
    dispatcher = pool(one=replace(WARM, loaded=frozenset()))
    enter(dispatcher, 1)
    (cold,) = dispatcher.assign(0.0)
    dispatcher.began(cold.ticket, 31.0)
    dispatcher.ended(cold.ticket, 32.0, load_seconds=30.0, prompt_seconds=0.5)
    dispatcher.see("one", replace(WARM, loaded=frozenset()))
    enter(dispatcher, 1, now=400.0)
    (again,) = dispatcher.assign(400.0)
    assert again.cold
    assert 30.0 < again.expected < 35.0


def test_an_event_of_a_request_that_was_never_sent_is_a_defect() -> None:
    dispatcher = pool(one=WARM)
    with pytest.raises(ValueError, match="has no node"):
        dispatcher.began(dispatcher.enter(A, 0.0), 1.0)
