"""The second question to a model whose answer was not what `format` asks for."""

from __future__ import annotations

from dataclasses import replace

from gleitzeit_ollama.methods.asked import Asked
from gleitzeit_ollama.methods.formats import correction


def repair(asked: Asked, answer: str, problem: str) -> Asked:
    """The same request, with the answer it got and what is wrong with it."""
    said = correction(asked.format or "json", problem)
    payload = dict(asked.payload)
    if "messages" in payload:
        spoken = [{"role": "assistant", "content": answer}, {"role": "user", "content": said}]
        payload["messages"] = [*payload["messages"], *spoken]
    else:
        payload["prompt"] = f"{payload['prompt']}\n\n{answer}\n\n{said}"
    return replace(asked, payload=payload)
