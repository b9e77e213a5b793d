from __future__ import annotations

from typing import Any

import pytest

from gleitzeit_ollama.answers.parsed import parsed, unusable

CITY: dict[str, Any] = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


@pytest.mark.parametrize("answer_format", ["json", CITY])
def test_text_that_fits_is_data(answer_format: Any) -> None:
    assert parsed('{"city": "Paris"}', answer_format).value == {"city": "Paris"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("Paris", "it is not JSON: "),
        ('{"city": NaN}', "it is not JSON: NaN is not JSON"),
        ("[" * 100_000, "it is not JSON: it is nested too deeply"),
        ('{"city": 5}', "it does not fit format: city: "),
        ("{}", "it does not fit format: city"),
    ],
)
def test_text_that_does_not_fit_says_why(text: str, problem: str) -> None:
    found = parsed(text, CITY)
    assert (found.problem or "").startswith(problem)


def test_a_long_answer_is_checked_to_its_end() -> None:
    numbers = {"type": "array", "items": {"type": "integer"}}
    assert parsed(str(list(range(30_000))), numbers).problem is None
    assert (parsed(str([*range(30_000), 0.5]), numbers).problem or "").startswith("it does not fit format: [30000]")


def test_what_is_too_much_to_check_is_not_taken_for_data_that_fits() -> None:
    twice: dict[str, Any] = {"type": "integer"}
    for _ in range(20):
        twice = {"anyOf": [{"allOf": [twice, {"minimum": 1}]}, {"allOf": [twice, {"minimum": 1}]}]}
    assert parsed('"x"', twice).problem == "it does not fit format: is too much to check against its schema"


def test_a_pattern_that_would_take_for_ever_takes_no_time() -> None:
    pattern = {"type": "string", "pattern": "^(a+)+$"}
    assert "does not match the pattern" in (parsed(f'"{"a" * 5_000}!"', pattern).problem or "")


def test_null_is_data_too() -> None:
    assert parsed("null", "json").problem is None


@pytest.mark.parametrize(
    ("cut_off", "repaired", "words", "hint"),
    [
        (True, False, "for it was cut off", "max_tokens"),
        (False, True, "and was not when it was asked for again", "describe in a message"),
        (False, False, "is not what format asks for: it is not JSON", "describe in a message"),
    ],
)
def test_the_error_says_what_to_do(cut_off: bool, repaired: bool, words: str, hint: str) -> None:
    error = unusable("x" * 1000, "it is not JSON", cut_off=cut_off, repaired=repaired)
    assert error.retryable
    assert words in error.message
    assert hint in (error.hint or "")
    assert len(error.details["response"]) == 500
