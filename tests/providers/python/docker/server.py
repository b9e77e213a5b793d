"""A server that runs a job for ever: it is there to be killed."""

from __future__ import annotations

import sys

import anyio

from gleitzeit_python.docker.hub import DockerHub
from gleitzeit_python.docker.sandbox import DockerSandbox
from gleitzeit_python.sandbox.base import Job, Limits, Silent


async def main() -> None:
    sandbox = DockerSandbox(DockerHub(host=sys.argv[1], pool_size=1))
    async with sandbox.open():
        with anyio.move_on_after(100):
            await sandbox.run(Job("while True: pass", limits=Limits(timeout=100)), Silent())


anyio.run(main)
