"""Errors as answers for a model: what was wrong, where, and what to do."""

from __future__ import annotations

import logging
from typing import Any

from gleitzeit.core.errors import DocumentError, GleitzeitError
from gleitzeit.mcp_server.rendering.answer import Answer, cut, ended, plain
from gleitzeit.mcp_server.rendering.diagnoses import diagnoses

logger = logging.getLogger(__name__)

_DOCUMENTS = {
    "submit_workflow": ("The workflow was not run", "Correct the document and submit it again."),
    "save_workflow": ("The workflow was not saved", "Correct the document and save it again."),
    "list_workflows": ("The workflow can't be used", "Its file has to be corrected where it is."),
    "resume_run": ("The run was not resumed", "Correct the changes, or the document, and resume the run again."),
}


def refused(error: GleitzeitError, budget: int, tool: str = "submit_workflow") -> Answer:
    """The answer for a request to `tool` that could not be carried out as it was."""
    if isinstance(error, DocumentError):
        return _bad_document(error, budget, tool)
    hint = f" {_sentence(error.hint)}" if error.hint else ""
    data: dict[str, Any] = {"code": error.code, "message": error.message, "retryable": error.retryable}
    if error.hint:
        data["hint"] = error.hint
    if error.details:
        data["details"] = dict(error.details)
    return Answer(cut(f"{error.message} [{error.code}]{hint}", budget), {"error": plain(data)}, failed=True)


def broken(tool: str, error: Exception) -> Answer:
    """The answer after an exception that nobody foresaw: it goes to standard error, not to the model."""
    logger.error("%s failed in a way that nobody foresaw", tool, exc_info=error)
    message = f"{tool} failed inside Gleitzeit; its standard error has the details. Other calls still work."
    return Answer(f"{message} [internal]", {"error": {"code": "internal", "message": message}}, failed=True)


def _bad_document(error: DocumentError, budget: int, tool: str) -> Answer:
    told = diagnoses(error.diagnostics, budget)
    count = len(error.diagnostics)
    undone, remedy = _DOCUMENTS.get(tool, _DOCUMENTS["submit_workflow"])
    head = f"{undone}: {count} problem{'' if count == 1 else 's'}."
    data = {"code": error.code, "message": head, "diagnostics": told.data}
    text = "\n".join([head, *told.lines, remedy])
    return Answer(text, {"error": plain(data)}, failed=True)


def _sentence(hint: str) -> str:
    first = hint.partition(" ")[0]
    return ended(hint[:1].upper() + hint[1:] if first.isalpha() else hint)  # a name stays as it is
