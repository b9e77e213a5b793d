"""`PythonProvider`: the protocol `python/v1`, carried out in a sandbox."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import BaseModel

from gleitzeit.core.diagnostics import did_you_mean
from gleitzeit.core.errors import MethodNotFoundError, ProviderUnavailableError
from gleitzeit.core.findings import Finding
from gleitzeit.core.sections import read_section
from gleitzeit.providers.base import CacheKey, ProtocolProvider, Readiness, current_task
from gleitzeit_python.config import SECTION, PythonSettings
from gleitzeit_python.methods import EXECUTE, PROTOCOL, VALIDATE

if TYPE_CHECKING:  # imported when the provider is started, for most processes never do that
    from gleitzeit_python.workshop import Workshop


class PythonProvider(ProtocolProvider):
    """Runs Python where it can do no harm: in the best sandbox that this machine has, or in none if told so."""

    protocol = PROTOCOL
    config_model: ClassVar[type[BaseModel] | None] = PythonSettings

    def __init__(
        self, provider_id: str, config: PythonSettings | Mapping[str, Any] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(provider_id, PROTOCOL.id, **{"description": PROTOCOL.description, **kwargs})
        self.settings = read_section(PythonSettings, config or {}, SECTION)
        self._workshop: Workshop | None = None

    @classmethod
    def from_config(cls, provider_id: str, config: BaseModel | Mapping[str, Any]) -> Self:
        """The provider with the settings of its section."""
        return cls(provider_id, read_section(PythonSettings, config, SECTION))

    async def serve(self, *, task_status: Readiness) -> None:
        """Hold open what code needs, from the first request on: nothing is started before."""
        from gleitzeit_python.making import proof_of, sandbox_of  # see above
        from gleitzeit_python.workshop import Workshop

        self._workshop = Workshop(self.settings, lambda tier: sandbox_of(tier, self.settings, self.hub), proof_of)
        try:
            await self._workshop.serve(task_status=task_status)
        finally:
            self._workshop = None

    async def cache_key(self, method: str, parameters: dict[str, Any]) -> CacheKey | None:
        """What the script and the files hold decides a result too; they may change under their names."""
        from gleitzeit_python.cache import cache_facts  # only for tasks with `cache`

        return await cache_facts(parameters, self.settings, current_task().roots)

    async def validate_request(self, method: str, parameters: dict[str, Any]) -> None:
        """Check the parameters, of a few requests in each turn of the event loop. Raises `ValidationError`."""
        if self._workshop is not None:
            await self._workshop.pace.begin()
        await super().validate_request(method, parameters)

    async def handle_request(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """Run code, or look at it.

        Raises `ValidationError`, `ForbiddenError`, `NotFoundError` or `LimitError` for parameters that may not be,
        `UnsupportedError` where there is no sandbox, and `ProviderError`, `TimeoutError` or `LimitError` for what
        became of the code.
        """
        match method:
            case "python/execute":
                return await self._running().execute(parameters, current_task())
            case "python/validate":
                return await self._running().validate(parameters, current_task())
            case _:
                hint = did_you_mean(method, (EXECUTE, VALIDATE))
                raise MethodNotFoundError(f'no provider serves "{method}"', hint=hint)

    async def examine(self) -> Sequence[Finding]:
        """Which tiers this machine has, and why not the others."""
        from gleitzeit_python.examination import examine  # only for `gleitzeit doctor`

        return await examine(self.settings, self._running().tiers)

    async def examine_settings(self) -> Sequence[Finding]:
        """What the settings say before anything is started."""
        from gleitzeit_python.examination import examine_settings  # as above

        return examine_settings(self.settings)

    def _running(self) -> Workshop:
        if self._workshop is None:
            raise ProviderUnavailableError("the provider of python/* is not running", hint="open the registry first")
        return self._workshop
