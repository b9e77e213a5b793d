"""Tools that end a call until the client has asked, and are then called again, as the modern era has it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import mcp_types as types
from mcp.shared.exceptions import MCPError
from tests.conformance.server.base import Answer, Run, Tool, missing, said

from gleitzeit.mcp_server.server import Context

Replies = Mapping[str, types.InputResponse]
Requests = dict[str, types.InputRequest]


def asked(message: str, field: str, kind: str = "string") -> types.ElicitRequest:
    """A form of one field."""
    schema = {"type": "object", "properties": {field: {"type": kind}}, "required": [field]}
    return types.ElicitRequest(params=types.ElicitRequestFormParams(message=message, requested_schema=schema))


def _sampled(text: str, max_tokens: int) -> types.CreateMessageRequest:
    message = types.SamplingMessage(role="user", content=types.TextContent(type="text", text=text))
    return types.CreateMessageRequest(
        params=types.CreateMessageRequestParams(messages=[message], max_tokens=max_tokens)
    )


def content(reply: types.InputResponse | None) -> dict[str, Any] | None:
    """What a person has filled in, if anything."""
    if isinstance(reply, types.ElicitResult) and reply.action == "accept" and reply.content:
        return dict(reply.content)
    return None


def fits(request: types.InputRequest, reply: types.InputResponse | None) -> bool:
    """Whether a reply is of the kind that was asked for, with all that is needed."""
    if isinstance(request, types.ElicitRequest):
        form = request.params.requested_schema if isinstance(request.params, types.ElicitRequestFormParams) else {}
        return set(form.get("required", ())) <= set(content(reply) or {}) and content(reply) is not None
    if isinstance(request, types.CreateMessageRequest):
        return isinstance(reply, types.CreateMessageResult | types.CreateMessageResultWithTools)
    return isinstance(reply, types.ListRootsResult)


def _round(requests: Requests, answer: Callable[[Replies], str], state: str | None = None) -> Run:
    async def run(context: Context, params: types.CallToolRequestParams) -> Answer:
        replies = params.input_responses or {}
        if not all(fits(request, replies.get(key)) for key, request in requests.items()):
            return types.InputRequiredResult(input_requests=requests, request_state=state)
        if params.request_state != state:
            raise MCPError(code=types.INVALID_PARAMS, message="requestState is not the one that was given")
        return said(answer(replies))

    return run


async def _many_rounds(context: Context, params: types.CallToolRequestParams) -> Answer:
    replies = params.input_responses or {}
    first, second = content(replies.get("step1")), content(replies.get("step2"))
    if params.request_state == "named" and second is not None:
        return said(f"the favourite color is {second['color']}")
    if params.request_state == "begun" and first is not None:
        step = asked("Step 2: What is your favorite color?", "color")
        return types.InputRequiredResult(input_requests={"step2": step}, request_state="named")
    step = asked("Step 1: What is your name?", "name")
    return types.InputRequiredResult(input_requests={"step1": step}, request_state="begun")


async def _as_declared(context: Context, params: types.CallToolRequestParams) -> Answer:
    if params.input_responses:
        return said("answered")
    capabilities = context.session.client_capabilities or types.ClientCapabilities()
    requests: Requests = {}
    if capabilities.elicitation is not None:
        requests["name"] = asked("What is your name?", "name")
    if capabilities.sampling is not None:
        requests["greeting"] = _sampled("Generate a greeting", 50)
    if capabilities.roots is not None:
        requests["roots"] = types.ListRootsRequest()
    return types.InputRequiredResult(input_requests=requests) if requests else said("the client can do nothing")


async def _streamed(context: Context, params: types.CallToolRequestParams) -> Answer:
    capabilities = context.session.client_capabilities
    if capabilities is None or capabilities.elicitation is None:
        raise missing({"elicitation": {}})
    await context.session.report_progress(1, 2, None)
    return types.InputRequiredResult(input_requests={"name": asked("What is your name?", "name")})


def prompt(params: types.GetPromptRequestParams) -> types.GetPromptResult | types.InputRequiredResult:
    """A prompt that asks for what it is about, before it is given."""
    filled = content((params.input_responses or {}).get("user_context"))
    if filled is None:
        question = asked("What context should the prompt use?", "context")
        return types.InputRequiredResult(input_requests={"user_context": question})
    text = types.TextContent(type="text", text=f"Use this context: {filled['context']}")
    return types.GetPromptResult(messages=[types.PromptMessage(role="user", content=text)])


_NAME = asked("What is your name?", "name")
_CONFIRM = asked("Please confirm", "ok", "boolean")

TOOLS = (
    Tool(
        "test_input_required_result_elicitation",
        "Asks for a name",
        _round({"user_name": _NAME}, lambda replies: f"Hello, {(content(replies['user_name']) or {})['name']}!"),
    ),
    Tool(
        "test_input_required_result_sampling",
        "Asks the client's model",
        _round({"capital_question": _sampled("What is the capital of France?", 100)}, lambda _: "sampled"),
    ),
    Tool(
        "test_input_required_result_list_roots",
        "Asks for the client's roots",
        _round({"client_roots": types.ListRootsRequest()}, lambda replies: f"roots: {replies['client_roots']}"),
    ),
    Tool(
        "test_input_required_result_request_state",
        "Asks with a state",
        _round({"confirm": _CONFIRM}, lambda _: "state-ok", state="a state"),
    ),
    Tool(
        "test_input_required_result_tampered_state",
        "Takes no state but its own",
        _round({"confirm": _CONFIRM}, lambda _: "state-ok", state="a state"),
    ),
    Tool(
        "test_input_required_result_multiple_inputs",
        "Asks for three things",
        _round(
            {
                "user_name": _NAME,
                "greeting": _sampled("Generate a greeting", 50),
                "client_roots": types.ListRootsRequest(),
            },
            lambda _: "all three",
            state="a state",
        ),
    ),
    Tool("test_input_required_result_multi_round", "Asks in two rounds", _many_rounds),
    Tool("test_input_required_result_capabilities", "Asks what the client can answer", _as_declared),
    Tool("test_streaming_elicitation", "Asks after a notification", _streamed),
)
