"""`gleitzeit methods` lists what workflows can call."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., Any]

pytestmark = pytest.mark.usefixtures("play")


def test_each_method_has_a_line(gleitzeit: Command) -> None:
    outcome = gleitzeit("methods")
    assert outcome.code == 0
    assert re.search(r"^play/double +Double a number\.$", outcome.stdout, re.MULTILINE)
    assert "mcp/servers" in outcome.stdout


def test_what_a_method_can_do_stands_behind_it(gleitzeit: Command) -> None:
    assert gleitzeit("methods", "play/echo").stdout == "play/echo  Give back what it got. [streaming, batch]\n"
    (method,) = gleitzeit("methods", "play/echo", "--json").json["methods"]
    assert method["capabilities"] == ["streaming", "batch"]
    assert gleitzeit("methods", "play/double", "--json").json["methods"][0]["capabilities"] == []


def test_a_query_looks_into_names_and_descriptions(gleitzeit: Command) -> None:
    assert gleitzeit("methods", "double NUMBER").stdout == "play/double  Double a number.\n"


def test_a_query_that_fits_nothing_names_the_nearest(gleitzeit: Command) -> None:
    outcome = gleitzeit("methods", "play/doubel")
    assert outcome.code == 3
    assert 'did you mean "play/double"?' in outcome.stderr


def test_methods_can_be_limited_to_a_provider(gleitzeit: Command) -> None:
    listed = gleitzeit("methods", "--provider", "play", "--json").json
    assert {method["provider"] for method in listed["methods"]} == {"play"}
    assert listed["count"] == 5
    outcome = gleitzeit("methods", "--provider", "plya")
    assert outcome.code == 3
    assert 'did you mean "play"?' in outcome.stderr


def test_the_schema_is_shown_where_it_is_asked_for(gleitzeit: Command) -> None:
    listed = gleitzeit("methods", "double", "--schema", "--json").json
    assert listed["methods"][0]["parameters"]["required"] == ["value"]
    assert '"integer"' in gleitzeit("methods", "double", "--schema").stdout


def test_a_module_that_does_not_load_is_told_and_the_rest_is_listed(gleitzeit: Command, play: Path) -> None:
    (play / "broken_provider.py").write_text("import no_such_module\n")
    (play / "config.yaml").write_text("providers: {path: [.], modules: [broken_provider, play_provider]}\n")
    outcome = gleitzeit("methods")
    assert outcome.code == 0
    assert "broken_provider" in outcome.stderr
    assert "play/double" in outcome.stdout
