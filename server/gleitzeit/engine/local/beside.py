"""`Beside`: what a run has done beside its works, in tasks that no provider ever sees."""

from __future__ import annotations

from gleitzeit.engine.local.crew import Crew
from gleitzeit.engine.local.outputs import Outputs
from gleitzeit.engine.local.pause import Pause


class Beside:
    """The pauses between attempts, and the computing of outputs, until they are over or stopped."""

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self._jobs: set[Pause | Outputs] = set()

    def begin(self, job: Pause | Outputs) -> None:
        """Have a job done."""
        self._jobs.add(job)
        self._crew.give_alone(job)

    def done(self, job: Pause | Outputs) -> None:
        """Forget a job that is over."""
        self._jobs.discard(job)

    def stop(self) -> None:
        """Stop all that is left."""
        for job in self._jobs:
            job.stop()
        self._jobs.clear()
