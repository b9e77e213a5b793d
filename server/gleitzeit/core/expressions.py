"""CEL expressions: read and bounded once, evaluated on no more data than they refer to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from gleitzeit.core.cel.accesses import Accessed, accesses
from gleitzeit.core.cel.cost import size_of, weigh
from gleitzeit.core.cel.parser import parse
from gleitzeit.core.cel.pruning import Branch, prune, prune_result, tree_of
from gleitzeit.core.cel.syntax import Access, Call, MethodStep, Node, walk
from gleitzeit.core.cel.tokens import CelSyntaxError
from gleitzeit.core.cel.values import evaluate
from gleitzeit.core.diagnostics import Diagnostic, did_you_mean
from gleitzeit.core.errors import DocumentError, LimitError
from gleitzeit.core.scope import ABSENT, ALIASES, Scope

__all__ = ["LIGHT", "MAX_NODES", "MAX_TEXT", "Expression", "compile_expression", "evaluate"]

LIGHT = 40_000_000
"""An expression of no more weight than this is over in less than 20 ms; a heavier one belongs in another process."""

MAX_NODES = 10_000
MAX_TEXT = 1 << 20

_TYPES = frozenset({"bool", "int", "uint", "double", "string", "bytes", "list", "map", "type", "null_type"})
_FUNCTIONS = frozenset(
    "size has int uint double string bytes timestamp duration contains startsWith endsWith matches type dyn "
    "getFullYear getMonth getDayOfYear getDayOfMonth getDate getDayOfWeek getHours getMinutes getSeconds "
    "getMilliseconds max min all exists exists_one map filter bool".split()
)
_HEADS = frozenset({"item", "index", "run", "inputs", "input"})


@dataclass(frozen=True, slots=True)
class Expression:
    """One CEL expression: what it refers to, what that weighs, and what to pass to `evaluate`.

    `roots` are the tasks it refers to, `inputs` the inputs. A root may also be one of CEL's own types, as in
    `type(x) == int`, where there is no such task.
    """

    source: str
    roots: frozenset[str]
    inputs: frozenset[str]
    uses_item: bool
    uses_index: bool
    branches: Mapping[str, Branch] = field(repr=False, compare=False, hash=False)
    tree: Node = field(repr=False, compare=False, hash=False)

    def data(self, scope: Scope) -> dict[str, Any]:
        """The variables it needs, and of them only the fields it reads.

        Raises `LimitError` where that is more than CEL may be given.
        """
        data = {
            name: _pruned(name, value, branch)
            for name, branch in self.branches.items()
            for value in _value(scope, name)
        }
        size = size_of(data, MAX_NODES + len(data))
        if size.nodes - 1 > MAX_NODES or size.text > MAX_TEXT:
            much = f"more than {MAX_NODES:,} values" if size.nodes - 1 > MAX_NODES else f"{size.text:,} bytes of text"
            raise LimitError(
                f'"{self.source}" refers to {much}',
                hint="refer to a smaller part, or compute it in a method of your own",
            )
        return data

    def weight(self, data: Mapping[str, Any]) -> int:
        """An upper bound of what evaluating it with `data` costs; compare with `LIGHT`."""
        return weigh(self.tree, self.source, data)


@lru_cache(maxsize=2048)
def compile_expression(source: str) -> Expression:
    """The expression; raises `DocumentError` with the one diagnostic that says why it is none."""
    try:
        tree = parse(source)
        _check_names(tree)
        found = accesses(tree)
        paths = tuple(_canonical(path) for path in found)
    except CelSyntaxError as error:
        raise DocumentError([_diagnostic(error, source)]) from error
    return Expression(
        source=source,
        roots=frozenset(str(item.keys[0]) for item in paths) - _HEADS,
        inputs=frozenset(str(item.keys[1]) for item in paths if item.keys[0] == "inputs" and len(item.keys) > 1),
        uses_item=any(item.keys[0] == "item" for item in paths),
        uses_index=any(item.keys[0] == "index" for item in paths),
        branches=_branches(found),
        tree=tree,
    )


def _diagnostic(error: CelSyntaxError, source: str) -> Diagnostic:
    shown = source if len(source) <= 80 else source[:77] + "..."
    return Diagnostic(error.code, f'in the expression "{shown}": {error.message}', column=error.offset, hint=error.hint)


def _canonical(path: Accessed) -> Accessed:
    """`steps.x` and `tasks["x"]` as `x`, `input` as `inputs`; raises for what cannot be followed."""
    head = str(path.keys[0])
    if head == "secrets":
        raise CelSyntaxError(
            "a secret can only be passed on as it is",
            path.start,
            "use ${secrets.NAME} alone, in parameters",
            "secret_misplaced",
        )
    if head in ("tasks", "steps"):
        if len(path.keys) < 2 or not isinstance(path.keys[1], str):
            raise CelSyntaxError(
                f"{head} needs the id of a task", path.start, f'write {head}["id"] with the id as text'
            )
        return Accessed(path.keys[1:], path.start, path.optional)
    return Accessed((ALIASES.get(head, head), *path.keys[1:]), path.start, path.optional)


def is_type_name(name: str) -> bool:
    """Whether CEL itself knows the name, as in `type(x) == int`."""
    return name in _TYPES


def _branches(paths: list[Accessed]) -> dict[str, Branch]:
    by_head: dict[str, list[Accessed]] = {}
    for path in paths:
        by_head.setdefault(str(path.keys[0]), []).append(path)
    return {head: tree_of([(item.keys[1:], item.optional) for item in items]) for head, items in by_head.items()}


def _value(scope: Scope, name: str) -> Iterator[Any]:
    """The value of a variable, or nothing where it has none."""
    match name:
        case "tasks" | "steps":
            yield scope.tasks
        case "inputs" | "input":
            yield scope.inputs
        case "run":
            yield {"id": scope.run_id}
        case "item":
            if scope.item is not ABSENT:
                yield scope.item
        case "index":
            if scope.index is not None:
                yield scope.index
        case _:
            if name in scope.tasks:
                yield scope.tasks[name]


def _pruned(name: str, value: Any, branch: Branch) -> Any:
    if name in ("tasks", "steps"):
        return {key: prune_result(value[key], inner) for key, inner in branch.fields.items() if key in value}
    return prune(value, branch) if name in _HEADS else prune_result(value, branch)


def _check_names(tree: Node) -> None:
    for node in walk(tree):
        if isinstance(node, Call):
            _check_function(node.name)
        elif isinstance(node, Access):
            for step in node.steps:
                if isinstance(step, MethodStep):
                    _check_function(step.name)


def _check_function(name: str) -> None:
    if name not in _FUNCTIONS:
        hint = (
            did_you_mean(name, _FUNCTIONS)
            or "CEL has size, contains, startsWith, endsWith, matches, map, filter, all, exists"
        )
        raise CelSyntaxError(f"there is no function {name}()", 0, hint, "unknown_function")
