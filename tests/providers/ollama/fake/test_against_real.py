"""The fake says what a real Ollama says: the same status, kind, fields and words."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import anyio
import httpx2
import pytest
from tests.providers.ollama.fake.model import FakeModel
from tests.providers.ollama.fake.node import FakeOllama

from gleitzeit.core.data import is_list, is_object

pytestmark = pytest.mark.ollama

MODEL = "smollm2:135m"
TOOL = {"type": "function", "function": {"name": "a", "description": "", "parameters": {"type": "object"}}}
SHORT = {"temperature": 0, "num_predict": 2}
SAID = [{"role": "user", "content": "What is the capital of France?"}]

ASKED: list[tuple[str, str, Any]] = [
    ("GET", "/", None),
    ("HEAD", "/", None),
    ("HEAD", "/api/tags", None),
    ("GET", "/api/version", None),
    ("GET", "/api/tags", None),
    ("GET", "/api/nope", None),
    ("POST", "/api/tags", None),
    ("GET", "/api/chat", None),
    ("DELETE", "/api/chat", None),
    ("POST", "/api/show", {"model": MODEL}),
    ("POST", "/api/show", {"model": "nope"}),
    ("POST", "/api/show", {}),
    ("POST", "/api/pull", {}),
    ("POST", "/api/chat", b""),
    ("POST", "/api/chat", b"{bad"),
    ("POST", "/api/chat", b'{"model":'),
    ("POST", "/api/chat", [1]),
    ("POST", "/api/chat", {"model": 5}),
    ("POST", "/api/chat", {"model": ""}),
    ("POST", "/api/chat", {"model": "a b"}),
    ("POST", "/api/chat", {"model": "nope"}),
    ("POST", "/api/chat", {"model": "nope", "stream": False}),
    ("POST", "/api/chat", {"model": "smollm2"}),
    ("POST", "/api/generate", {"model": ""}),
    ("POST", "/api/generate", {"model": "nope"}),
    ("POST", "/api/generate", {"prompt": 5}),
    ("POST", "/api/generate", {"model": MODEL, "prompt": "x", "raw": True, "system": "y"}),
    ("POST", "/api/generate", {"model": MODEL, "prompt": "x", "suffix": "y"}),
    ("POST", "/api/generate", {"model": MODEL, "prompt": "x", "images": ["!!"]}),
    ("POST", "/api/embed", {"model": ""}),
    ("POST", "/api/embed", {"model": "nope", "input": "x"}),
    ("POST", "/api/embed", {"model": MODEL, "input": [1]}),
    ("POST", "/api/embed", {"model": MODEL, "input": 5}),
    ("POST", "/api/embed", {"model": MODEL, "input": []}),
    ("POST", "/api/embed", {"model": MODEL, "input": "x", "options": {"temperature": "hot"}}),
    ("POST", "/api/embeddings", {"model": "", "prompt": ""}),
    ("POST", "/api/embeddings", {"model": MODEL, "prompt": ""}),
    ("POST", "/api/chat", {"model": MODEL}),
    ("POST", "/api/chat", {"model": MODEL, "messages": "x"}),
    ("POST", "/api/chat", {"model": MODEL, "messages": [5]}),
    ("POST", "/api/chat", {"model": MODEL, "messages": [{"content": 5}]}),
    ("POST", "/api/chat", {"model": MODEL, "messages": [{"content": "x", "images": ["!!"]}]}),
    ("POST", "/api/chat", {"model": MODEL, "messages": SAID, "tools": [TOOL]}),
    ("POST", "/api/chat", {"model": MODEL, "messages": SAID, "stream": "x"}),
    ("POST", "/api/chat", {"model": MODEL, "messages": SAID, "options": []}),
    ("POST", "/api/chat", {"model": MODEL, "messages": SAID, "options": {"temperature": "hot"}}),
    ("POST", "/api/chat", {"model": MODEL, "messages": SAID, "options": {"num_ctx": "x"}}),
    ("POST", "/api/chat", {"model": MODEL, "messages": SAID, "options": {"use_mmap": "x"}}),
    ("POST", "/api/chat", {"model": MODEL, "messages": SAID, "options": {"stop": "x"}}),
    ("POST", "/api/chat", {"model": MODEL, "messages": SAID, "options": {"stop": [1]}}),
    ("POST", "/api/chat", {"model": MODEL, "messages": SAID, "keep_alive": "soon"}),
    ("POST", "/api/chat", {"model": MODEL, "messages": SAID, "keep_alive": []}),
    ("POST", "/api/chat", {"model": MODEL, "messages": SAID, "format": "yaml"}),
    ("POST", "/api/chat", {"model": MODEL, "messages": SAID, "format": "yaml", "stream": False}),
    ("POST", "/api/chat", {"model": MODEL, "messages": SAID, "format": 5}),
    ("POST", "/api/chat", {"model": MODEL, "messages": SAID, "options": SHORT}),
    ("POST", "/api/chat", {"model": MODEL, "messages": SAID, "options": SHORT, "stream": False}),
    ("POST", "/api/generate", {"model": MODEL, "prompt": "What is this?", "options": SHORT}),
    ("POST", "/api/generate", {"model": MODEL, "prompt": "What is this?", "options": SHORT, "stream": False}),
    ("POST", "/api/embed", {"model": MODEL, "input": ["a", "b"]}),
    ("POST", "/api/embeddings", {"model": MODEL, "prompt": "a"}),
    ("GET", "/api/ps", None),
    ("POST", "/api/generate", {"model": MODEL}),
]


@pytest.fixture
async def both(ollama: str) -> AsyncIterator[tuple[httpx2.AsyncClient, httpx2.AsyncClient]]:
    """A client of the real node, and one of the fake."""
    async with (
        FakeOllama(FakeModel(MODEL, width=576), warm=[MODEL]) as node,
        httpx2.AsyncClient(base_url=ollama, timeout=50, trust_env=False, verify=False) as real,
        httpx2.AsyncClient(base_url=node.url, timeout=5, trust_env=False, verify=False) as fake,
    ):
        yield real, fake


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("method", "path", "body"), ASKED, ids=[f"{number}-{path}" for number, (_, path, _) in enumerate(ASKED)]
)
async def test_the_fake_says_what_the_real_one_says(
    both: tuple[httpx2.AsyncClient, httpx2.AsyncClient], method: str, path: str, body: Any
) -> None:
    content = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
    with anyio.fail_after(50):
        if path == "/api/ps":
            [await client.post("/api/generate", json={"model": MODEL}) for client in both]
        answers = [await client.request(method, path, content=content) for client in both]
    real, fake = (shape_of(answer) for answer in answers)
    assert fake == real


def shape_of(answer: httpx2.Response) -> dict[str, Any]:
    """What of an answer is the same whoever gives it."""
    kind = answer.headers["content-type"]
    lines = [shape(json.loads(line)) for line in answer.text.splitlines()] if "json" in kind else answer.text
    return {
        "status": answer.status_code,
        "kind": kind,
        "chunked": answer.headers.get("transfer-encoding"),
        "lines": lines,
    }


def shape(value: Any) -> Any:
    """The fields and the kinds of their values; errors and ends as they stand. What a model is made of is its own."""
    if is_object(value):
        return {
            name: inner if name in ("error", "done", "role") else shape(inner)
            for name, inner in value.items()
            if name != "model_info"
        }
    if is_list(value):
        return [shape(value[0])] if value else []
    return type(value).__name__
