"""Configuration files for the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from gleitzeit.config import Configuration, load_configuration

Load = Callable[..., Configuration]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def load(home: Path) -> Load:
    """Write `text` as the configuration file and load it with nothing but `environ` in the environment."""

    def written(text: str = "", environ: Mapping[str, str] | None = None, **overrides: object) -> Configuration:
        if text:
            (home / "config.yaml").write_text(text, encoding="utf-8")
        return load_configuration(None, {"GLEITZEIT_HOME": str(home), **(environ or {})}, overrides)

    return written
