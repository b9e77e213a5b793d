from __future__ import annotations

import pytest

from gleitzeit_ollama.calls.progress import TokenProgress

Report = tuple[float | None, float | None, str | None]


class Watched:
    """A progress whose clock a test sets, and what it reported."""

    def __init__(self, most: int | None = None) -> None:
        self.now = 100.0
        self.reports: list[Report] = []
        self.progress = TokenProgress(self._keep, most, lambda: self.now)

    async def _keep(self, done: float | None, total: float | None, message: str | None) -> None:
        self.reports.append((done, total, message))


@pytest.mark.anyio
async def test_the_first_token_is_told_at_once() -> None:
    watched = Watched()
    await watched.progress.add("Hel")
    assert watched.reports == [(1, None, "Hel")]


@pytest.mark.anyio
async def test_tokens_within_a_tenth_of_a_second_are_told_together_in_their_order() -> None:
    watched = Watched(most=10)
    for text in ("a", "b", "c"):
        await watched.progress.add(text)
    watched.now += 0.1
    await watched.progress.add("d")
    assert watched.reports == [(1, 10, "a"), (4, 10, "bcd")]


@pytest.mark.anyio
async def test_what_waits_is_told_by_a_flush_and_only_once() -> None:
    watched = Watched()
    await watched.progress.add("a")
    await watched.progress.add("b")
    await watched.progress.flush()
    await watched.progress.flush()
    assert watched.reports == [(1, None, "a"), (2, None, "b")]


@pytest.mark.anyio
async def test_a_thousand_tokens_in_a_second_make_about_ten_reports() -> None:
    watched = Watched()
    for number in range(1000):
        watched.now = 100 + number / 1000
        await watched.progress.add(f"{number} ")
    await watched.progress.flush()
    assert 10 <= len(watched.reports) <= 11
    assert "".join(report[2] or "" for report in watched.reports) == "".join(f"{number} " for number in range(1000))


@pytest.mark.anyio
async def test_thinking_counts_without_text() -> None:
    watched = Watched()
    await watched.progress.add("")
    assert watched.reports == [(1, None, None)]


@pytest.mark.anyio
async def test_no_total_is_told_once_it_is_passed() -> None:
    watched = Watched(most=1)
    await watched.progress.add("a")
    await watched.progress.add("b")
    await watched.progress.flush()
    assert [report[1] for report in watched.reports] == [1, None]
