"""How Ollama refuses a request: the checks, in its order, and its words."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from gleitzeit.core.data import is_list, is_object

STRING, BOOL = "string", "bool"
OPTIONS = "map[string]interface {}"
FIELDS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "/api/chat": (
        "ChatRequest",
        {"model": STRING, "messages": "[]api.Message", "stream": BOOL, "options": OPTIONS, "tools": "api.Tools"},
    ),
    "/api/generate": (
        "GenerateRequest",
        {
            **dict.fromkeys(("model", "prompt", "suffix", "system", "template"), STRING),
            "stream": BOOL,
            "raw": BOOL,
            "options": OPTIONS,
            "images": "[]api.ImageData",
        },
    ),
    "/api/embed": ("EmbedRequest", {"model": STRING, "truncate": BOOL, "options": OPTIONS}),
    "/api/embeddings": ("EmbeddingRequest", {"model": STRING, "prompt": STRING, "options": OPTIONS}),
    "/api/show": ("ShowRequest", {"model": STRING}),
    "/api/pull": ("PullRequest", {"model": STRING, "stream": BOOL}),
}
INTEGERS = frozenset(
    "num_keep seed num_predict top_k repeat_last_n num_ctx num_batch num_gpu main_gpu num_thread".split()
)
FLOATS = frozenset("temperature top_p min_p typical_p repeat_penalty presence_penalty frequency_penalty".split())
LOAD_OPTIONS = ("main_gpu", "num_batch", "num_ctx", "num_gpu", "num_thread", "use_mmap")
DURATION = re.compile(r"-?(\d+(\.\d*)?(ns|us|µs|ms|s|m|h))+|0")
SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
BUSY = "server busy, please try again.  maximum pending requests exceeded"
UNEXPECTED_END = "an error was encountered while running the model: unexpected EOF"


class RefusedError(Exception):
    """A request ends with this status and these words."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status
        self.words = words


def body_of(path: str, content: bytes) -> dict[str, Any]:
    """The body of a request, whose message have the types that they have in Go."""
    if not content:
        raise RefusedError(400, "missing request body")
    try:
        body: Any = json.loads(content)
    except ValueError as error:
        raise RefusedError(400, _syntax(error, content)) from None
    struct, types = FIELDS[path]
    if not is_object(body):
        raise RefusedError(400, f"json: cannot unmarshal {_kind(body)} into Go value of type api.{struct}")
    for name, wanted in types.items():
        value = body.get(name)
        if value is not None and not _fits(value, wanted):
            raise _mistyped(value, f"{struct}.{name}", wanted)
    for message in body.get("messages") or ():
        _check_message(message)
    for image in body.get("images") or ():
        check_image(image)
    return body


def _syntax(error: ValueError, content: bytes) -> str:
    """The words of Go's parser for the common mistakes."""
    text = content.decode(errors="replace")
    at = error.pos if isinstance(error, json.JSONDecodeError) else 0
    if at >= len(text.rstrip()):
        return "unexpected EOF"
    object_key = "property name" in str(error)
    return f"invalid character '{text[at]}' looking for beginning of {'object key string' if object_key else 'value'}"


def _check_message(message: Any) -> None:
    if not is_object(message):
        raise _mistyped(message, "ChatRequest.messages", "api.Alias")
    for name in ("role", "content"):
        if message.get(name) is not None and not isinstance(message[name], str):
            raise _mistyped(message[name], "ChatRequest.messages", STRING)
    for image in message.get("images") or ():
        check_image(image)


def check_image(image: Any) -> None:
    """That it is base64, as Go's decoder would say it."""
    found = re.search(r"[^A-Za-z0-9+/=\r\n]", str(image))
    if found or len(str(image)) % 4:
        raise RefusedError(400, f"illegal base64 data at input byte {found.start() if found else len(str(image))}")


def check_options(options: Mapping[str, Any]) -> None:
    """That each known option has its type; unknown ones are ignored."""
    for name, value in options.items():
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if value is None:
            continue
        if name in INTEGERS and not number:
            raise RefusedError(500, f'option "{name}" must be of type integer')
        if name in FLOATS and not number:
            raise RefusedError(500, f'option "{name}" must be of type float32')
        if name == "use_mmap" and not isinstance(value, bool):
            raise RefusedError(500, f'option "{name}" must be of type boolean')
        if name == "stop":
            _check_words(value)


def _check_words(stop: Any) -> None:
    if not is_list(stop):
        raise RefusedError(500, 'option "stop" must be of type array')
    if not all(isinstance(word, str) for word in stop):
        raise RefusedError(500, 'option "stop" must be of an array of strings')


def check_format(wanted: Any) -> None:
    """That a format is one; the server only notices once the model runs."""
    if wanted in (None, "", "json") or isinstance(wanted, dict):
        return
    said = json.dumps(json.dumps(wanted))
    raise RefusedError(500, f'invalid format: {said}; expected "json" or a valid JSON Schema object')


def keep_alive_of(value: Any, default: float) -> float:
    """Seconds that a model stays; for ever where they are below nought."""
    if value is None:
        return default
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float("inf") if value < 0 else float(value)
    if not isinstance(value, str):
        go_type = {list: "[]interface {}", dict: OPTIONS, bool: BOOL}[type(value)]
        raise RefusedError(400, f"Unsupported type: '{go_type}'")
    if not DURATION.fullmatch(value):
        raise RefusedError(400, f'time: invalid duration "{value}"')
    found = re.findall(r"(\d+(?:\.\d*)?)(ns|us|µs|ms|s|m|h)", value)
    return float("inf") if value.startswith("-") else sum(float(count) * SECONDS[unit] for count, unit in found)


def _fits(value: Any, wanted: str) -> bool:
    if wanted in (STRING, BOOL):
        return isinstance(value, str if wanted == STRING else bool)
    return isinstance(value, dict if wanted == OPTIONS else list)


def _mistyped(value: Any, place: str, wanted: str) -> RefusedError:
    return RefusedError(400, f"json: cannot unmarshal {_kind(value)} into Go struct field {place} of type {wanted}")


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"
