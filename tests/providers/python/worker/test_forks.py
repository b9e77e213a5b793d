"""Which hooks a fork server does without: those of modules that it knows, and of no others."""

from __future__ import annotations

import os
from collections.abc import Callable
from types import ModuleType

import pytest

from gleitzeit_python.worker.forks import without_hooks

Kept = list[dict[str, Callable[[], None]]]
REGISTERS = "import os\ndef hook(): pass\nos.register_at_fork(after_in_child=hook)"


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Kept:
    hooks: Kept = []

    def register(**these: Callable[[], None]) -> None:
        hooks.append(these)

    monkeypatch.setattr(os, "register_at_fork", register)
    return hooks


def imported(name: str) -> ModuleType:
    module = ModuleType(name)
    exec(REGISTERS, module.__dict__)
    return module


def test_a_module_of_somebody_else_keeps_its_hooks(kept: Kept) -> None:
    with without_hooks():
        module = imported("somebody")
    assert kept == [{"after_in_child": module.hook}]


@pytest.mark.parametrize("name", ["threading", "logging", "random", "concurrent.futures.thread"])
def test_locks_that_nobody_holds_are_not_freed(kept: Kept, name: str) -> None:
    with without_hooks():
        imported(name)
    assert kept == []


def test_what_is_imported_later_registers_as_ever(kept: Kept) -> None:
    register = os.register_at_fork
    with without_hooks():
        assert os.register_at_fork is not register
    imported("threading")
    assert os.register_at_fork is register
    assert len(kept) == 1
