"""A look into a database that nobody has opened yet; it brings no store along, for its host waits for the answer."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path


def has_no_workflows(path: Path) -> bool:
    """Whether it is certain that no workflow is saved; false where that can't be seen at once."""
    query = Path(__file__).with_name("glimpse.sql").read_text(encoding="utf-8")
    try:
        if not path.exists():
            return True
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=0)) as connection:
            return connection.execute(query).fetchone() is None
    except (OSError, sqlite3.Error):  # whoever opens it says what is wrong with it
        return False
