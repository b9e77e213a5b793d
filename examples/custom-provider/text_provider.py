"""A custom protocol and its provider: everything that is needed to add methods of one's own to Gleitzeit."""

from __future__ import annotations

import re
from typing import Any

from gleitzeit.core.errors import ValidationError
from gleitzeit.core.protocol import MethodSpec, Protocol
from gleitzeit.providers.base import ProtocolProvider, current_task
from gleitzeit.registry import ProtocolProviderRegistry

TEXT_V1 = Protocol(
    id="text/v1",
    name="Text",
    description="Measures texts and ranks what was measured.",
    methods=[
        MethodSpec(
            "text/measure",
            "Count the words and sentences of a text, and say how long it takes to read aloud.",
            {"title": {"type": "string", "required": True}, "text": {"type": "string", "required": True}},
            read_only=True,
        ),
        MethodSpec(
            "text/rank",
            "Put measured texts in order, the longest first, and write a line about each.",
            {"texts": {"type": "array", "items": {"type": "object"}, "required": True}},
            read_only=True,
        ),
    ],
)

_WORDS_A_MINUTE = 150


class TextProvider(ProtocolProvider):
    """Carries out the methods of `text/v1`."""

    async def handle_request(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """Measure one text, or rank several."""
        if method == "text/measure":
            return _measure(parameters["title"], parameters["text"])
        if method == "text/rank":
            return await _rank(parameters["texts"])
        raise ValidationError(f"{method} is not a method of {self.protocol_id}")


def _measure(title: str, text: str) -> dict[str, Any]:
    words = re.findall(r"\w+", text)
    sentences = [part for part in re.split(r"[.!?]+", text) if part.strip()]
    return {
        "title": title,
        "words": len(words),
        "sentences": len(sentences),
        "longest_word": max(words, key=len, default=""),
        "seconds": round(len(words) / _WORDS_A_MINUTE * 60),
    }


async def _rank(texts: list[dict[str, Any]]) -> dict[str, Any]:
    ordered = sorted(texts, key=lambda text: text["words"], reverse=True)
    await current_task().report_progress(len(ordered), len(texts), f"ranked {len(ordered)} texts")
    lines = [
        f"{place}. {text['title']}: {text['words']} words, {text['seconds']} s to read aloud"
        for place, text in enumerate(ordered, start=1)
    ]
    return {"report": "\n".join(lines), "words": sum(text["words"] for text in texts)}


def register() -> None:
    """Add the protocol and its provider to Gleitzeit."""
    registry = ProtocolProviderRegistry.get_instance()
    registry.register_protocol(TEXT_V1)
    registry.register_provider(TEXT_V1.id, TextProvider("text", TEXT_V1.id))


# Importing the module is all that `providers.modules` does.
register()
