"""What a request needs of a node."""

from __future__ import annotations

from gleitzeit.providers.base import current_task
from gleitzeit_ollama.dispatch.base import Want
from gleitzeit_ollama.methods.asked import Asked
from gleitzeit_ollama.pool.base import full_name


def want_of(asked: Asked) -> Want:
    """What `asked` needs, in the turn of the run that is being carried out."""
    return Want(full_name(asked.model), asked.load, asked.prefix, current_task().run_id)
