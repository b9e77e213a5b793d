"""Whether a tier can be had: found out by running a job in it, and told with what it lacks."""

from __future__ import annotations

from gleitzeit.core.errors import GleitzeitError
from gleitzeit_python.sandbox.base import Availability, Job, Limits, Packages, Sandbox, Silent, Tier
from gleitzeit_python.sandbox.needs import NEEDS

_SECONDS = 30.0


async def proven(sandbox: Sandbox, packages: Packages = "host") -> Availability:
    """Whether an open sandbox carries out a job."""
    job = Job("result = 6 * 7", limits=Limits(timeout=_SECONDS), interactive=False, packages=packages)
    try:
        outcome = await sandbox.run(job, Silent())
    except GleitzeitError as error:
        return unavailable(sandbox.tier, error)
    if outcome.value == 42:
        return Availability(sandbox.tier, available=True, facts=sandbox.facts())
    words = outcome.problem.message if outcome.problem is not None else outcome.stderr.decode("utf-8", "replace")
    reason = f"a job that it was tried with {outcome.ended}: {words.strip()[:500]}"
    return Availability(sandbox.tier, available=False, reason=reason, hint=NEEDS.get(sandbox.tier, ""))


def unavailable(tier: Tier, error: BaseException) -> Availability:
    """What an error says of a tier that could not be opened."""
    hint = (error.hint if isinstance(error, GleitzeitError) else None) or NEEDS.get(tier, "")
    return Availability(tier, available=False, reason=str(error) or type(error).__name__, hint=hint)
