from __future__ import annotations

from gleitzeit_ollama.dispatch.slots import Slots


def test_what_is_configured_holds() -> None:
    slots = Slots()
    slots.saw(4)
    assert (slots.sure(2), slots.most(2)) == (2, 2)


def test_one_more_than_is_known_is_tried() -> None:
    slots = Slots()
    assert (slots.sure(None), slots.most(None)) == (1, 2)
    slots.saw(2)
    assert (slots.sure(None), slots.most(None)) == (2, 3)


def test_what_failed_is_tried_again_after_more_and_more_answers() -> None:
    slots = Slots()
    pauses: list[int] = []
    for _ in range(3):
        slots.overtaken()
        answers = 0
        while slots.most(None) == 1:
            slots.answered()
            answers += 1
        pauses.append(answers)
    assert pauses == [8, 16, 32]


def test_a_trial_that_worked_is_followed_by_the_next() -> None:
    slots = Slots()
    slots.overtaken()
    slots.saw(2)
    assert slots.most(None) == 3
