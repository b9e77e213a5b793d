"""The methods of models, called as the document calls them; behind the models' names stands a small Ollama."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.providers.ollama.fake.node import FakeOllama

from gleitzeit import GleitzeitClient

PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)

# What the models of the fake say to the blocks, by their first lines.
ANSWERS: Mapping[str, Mapping[str, Any]] = {
    'method: "llm/chat"': {"response": "You said: Hello", "done_reason": "stop"},
    'method: "llm/vision"': {"response": "You said: What's in this image?"},
    'method: "llm/generate"': {"response": "You said: Complete this: Once upon a time"},
    'method: "llm/embeddings"': {"usage": {"prompt_tokens": 3}},
}


@pytest.mark.anyio
async def test_a_block_of_a_model_is_answered(entry: Any, document_blocks: Mapping[int, str], tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(PICTURE)
    path = tmp_path / "workflow.yaml"
    path.write_text(entry.complete(document_blocks[entry.block]), encoding="utf-8")
    async with FakeOllama("llama3.2", "llava") as node:
        config = {"providers": {"ollama": {"endpoint": node.url}}, "files": {"roots": [str(tmp_path)]}}
        with anyio.fail_after(20):
            async with GleitzeitClient(mode="native", config=config) as client:
                run = await client.run_workflow(path)
    assert run.status == "completed", run.error
    result = run.tasks["task"]
    wanted = ANSWERS[entry.first_line]
    assert {name: result[name] for name in wanted} == wanted
    (asked,) = node.counters.asked
    assert asked.body["model"] == ("llava" if "vision" in entry.first_line else "llama3.2")
    if "chat" in entry.first_line:
        sent = {"temperature": 0.7, "num_predict": 500, "top_p": 0.9, "top_k": 40, "seed": 42}
        assert asked.options == sent
    if "vision" in entry.first_line:
        assert asked.body["messages"][-1]["images"] == [base64.b64encode(PICTURE).decode()]
    if "embeddings" in entry.first_line:
        assert len(result["embedding"]) == 8
