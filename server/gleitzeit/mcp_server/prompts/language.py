"""The workflow language in short, for a model that is about to write a document."""

from __future__ import annotations

EXAMPLE = """\
name: daily-report
inputs:
  topics: {type: array, items: {type: string}, default: [tides, moon]}
  deep: {type: boolean, default: false}
tasks:
  - id: search
    foreach: "${inputs.topics}"            # once an item, side by side; the result is the list, in order
    method: mcp/tool.web.search
    parameters: {query: "${item}", position: "${index}"}
    max_parallel: 4
    retry: {max_attempts: 3, delay: 2, exponential_backoff: true}
    timeout: 30
    on_error: continue                     # what failed is null, the run goes on
  - id: count
    method: python/execute
    parameters:
      code: "result = {'hits': len([page for page in args['pages'] if page])}"
      args: {pages: "${search}"}           # code gets data by args, never by ${...} inside of it
  - id: report
    when: "count.hits > 0"                 # CEL; where it is false the task is skipped and its result is null
    method: llm/chat
    parameters:
      messages:
        - {role: user, content: "Report on ${size(inputs.topics)} topics: ${search}"}
  - id: clean_up
    method: mcp/tool.files.remove
    parameters: {path: "/tmp/${run.id}"}
    dependencies: [report]                 # order without data
    trigger_rule: all_done                 # runs whatever became of them
outputs: {report: "${report.response}", hits: "${count.hits}"}
"""

RULES = """\
- A task runs as soon as everything that it refers to or names in `dependencies` is done; the rest runs in parallel.
- `${task.field[0].sub}` takes from a result, `${inputs.x}` from the inputs. Alone in a string it keeps its type, \
inside of text it becomes text. Anything else inside `${...}`, and `when`, is CEL. `$${` is a literal `${`.
- llm/* returns `response`; python/execute the fields of the object that the code prints or leaves in `result`; \
mcp/tool.* the tool's structured fields, and `text`.
- A task that failed fails the run, and what depends on it is skipped, unless it has `on_error: continue`.
- `retry_on_crash: true` runs it again after a crash; `cache: {ttl: 60}` uses its result again.
- `workflow/run` (`name` or `workflow`, `inputs`) runs another workflow as a task.
- Without `outputs` the results of the last tasks are returned. Return little: take fields instead of whole results.
- Keep what belongs to the user, such as names, texts and dates, in `inputs`.
"""
