"""What decides an answer beside the method and its parameters, for a task that may keep it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from gleitzeit.core.data import path_text
from gleitzeit.core.errors import ProviderUnavailableError
from gleitzeit.core.schema import check_parameters
from gleitzeit.providers.base import CacheKey
from gleitzeit_ollama.calls.pictures import read_images
from gleitzeit_ollama.methods.batch import batch_of
from gleitzeit_ollama.methods.embeddings import EMBEDDINGS
from gleitzeit_ollama.methods.models import MODELS
from gleitzeit_ollama.methods.options import model_options
from gleitzeit_ollama.methods.parameters import model_name
from gleitzeit_ollama.methods.protocol import llm_protocol
from gleitzeit_ollama.methods.tools import offers_downstream
from gleitzeit_ollama.pool.base import Pool, full_name
from gleitzeit_ollama.settings import OllamaSettings

_CHANCE = "a temperature above 0 without a seed gives another answer each time"


async def cache_facts(
    pool: Pool, settings: OllamaSettings, method: str, parameters: Mapping[str, Any]
) -> CacheKey | None:
    """The model by name and digest, the options that come from defaults, and what the images hold.

    None for what is asked for its present state, for what tools of others have a part in, and where the configuration
    says never. Raises `ValidationError` for wrong parameters, `ProviderUnavailableError` where no node tells the
    model's digest, and what reading an image raises.
    """
    check_parameters(method, llm_protocol(settings.models).methods[method].parameters, parameters)
    if settings.cache == "never" or method == MODELS or offers_downstream(parameters.get("tools")):
        return None
    name = model_name(method, parameters, settings.models)
    facts: dict[str, Any] = {"model": full_name(name), "digests": await _digests(pool, name)}
    if method == EMBEDDINGS:
        return CacheKey(facts)
    facts |= {"options": model_options(parameters), "images": await _images(method, parameters)}
    by_chance = settings.cache == "repeatable" and _by_chance(facts["options"])
    return CacheKey(facts, repeatable=not by_chance, reason=_CHANCE if by_chance else "")


async def _digests(pool: Pool, model: str) -> list[str]:
    found = sorted(await pool.versions(full_name(model)))
    if not all(found) or not found:  # an answer of one version must not be taken for that of another
        raise ProviderUnavailableError(f'no node says which version of the model "{model}" it has')
    return found


def _by_chance(options: Mapping[str, Any]) -> bool:
    """Whether the model picks its words anew each time; Ollama takes a seed below 0 for none."""
    return bool(options["temperature"] > 0 and options.get("seed", -1) < 0)


async def _images(method: str, parameters: Mapping[str, Any]) -> dict[str, str]:
    """A digest of each image, for a file may have changed under its name."""
    found: dict[str, str] = {}
    items = batch_of(method, parameters)
    for index, item in enumerate([parameters] if items is None else items):
        for place, data in (await read_images(method, item)).items():
            found[f"{index}.{path_text(place)}"] = hashlib.sha256(data).hexdigest()
    return found
