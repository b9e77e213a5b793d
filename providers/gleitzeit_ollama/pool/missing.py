"""The errors for a request that no node can take: none can be asked, or none has the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gleitzeit.core.diagnostics import did_you_mean
from gleitzeit.core.errors import GleitzeitError, ProviderError, ProviderUnavailableError
from gleitzeit_ollama.wire.refusals import START, WHERE

_SHOWN = 50

Wrong = Mapping[str, GleitzeitError]
"""What is wrong with nodes, by their names."""


def no_node(wrong: Wrong, ports: Sequence[int]) -> GleitzeitError:
    """The error where no node can be asked; `ports` are those of this machine that were tried too."""
    if len(wrong) == 1 and not ports:
        return raised_anew(next(iter(wrong.values())))
    again = not wrong or any(error.details.get("again", True) for error in wrong.values())
    details = {"nodes": list(wrong), **({} if again else {"again": False})}
    if wrong:
        return ProviderUnavailableError(f"no Ollama can be asked: {_said(wrong)}", hint=START, details=details)
    if not ports:
        return ProviderUnavailableError(
            "no Ollama is named, and none is looked for", hint=WHERE, details={"again": False}
        )
    where = f"ports {ports[0]} to {ports[-1]}" if len(ports) > 1 else f"port {ports[0]}"
    return ProviderUnavailableError(f"no Ollama answers on {where} of this machine", hint=START, details=details)


def model_down(model: str, wrong: Wrong) -> ProviderUnavailableError:
    """The error for a model that only nodes have that cannot be asked now."""
    return ProviderUnavailableError(
        f'no node that has the model "{model}" can be asked now: {_said(wrong)}',
        hint=START,
        details={"model": model, "nodes": list(wrong)},
    )


def model_missing(model: str, installed: Mapping[str, Sequence[str]], wrong: Wrong) -> ProviderError:
    """The error for a model that no node has, of those whose `installed` models are known."""
    names = sorted({name for there in installed.values() for name in there})
    if len(installed) == 1:
        said = [f'the Ollama at {next(iter(installed))} has no model "{model}"', f"it has {_listed(names)}"]
    else:
        said = [f'no node has the model "{model}"']
        said += [f"{node} has {_listed(there)}" for node, there in installed.items()]
    if wrong:
        said.append(f"it is not known of others: {_said(wrong)}")
    close = did_you_mean(model, [name.removesuffix(":latest") for name in names])
    return ProviderError(
        "; ".join(said),
        hint=f"{f'{close} Else ' if close else ''}run `ollama pull {model}` there",
        retryable=bool(wrong),
        details={"status": 404, "model": model, "installed": names[:_SHOWN], "nodes": list(installed)},
    )


def raised_anew(error: GleitzeitError) -> GleitzeitError:
    """An error like one that others may raise at the same time."""
    return type(error)(
        error.message,
        hint=error.hint,
        code=error.code,
        retryable=error.retryable,
        ambiguous=error.ambiguous,
        details=error.details,
    )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{', '.join(sorted(names)[:_SHOWN])}{more}" if names else "no models"


def _said(wrong: Wrong) -> str:
    told = (error.message if name in error.message else f"{name}: {error.message}" for name, error in wrong.items())
    return "; ".join(told)
