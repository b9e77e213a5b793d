"""Why a change is refused: the same words in every store."""

from __future__ import annotations

from gleitzeit.core.errors import ConflictError, LeaseLostError, RunNotFoundError
from gleitzeit.store.base import RunRow


def no_run(run_id: str) -> RunNotFoundError:
    """A change to a run that there is not, or not any more."""
    return RunNotFoundError(f"there is no run {run_id}", details={"run_id": run_id})


def lost(run_id: str, found: int, carried: int) -> LeaseLostError:
    """A change that carries an epoch which is not the run's any more."""
    return LeaseLostError(
        f"another process has taken over the run {run_id} (epoch {found}, not {carried})", details={"run_id": run_id}
    )


def conflict(run: RunRow, rival: str) -> ConflictError:
    """A run that can't be new, for its id or its idempotency key is that of `rival`."""
    if rival == run.id:
        return ConflictError(f"the run {rival} exists already", details={"run_id": rival})
    return ConflictError(
        f'the idempotency key "{run.idempotency_key}" was used for the run {rival}', details={"run_id": rival}
    )
