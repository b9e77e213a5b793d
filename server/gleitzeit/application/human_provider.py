"""`human/ask`: a question to a person as a task."""

from __future__ import annotations

from typing import Any

from gleitzeit.core.errors import MethodNotFoundError, ValidationError
from gleitzeit.core.nesting import ASK_HUMAN
from gleitzeit.core.protocol import MethodSpec, Protocol
from gleitzeit.providers.base import ProtocolProvider, current_task
from gleitzeit.registry import ProtocolProviderRegistry

HUMAN_PROVIDER = "human"

HUMAN_PROTOCOL = Protocol(
    "human/v1",
    name="People",
    description="Ask a person inside of a workflow.",
    methods=[
        MethodSpec(
            name=ASK_HUMAN,
            description="Ask the person behind the run, and return the fields of their answer. The run waits as long "
            "as that takes; a restart of the server loses neither the question nor the answer.",
            parameters={
                "type": "object",
                "properties": {
                    "message": {"type": "string", "minLength": 1, "description": "What is asked"},
                    "schema": {
                        "type": "object",
                        "description": "JSON Schema of the answer, an object; without it a plain yes is the answer",
                    },
                    "person": {
                        "type": "boolean",
                        "description": "Only a person may answer: no model, and no program",
                    },
                    "timeout": {
                        "type": "number",
                        "exclusiveMinimum": 0,
                        "description": "Seconds to wait for the answer",
                    },
                    "default": {
                        "type": "object",
                        "description": "The answer where nobody gives one within `timeout`; without it the task fails",
                    },
                },
                "required": ["message"],
                "additionalProperties": False,
            },
            returns={"type": "object"},
            idempotent=True,
        )
    ],
)


class HumanProvider(ProtocolProvider):
    """Puts a question to whoever is behind the run. To ask once more does no harm: the same question is asked."""

    def __init__(self, provider_id: str = HUMAN_PROVIDER) -> None:
        super().__init__(provider_id, HUMAN_PROTOCOL.id, name="People", description=HUMAN_PROTOCOL.description)
        self.protocol = HUMAN_PROTOCOL

    async def handle_request(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """The fields of the answer.

        Raises `QuestionDeclinedError` where it is refused, `QuestionExpiredError` where nobody answers in time.
        """
        if method != ASK_HUMAN:
            raise MethodNotFoundError(f'there is no method "{method}"', hint=f'did you mean "{ASK_HUMAN}"?')
        seconds, default = parameters.get("timeout"), parameters.get("default")
        if default is not None and seconds is None:
            raise ValidationError(
                f"{ASK_HUMAN}: a default needs a timeout, for without one nobody stops waiting",
                hint="add `timeout`, in seconds",
            )
        return await current_task().support.ask(
            parameters["message"],
            parameters.get("schema"),
            person=parameters.get("person", False),
            seconds=seconds,
            default=default,
        )


def register_people(registry: ProtocolProviderRegistry) -> None:
    """Have `registry` serve `human/ask`, unless it does already."""
    if not isinstance(registry.provider(HUMAN_PROVIDER), HumanProvider):
        registry.register_protocol(HUMAN_PROTOCOL)
        registry.register_provider(HUMAN_PROTOCOL.id, HumanProvider())
