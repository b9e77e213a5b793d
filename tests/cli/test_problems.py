"""Errors are told in words, with the place they are about."""

from __future__ import annotations

from pathlib import Path

import pytest

from gleitzeit.cli.documents import WorkflowFileError, open_workflow
from gleitzeit.cli.problems import excerpt, say_error
from gleitzeit.core import errors
from gleitzeit.core.diagnostics import Diagnostic


def test_the_caret_stands_under_the_column() -> None:
    shown = excerpt("a: 1\n  b: 2\n", 2, 3)
    assert shown is not None
    assert (shown.text, shown.offset) == ("  b: 2", 2)


@pytest.mark.parametrize(("line", "column"), [(0, 1), (4, 1), (-1, None)])
def test_a_place_outside_of_the_text_has_no_excerpt(line: int, column: int | None) -> None:
    assert excerpt("a\nb\nc", line, column) is None


def test_a_column_beyond_the_line_is_shown_at_its_end() -> None:
    shown = excerpt("abc", 1, 99)
    assert shown is not None
    assert shown.offset == 3


def test_a_long_line_is_cropped_around_the_caret() -> None:
    shown = excerpt("x" * 5000 + "!" + "y" * 5000, 1, 5001)
    assert shown is not None
    assert len(shown.text) <= 100
    assert shown.text[shown.offset] == "!"


def test_wide_letters_before_the_caret_count_twice() -> None:
    shown = excerpt("名前: x", 1, 3)
    assert shown is not None
    assert shown.offset == 4


def test_control_characters_are_shown_not_obeyed() -> None:
    shown = excerpt("a\x1b[2Jb", 1, 4)
    assert shown is not None
    assert shown.text == "a\\x1b[2Jb"
    assert shown.offset == len("a\\x1b[")


def test_an_error_is_told_with_its_hint(capsys: pytest.CaptureFixture[str]) -> None:
    say_error(errors.RunNotFoundError('there is no run "x"'))
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.splitlines() == [
        'error[run_not_found]: there is no run "x"',
        "  hint: `gleitzeit runs list` shows the runs there are",
    ]


def test_markup_in_a_message_means_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    say_error(errors.ProviderError("[bold]loud[/bold] :smile:"))
    assert "[bold]loud[/bold] :smile:" in capsys.readouterr().err


def test_a_diagnostic_shows_file_line_column_and_the_line_itself(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "wf.yaml"
    path.write_text("tasks:\n  - id: a\n    metod: x\n")
    diagnostic = Diagnostic("unknown_key", 'unknown key "metod"', "tasks[0].metod", 3, 5, 'did you mean "method"?')
    say_error(WorkflowFileError(open_workflow(str(path)), [diagnostic]))
    assert capsys.readouterr().err.splitlines() == [
        f'error[unknown_key] {path}:3:5: tasks[0].metod: unknown key "metod"',
        "    3 |     metod: x",
        "      |     ^",
        '  hint: did you mean "method"?',
    ]
