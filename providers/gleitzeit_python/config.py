"""The configuration section `providers.python`."""

from __future__ import annotations

import os
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from gleitzeit.core.data import is_object
from gleitzeit_python.sandbox.names import STRENGTH, Choice, Packages, Tier
from gleitzeit_python.sizes import shown_size, size_in_bytes

SECTION = "providers.python"
SMALLEST_MEMORY = 16 << 20
LARGEST_MEMORY = 1 << 40
LONGEST = 86_400

Seconds = Annotated[float, Field(gt=0, le=LONGEST)]
Size = Annotated[int, BeforeValidator(size_in_bytes), Field(ge=1, le=LARGEST_MEMORY)]
ModuleName = Annotated[str, Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$")]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CallSettings(_Section):
    """What the code of tasks may call: patterns of methods, by default all that their `calls` name, and how often."""

    allow: tuple[str, ...] | None = None
    max_calls: Annotated[int, Field(ge=0, le=1_000_000)] = 1000


class DockerSettings(_Section):
    """The tier `docker`: an image, by default one made of this interpreter, and how many containers stand by."""

    image: str | None = None
    pool_size: Annotated[int, Field(ge=0, le=100)] = 2
    host: str | None = None
    runtime: str | None = None
    cpus: Annotated[float, Field(gt=0, le=1024)] = 1.0


class PythonSettings(_Section):
    """How Python code is run: where, with what, and for how long; times are in seconds.

    `timeout` is what a request gets that names none. `max_memory` and `allowed_modules` are also the most that a
    request may name. `tier` is where code runs, `min_tier` the weakest place where it may; `sandbox: false` is tier
    `none`, which no request can ask for. `workers` is how many jobs run at once, `recycle` after how many the fork
    server is replaced.
    """

    timeout: Seconds = 60.0
    max_memory: int | str = "256M"
    allowed_modules: list[ModuleName] | None = None
    sandbox: bool = True
    tier: Choice = "auto"
    min_tier: Tier | None = None
    workers: Annotated[int, Field(ge=1, le=1000)] = Field(default_factory=lambda: max(4, 2 * (os.cpu_count() or 1)))
    recycle: Annotated[int, Field(ge=1, le=1_000_000)] = 500
    packages: Packages = "host"
    max_output: Size = 1 << 20
    max_disk: Size = 64 << 20
    max_artifacts: Size = 8 << 20
    calls: CallSettings = Field(default_factory=CallSettings)
    docker: DockerSettings | None = None

    @field_validator("max_memory")
    @classmethod
    def _check_memory(cls, written: int | str) -> int | str:
        """Kept as it is written, for that is how it is shown."""
        if not SMALLEST_MEMORY <= size_in_bytes(written) <= LARGEST_MEMORY:
            raise ValueError(f"must be between {shown_size(SMALLEST_MEMORY)} and {shown_size(LARGEST_MEMORY)}")
        return written

    @property
    def memory(self) -> int:
        """`max_memory` in bytes."""
        return size_in_bytes(self.max_memory)

    @model_validator(mode="before")
    @classmethod
    def _read_sandbox(cls, section: Any) -> Any:
        """`sandbox: false` and `tier: none` say the same; one of them contradicting the other is no way to say it."""
        if is_object(section) and section.get("tier") == "none" and "sandbox" not in section:
            return {**section, "sandbox": False}
        return section

    @model_validator(mode="after")
    def _check_tiers(self) -> Self:
        if not self.sandbox and self.tier not in ("auto", "none"):
            raise ValueError(
                f"sandbox: false runs code unprotected, and tier: {self.tier} does not; remove one of them"
            )
        if self.sandbox and self.tier == "none":
            raise ValueError("tier: none is no sandbox; write sandbox: false if code is to run unprotected")
        if not self.sandbox and self.min_tier not in (None, "none"):
            raise ValueError(f"sandbox: false never reaches min_tier: {self.min_tier}; remove one of them")
        if self.tier != "auto" and self.min_tier is not None and STRENGTH[self.tier] < STRENGTH[self.min_tier]:
            raise ValueError(f"tier: {self.tier} is weaker than min_tier: {self.min_tier}; remove one of them")
        return self

    @property
    def chosen(self) -> Choice:
        """Where code runs: a tier, or the best there is."""
        return self.tier if self.sandbox else "none"
