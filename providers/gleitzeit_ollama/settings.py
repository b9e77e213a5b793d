"""The configuration section `providers.ollama`."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from gleitzeit.core.data import is_object
from gleitzeit_ollama.endpoint import Endpoint

DEFAULT_ENDPOINT = "http://localhost:11434"
SECTION = "providers.ollama"

_NOT_YET = {
    "endpoints": "name its one server with `endpoint`",
    "discovery": "name its one server with `endpoint`",
    "max_queue": "calls over `max_connections` wait for as long as their task may",
    "cache": "it keeps no answers",
    "pull_missing": "run `ollama pull MODEL`",
}

Seconds = Annotated[float, Field(gt=0, le=86_400)]


class OllamaSettings(BaseModel):
    """One Ollama server and how long to wait for it; times are in seconds.

    `timeout` is the longest silence within an answer, `load_timeout` that before it, in which the model may be loading.
    `max_retries` is how often a request is sent again by itself as long as nothing of its answer has come.
    `models` gives models other names: `default` is used where a call names none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    endpoint: str = DEFAULT_ENDPOINT
    timeout: Seconds = 60.0
    load_timeout: Seconds = 300.0
    max_retries: Annotated[int, Field(ge=0, le=10)] = 3
    max_connections: Annotated[int, Field(ge=1, le=1000)] = 4
    keep_alive: float | str | None = None
    models: dict[str, Annotated[str, Field(min_length=1)]] = Field(default_factory=dict[str, str])

    @model_validator(mode="before")
    @classmethod
    def _refuse_what_would_be_ignored(cls, section: Any) -> Any:
        names = [name for name in _NOT_YET if is_object(section) and name in section]
        if names:
            said = "; ".join(f'"{name}" is not supported by this version: {_NOT_YET[name]}' for name in names)
            raise PydanticCustomError("not_supported", "{said}", {"said": said})
        return section

    @field_validator("endpoint")
    @classmethod
    def _check_endpoint(cls, endpoint: str) -> str:
        try:
            Endpoint.parse(endpoint)
        except ValueError as error:
            raise PydanticCustomError("not_an_endpoint", "{said}", {"said": str(error)}) from None
        return endpoint
