"""The prompts there are, and what each of them takes."""

from __future__ import annotations

from collections.abc import Mapping

import mcp_types as types

from gleitzeit.core.diagnostics import did_you_mean
from gleitzeit.core.errors import NotFoundError, ValidationError

WRITE_WORKFLOW = "write_workflow"
DEBUG_RUN = "debug_run"

_LONGEST_ARGUMENT = 16_000

PROMPTS: Mapping[str, types.Prompt] = {
    prompt.name: prompt
    for prompt in (
        types.Prompt(
            name=WRITE_WORKFLOW,
            title="Write a workflow",
            description="Write a workflow for a goal, with the methods that there are now",
            arguments=[
                types.PromptArgument(name="goal", description="What the workflow should achieve", required=True),
                types.PromptArgument(name="method", description="A method that it should use", required=False),
            ],
        ),
        types.Prompt(
            name=DEBUG_RUN,
            title="Debug a run",
            description="Find out why a run failed or waits, and how it can go on",
            arguments=[types.PromptArgument(name="run_id", description="The run", required=True)],
        ),
    )
}


def checked_arguments(name: str, arguments: Mapping[str, str]) -> Mapping[str, str]:
    """The arguments of a prompt, without those that are empty.

    Raises `NotFoundError` for a prompt that there is not, and `ValidationError` for arguments that do not fit.
    """
    prompt = PROMPTS.get(name)
    if prompt is None:
        hint = did_you_mean(name, PROMPTS) or f"there are {', '.join(PROMPTS)}"
        raise NotFoundError(f'there is no prompt "{name}"', hint=hint)
    known = {argument.name: argument for argument in prompt.arguments or ()}
    given = {key: value for key, value in arguments.items() if value.strip()}
    for key in arguments:
        if key not in known:
            raise ValidationError(f'{name} has no argument "{key}"', hint=f"it takes {', '.join(known)}")
    for key, argument in known.items():
        if argument.required and key not in given:
            raise ValidationError(f"{name} needs the argument {key}", hint=argument.description)
        if len(given.get(key, "")) > _LONGEST_ARGUMENT:
            raise ValidationError(f"{key} is longer than {_LONGEST_ARGUMENT} characters", hint="put it shorter")
    return given
