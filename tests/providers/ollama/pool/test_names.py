from __future__ import annotations

import pytest

from gleitzeit_ollama.pool.base import full_name


@pytest.mark.parametrize(
    ("written", "full"),
    [
        ("llama3.2", "llama3.2:latest"),
        ("llama3.2:latest", "llama3.2:latest"),
        ("SmolLM2:135M", "smollm2:135m"),
        ("library/llama3.2", "llama3.2:latest"),
        ("registry.ollama.ai/library/llama3.2:1b", "llama3.2:1b"),
        ("someone/llama3.2", "someone/llama3.2:latest"),
        ("hf.co/bartowski/Llama-3.2-1B-GGUF:Q4_K_M", "hf.co/bartowski/llama-3.2-1b-gguf:q4_k_m"),
        ("localhost:5000/team/model", "localhost:5000/team/model:latest"),
    ],
)
def test_names_that_ollama_takes_for_the_same_are_the_same(written: str, full: str) -> None:
    assert full_name(written) == full
