"""A server that asks its client, in the way of its era, and answers a call with what it was told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.providers.mcp.servers.raw import Call, RawServer, RequestId, Result, structured

server = RawServer("asking")
waiting: dict[str, RequestId] = {}
STATE = "opaque: \u00e4 \U0001f511"


@server.tool
def ask(call: Call) -> Result:
    """Send the request of the arguments to the client; answer the call with its answer."""
    request = {"method": call.arguments["method"], "params": call.arguments.get("params", {})}
    return require(call, request) if server.modern else push(call, request)


def push(call: Call, request: Mapping[str, Any]) -> Result:
    """Ask over the session."""
    question = f"question {len(waiting)}"
    waiting[question] = call.id
    server.send({"id": question, **request})
    return None


def require(call: Call, request: Mapping[str, Any]) -> Result:
    """Ask by an answer that makes the client call again."""
    answers = call.params.get("inputResponses")
    if answers is None:
        return {"resultType": "input_required", "inputRequests": {"question": request}, "requestState": STATE}
    return structured(reply={"result": answers["question"]}, state=call.params.get("requestState") == STATE)


@server.tool
def insist(call: Call) -> Result:
    """Ask again and again, whatever the answer is."""
    question = {"method": "elicitation/create", "params": {"message": "Sure?", "requestedSchema": {"type": "object"}}}
    return {"resultType": "input_required", "inputRequests": {"question": question}, "requestState": str(call.id)}


def take_answer(answer: dict[str, Any]) -> None:
    """Answer the call that the question was asked for."""
    reply = {key: answer[key] for key in ("result", "error") if key in answer}
    server.answer(waiting[answer["id"]], structured(reply=reply))


if __name__ == "__main__":
    server.on_answer = take_answer
    server.serve()
