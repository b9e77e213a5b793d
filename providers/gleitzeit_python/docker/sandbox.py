"""`DockerSandbox`: the tier `docker`, in which code may start programs."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from gleitzeit.core.errors import ProviderError
from gleitzeit_python.broker.document import document_of
from gleitzeit_python.broker.frames import framed
from gleitzeit_python.broker.quota import Quota
from gleitzeit_python.docker.hub import DockerHub, Need
from gleitzeit_python.docker.image import WORK
from gleitzeit_python.docker.options import LIBRARIES
from gleitzeit_python.sandbox.base import Host, Job, Outcome, Sandbox, Tier
from gleitzeit_python.stdio.session import StreamSession


class DockerSandbox(Sandbox):
    """Containers that wait for their job, each used once."""

    tier: Tier = "docker"

    def __init__(self, hub: DockerHub | None = None, quota: Quota | None = None) -> None:
        self._hub = hub or DockerHub()
        self._quota = quota or Quota()

    def open(self) -> AbstractAsyncContextManager[None]:
        """Keep containers ready; at the end all of them are gone."""
        return self._hub.open()

    async def run(self, job: Job, host: Host) -> Outcome:
        """Carry a job out in a container of its own."""
        libraries = {f"{LIBRARIES}/{index}": path for index, path in enumerate(job.python_path)}
        document = document_of(job, list(libraries), memory=None)  # the container's limit is that of all processes
        files: dict[str, Path] = {f"{WORK}/{name}": path for name, path in job.files.items()}
        need = Need(job.limits.memory, {**files, **libraries}, packages=job.packages == "host")
        container = await self._hub.take(need)
        session = StreamSession(container, framed(document), job, host, self._quota, self.facts())
        try:
            outcome = await session.run()
        finally:
            self._hub.give_back(container)
        if outcome.ended == "crashed" and not session.clean:
            raise ProviderError("the container of the code ended, and the code with it")
        return outcome

    def facts(self) -> Mapping[str, Any]:
        """What the container keeps away."""
        return {"tier": self.tier, "network": "none", "subprocesses": True}
