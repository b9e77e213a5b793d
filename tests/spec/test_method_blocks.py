"""A method as the document shows it is a valid task: known, and its parameters fit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest

from gleitzeit.application import open_application
from gleitzeit.config import load_configuration
from gleitzeit.core.document import read
from gleitzeit.core.models import Retry
from gleitzeit.registry import ProtocolProviderRegistry


@pytest.mark.anyio
async def test_a_method_block_is_a_valid_task(entry: Any, document_blocks: Mapping[int, str], tmp_path: Path) -> None:
    configuration = load_configuration(environ={"GLEITZEIT_HOME": str(tmp_path)})
    with anyio.fail_after(20):
        async with open_application(configuration, registry=ProtocolProviderRegistry()) as application:
            checked = await application.check(entry.complete(document_blocks[entry.block]))
    assert [str(diagnostic) for diagnostic in checked.diagnostics] == []
    assert checked.valid


def test_the_retry_block_says_how_often_and_how_soon(entry: Any, document_blocks: Mapping[int, str]) -> None:
    (task,) = read(document_blocks[entry.block]).require().tasks
    assert task.retry == Retry(max_attempts=3, delay=2, exponential_backoff=True)
