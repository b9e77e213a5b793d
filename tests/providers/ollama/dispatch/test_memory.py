from __future__ import annotations

from gleitzeit_ollama.dispatch.base import Want
from gleitzeit_ollama.dispatch.memory import Memory

NOBODY: frozenset[str] = frozenset()
SMALL = (("num_ctx", 2048),)


def holds(memory: Memory, want: Want) -> bool:
    return want.model in memory.residents and memory.residents[want.model].fits(want)


def seen(memory: Memory, *models: str, now: float, busy: frozenset[str] = NOBODY, full: bool = False) -> None:
    memory.see(frozenset(models), busy, full=full, now=now)


def test_what_a_node_says_is_in_memory_and_what_it_leaves_out_is_not() -> None:
    memory = Memory()
    seen(memory, "a", "b", now=0)
    assert holds(memory, Want("a"))
    seen(memory, "b", now=10)
    assert not holds(memory, Want("a"))


def test_what_was_sent_a_moment_ago_is_on_its_way_although_the_node_does_not_list_it_yet() -> None:
    memory = Memory()
    memory.use(Want("a"), NOBODY, 1.0)
    seen(memory, now=1.5, busy=frozenset({"a"}))
    assert holds(memory, Want("a"))


def test_other_load_options_are_another_model() -> None:
    memory = Memory()
    memory.use(Want("a", SMALL), NOBODY, 0.0)
    assert holds(memory, Want("a", SMALL))
    assert not holds(memory, Want("a"))
    memory.use(Want("a"), NOBODY, 1.0)
    assert not holds(memory, Want("a", SMALL))


def test_a_model_that_left_for_another_tells_how_many_there_is_room_for() -> None:
    memory = Memory()
    memory.use(Want("a"), NOBODY, 1.0)
    memory.use(Want("b"), NOBODY, 5.0)
    assert memory.capacity == 3
    seen(memory, "b", now=10)
    assert memory.capacity == 1


def test_a_model_that_nobody_used_for_long_tells_nothing() -> None:
    memory = Memory()
    memory.use(Want("a"), NOBODY, 1.0)
    memory.use(Want("b"), NOBODY, 2.0)
    memory.use(Want("a"), NOBODY, 3.0)
    seen(memory, "b", now=400)
    assert memory.learnt is None


def test_a_request_that_waits_for_memory_tells_it_too() -> None:
    memory = Memory()
    memory.use(Want("a"), NOBODY, 1.0)
    memory.use(Want("b"), frozenset({"a"}), 5.0)
    seen(memory, "a", now=7, busy=frozenset({"a", "b"}), full=True)
    assert memory.capacity == 1
    assert set(memory.residents) == {"b"}


def test_more_than_that_seen_at_once_corrects_it() -> None:
    memory = Memory()
    seen(memory, "a", now=0, full=True)
    seen(memory, "a", "b", "c", "d", now=10)
    assert memory.capacity == 4


def test_what_was_used_least_recently_makes_room_and_not_what_is_in_use() -> None:
    memory = Memory()
    seen(memory, "a", "b", now=0)
    memory.learnt = 2
    memory.use(Want("a"), NOBODY, 1.0)
    memory.use(Want("b"), NOBODY, 2.0)
    memory.use(Want("c"), frozenset({"a"}), 3.0)
    assert set(memory.residents) == {"a", "c"}


def test_a_load_that_nobody_expected_means_that_there_is_less_room() -> None:
    memory = Memory()
    memory.use(Want("a"), NOBODY, 1.0)
    memory.use(Want("b"), NOBODY, 2.0)
    memory.was_gone("a", NOBODY, 9.0)
    assert memory.capacity == 1
    assert set(memory.residents) == {"a"}
