"""What can be known of a server's tools before anything is opened, so that its host need not wait for it."""

from __future__ import annotations

from pathlib import Path

from gleitzeit.cli.chosen_configuration import configured
from gleitzeit.core.errors import GleitzeitError
from gleitzeit.store.glimpse import has_no_workflows


def has_only_fixed_tools(config: Path | None) -> bool:
    """Whether it is certain that there are no saved workflows, and that no tools of servers are exposed."""
    try:
        configuration = configured(config)
    except GleitzeitError:  # then nothing can be opened, which every tool that is called will say
        return True
    if configuration.workflows.directories or configuration.server.expose_tools:
        return False
    file = configuration.engine.file
    return file is None or has_no_workflows(file)
