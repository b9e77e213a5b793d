"""A fake node as a process: `python -m tests.providers.ollama.fake --model tiny`, until its standard input ends.

Prints its URL; `/counters` of it tells what it has seen.
"""

from __future__ import annotations

import argparse
import sys

import anyio
import anyio.to_thread
from tests.providers.ollama.fake.model import FakeModel
from tests.providers.ollama.fake.node import FakeOllama


def main() -> None:
    """Run until nobody needs it any more."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--model", action="append", default=[], help="a model that it has; may be repeated")
    parser.add_argument("--warm", action="append", default=[], help="one that is in memory from the start")
    parser.add_argument("--capabilities", default="completion", help="of all its models, separated by commas")
    parser.add_argument("--version", default="0.5.4")
    parser.add_argument("--parallel", type=int, default=1)
    parser.add_argument("--max-queue", type=int, default=512)
    parser.add_argument("--max-loaded", type=int, default=3)
    parser.add_argument("--load-seconds", type=float, default=0.0)
    parser.add_argument("--token-seconds", type=float, default=0.0)
    parser.add_argument("--prompt-seconds", type=float, default=0.0)
    anyio.run(serve, parser.parse_args())


async def serve(options: argparse.Namespace) -> None:
    """One node, until standard input ends."""
    capabilities = frozenset(options.capabilities.split(","))
    node = FakeOllama(
        *(FakeModel(name, capabilities) for name in options.model),
        version=options.version,
        num_parallel=options.parallel,
        max_queue=options.max_queue,
        max_loaded=options.max_loaded,
        load_seconds=options.load_seconds,
        token_seconds=options.token_seconds,
        prompt_seconds=options.prompt_seconds,
        warm=options.warm,
        port=options.port,
    )
    async with node:
        print(node.url, flush=True)  # noqa: T201  # the one thing that it says
        await anyio.to_thread.run_sync(sys.stdin.read)


if __name__ == "__main__":
    main()
