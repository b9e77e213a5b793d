"""A run as it goes on: a live table on a terminal, one line an event elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gleitzeit.cli.board import ENDED, QUESTIONS, Board, Row, is_item
from gleitzeit.cli.output import console, has_terminal, line, say
from gleitzeit.core.models import Event, TaskResult

if TYPE_CHECKING:  # only a terminal needs it
    from rich.table import Table

Watcher = Callable[[Event], None]

_MARKS = {
    "pending": ("·", "dim"),
    "ready": ("·", "dim"),
    "running": ("●", "cyan"),
    "retrying": ("↻", "yellow"),
    "waiting": ("?", "yellow"),
    "completed": ("✓", "green"),
    "failed": ("✗", "bold red"),
    "skipped": ("-", "dim"),
    "cancelled": ("■", "yellow"),
    "unknown": ("?", "bold yellow"),
}
_SECONDS_BETWEEN_NOTES = 1.0


@contextmanager
def shown_progress(tasks: Iterable[TaskResult]) -> Generator[Watcher]:
    """A function that shows each event of a run on standard error, in the way that fits what it leads to."""
    board = Board(tasks)
    if not has_terminal() or console().is_dumb_terminal:
        for row in board.rows.values():
            if row.state in ENDED:
                say(("         ", "dim"), f"{row.id}: {row.state}{', ' if row.note else ''}{row.note}")
        yield _Lines(board).show
        return
    from rich.live import Live  # see above

    screen = console()
    with Live(console=screen, get_renderable=lambda: _table(board, screen.height), refresh_per_second=8):
        yield lambda event: _ignored(board.apply(event))


class _Lines:
    """One plain line for each event that a log should have."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._begun = time.time()
        self._said: dict[str, float] = {}

    def show(self, event: Event) -> None:
        self._begun = min(self._begun, event.at)
        row = self._board.apply(event)
        if row is None or (is_item(event) and event.kind in ("task.started", "task.completed")):
            return
        if event.kind == "task.progress" and not self._due(row, event.at):
            return
        if event.kind == "question.asked":
            return  # whoever puts it to the person says it
        words = f": {row.words}" if row.words else ""
        said = row.note if event.kind in QUESTIONS else f"{event.kind.removeprefix('task.')}{words}"
        say((f"{max(0.0, event.at - self._begun):7.2f}s ", "dim"), f"{event.task_id}: {said}")

    def _due(self, row: Row, at: float) -> bool:
        """Progress may come hundreds of times a second."""
        due = bool(row.note) and at - self._said.get(row.id, float("-inf")) >= _SECONDS_BETWEEN_NOTES
        if due:
            self._said[row.id] = at
        return due


def _table(board: Board, height: int) -> Table:
    from rich.table import Table  # see above

    now = time.time()
    table = Table.grid(padding=(0, 1))
    for row in _most_telling(list(board.rows.values()), max(3, height - 2)):
        mark, style = _MARKS[row.state]
        seconds = row.seconds(now)
        duration = f"{seconds:.1f}s" if seconds is not None else ""
        table.add_row((line((mark, style))), line(row.id), line((duration, "dim")), line((row.words, "dim")))
    return table


def _most_telling(rows: list[Row], room: int) -> list[Row]:
    """As many rows as there is room for: those at work first, then those that went wrong."""
    if len(rows) <= room:
        return rows
    rank = {"running": 0, "retrying": 0, "waiting": 0, "failed": 1, "unknown": 1, "pending": 2}
    chosen = sorted(rows, key=lambda row: rank.get(row.state, 3))[:room]
    return [row for row in rows if row in chosen]


def _ignored(_: object) -> None:
    return None
