"""`RunTasks`: calls of tools that wait for runs, gone on as tasks.

The id of a task is that of its run, and how the tool tells it: all else is in the store, so that a task is found after
a restart, and by any process that shares the store. Nobody guesses the id of a run, which has 64 random bits; who
learns one of another caller finds nothing by it.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anyio
import mcp_types as types
from pydantic import ValidationError as MalformedResultError

from gleitzeit.core.errors import GleitzeitError, ValidationError
from gleitzeit.core.models import Event, Run
from gleitzeit.engine.base import Reply
from gleitzeit.engine.bell import Bell, Bells
from gleitzeit.mcp_server.closing import closing
from gleitzeit.mcp_server.lazy_application import LazyApplication
from gleitzeit.mcp_server.published.targets import SERVER_TOOL
from gleitzeit.mcp_server.rendering.answer import Answer
from gleitzeit.mcp_server.tasks.base import CallTask, InputResponses, Requester, TaskSource, Tell
from gleitzeit.mcp_server.tasks.names import TaskName, Telling
from gleitzeit.mcp_server.tasks.standing import standing, told
from gleitzeit.mcp_server.tools.host import Host, reply_of

if TYPE_CHECKING:  # at run time the task brings it
    from gleitzeit.application import Application

logger = logging.getLogger(__name__)

TELLING: Mapping[str, Telling] = {
    "submit_workflow": "run",
    "resume_run": "run",
    "answer_question": "run",
    "call_method": "method",
    "query_method": "method",
    SERVER_TOOL: "content",
}
"""The tools that wait for a run, and whose answer is what becomes of it."""

GRACE = 1.0
_MOST_HOSTS = 1_024


class RunTasks(TaskSource):
    """The tasks of the application's runs; a task is over where its tool has nothing more to wait for.

    That is also where the run waits for a decision, or for an answer that its client cannot get from a person: then the
    result says so, and what to call next.
    """

    def __init__(self, application: LazyApplication) -> None:
        self._application = application
        self._hosts: OrderedDict[str, Host] = OrderedDict()
        self._bells = Bells()

    async def begun(self, requester: Requester, tool: str, answer: Answer) -> CallTask | None:
        """The task that a call goes on as; nothing where its answer is all that there is to say."""
        telling, run_id = TELLING.get(tool), answer.data.get("run_id")
        if telling is None or run_id is None or answer.data.get("status") not in ("pending", "running", "waiting"):
            return None
        try:
            task = await self.get(requester, str(TaskName(run_id, telling)))
        except GleitzeitError as error:  # the answer has all that is needed to go on by the other tools
            logger.warning("run %s goes on without a task: %s", run_id, error)
            return None
        return None if task.over else task

    async def get(self, requester: Requester, task_id: str) -> CallTask:
        """The task as it stands now."""
        name = TaskName.of(task_id)
        application = await self._application.opened()
        run = await application.engine.get(name.run_id, caller=requester.caller.sees)
        return await self._task(application, run, name, requester)

    async def update(self, requester: Requester, task_id: str, responses: InputResponses) -> None:
        """Answer the questions of a run; an answer that does not fit is asked for again, under a new key."""
        name = TaskName.of(task_id)
        engine = (await self._application.opened()).engine
        run = await engine.get(name.run_id, caller=requester.caller.sees)
        host = self._host(run)
        open_keys = {_key(host, question_id): question_id for question_id in host.requests(_put(run, requester))}
        replies = {
            open_keys[key]: _reply(key, response, requester) for key, response in responses.items() if key in open_keys
        }
        await host.deliver(engine, run.id, replies, requester.caller.sees)
        if any(host.tries(question_id) for question_id in replies):
            self._keep(run, host)
            self._bells.ring(run.id)

    async def cancel(self, requester: Requester, task_id: str) -> None:
        """Cancel a run."""
        name = TaskName.of(task_id)
        engine = (await self._application.opened()).engine
        await engine.cancel(name.run_id, "its task was cancelled", caller=requester.caller.sees)

    async def watch(self, requester: Requester, task_id: str, tell: Tell) -> None:
        """Tell the task as it stands, and again each time that it has changed; returns once it is over."""
        name, caller = TaskName.of(task_id), requester.caller.sees
        application = await self._application.opened()
        run = await application.engine.get(name.run_id, caller=caller)
        bell, last = self._bells.of(run.id), None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_ring, application.engine.events(run.id, run.seq, caller=caller, patient=True), bell)
            while True:
                rings, silent = bell.rings, bell.silent
                run = await application.engine.get(run.id, caller=caller)
                task = await self._task(application, run, name, requester)
                if last is None or _news(task) != _news(last):
                    await tell(task)
                if task.over or silent:
                    break
                last = task
                await bell.rung(rings)
            tasks.cancel_scope.cancel()

    async def _task(self, application: Application, run: Run, name: TaskName, requester: Requester) -> CallTask:
        task = await standing(application, run, str(name))
        if run.status == "cancelled":
            return replace(task, status="cancelled")
        host = self._host(run)
        asked = host.requests(_put(run, requester))
        if asked:
            requests = {_key(host, question_id): request for question_id, request in asked.items()}
            return replace(task, status="input_required", input_requests=requests)
        if not run.over and run.status != "waiting":
            return task
        return replace(task, status="completed", result=await told(application, run, name.telling))

    def _host(self, run: Run) -> Host:
        """What has been said to the questions of a run and did not fit; nothing in the beginning."""
        return self._hosts.get(run.id) or Host(None, choices=True)

    def _keep(self, run: Run, host: Host) -> None:
        self._hosts[run.id] = host
        self._hosts.move_to_end(run.id)
        while len(self._hosts) > _MOST_HOSTS:
            self._hosts.popitem(last=False)


async def _ring(events: AsyncIterator[Event], bell: Bell) -> None:
    """Ring at each event of a run that shows in how it stands, and for the last time after the last."""
    async with closing(events):
        async for event in events:
            if event.kind != "task.progress":
                bell.ring()
    bell.fall_silent()


def patience(tool: str, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The defaults of a tool's arguments for a client that takes a task: it need not wait long for what it can poll."""
    if tool not in TELLING:
        return dict(defaults)
    return {key: GRACE if key in ("wait_seconds", "timeout_seconds") else value for key, value in defaults.items()}


def _key(host: Host, question_id: str) -> str:
    """The key under which a question is put: another one after each answer that did not fit."""
    tries = host.tries(question_id)
    return f"{question_id}.{tries}" if tries else question_id


def _put(run: Run, requester: Requester) -> Run:
    """The run with those of its questions that the requester may be asked."""
    put = [question for question in run.questions if requester.asks and (requester.person or not question.person)]
    return replace(run, questions=put)


def _reply(key: str, response: Any, requester: Requester) -> Reply:
    try:
        return reply_of(types.ElicitResult.model_validate(response, by_name=False), person=requester.person)
    except MalformedResultError as error:
        raise ValidationError(
            f"the response to {key} is none to an elicitation", hint="send an action and, where it is accept, content"
        ) from error


def _news(task: CallTask) -> CallTask:
    """What of a task is worth telling."""
    return replace(task, updated_at=0.0, ttl=None, poll_interval=0.0)
