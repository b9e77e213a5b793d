from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
from gleitzeit_ollama import OllamaProvider
OllamaProvider("ollama", {"models": {"default": "llama3.2"}})
print(sorted(name for name in ("httpx2", "h11", "jsonschema", "ssl") if name in sys.modules))
"""


def test_a_provider_that_nobody_calls_imports_no_http_client() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.strip() == "[]"
