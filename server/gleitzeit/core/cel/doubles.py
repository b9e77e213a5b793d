"""An expression and its data with all numbers as floats, for CEL itself never mixes them with ints."""

from __future__ import annotations

from typing import Any

from gleitzeit.core.cel.parser import parse
from gleitzeit.core.cel.syntax import (
    Access,
    Call,
    Chain,
    Conditional,
    FieldStep,
    KeyStep,
    ListOf,
    Literal,
    Macro,
    MapOf,
    MethodStep,
    Name,
    Node,
    Unary,
    calculates,
)
from gleitzeit.core.cel.tokens import CelSyntaxError
from gleitzeit.core.data import is_list, is_mapping

EXACT = 2**53
"""Floats hold every whole number up to this one."""

_WHOLE = frozenset(
    {"size", "int", "uint", "getFullYear", "getMonth", "getDate", "getHours", "getMinutes", "getSeconds"}
)


def with_doubles(source: str) -> str | None:
    """The expression in floats, or nothing where it does not calculate."""
    try:
        tree = parse(source)
    except CelSyntaxError:
        return None
    return _render(tree) if calculates(tree) else None


def as_doubles(value: Any) -> Any:
    """JSON data with floats for ints; raises `OverflowError` where that would lose digits."""
    if isinstance(value, int) and not isinstance(value, bool):
        if abs(value) > EXACT:
            raise OverflowError("a whole number has more digits than a float holds")
        return float(value)
    if is_list(value):
        return [as_doubles(item) for item in value]
    if is_mapping(value):
        return {key: as_doubles(item) for key, item in value.items()}
    return value


def _render(node: Node) -> str:
    match node:
        case Literal("int", text, value):
            return f"{value}.0" if text.isdigit() else f"double({text})"
        case Literal(_, text, _):
            return text
        case Name(name, _):
            return name
        case Access(base, steps):
            return _access(base, steps)
        case Call(name, arguments):
            call = f"{name}({_list(arguments)})"
            return f"double({call})" if name in _WHOLE else call
        case ListOf(items):
            return f"[{_list(items)}]"
        case MapOf(entries):
            return "{" + ", ".join(f"{_plain_key(key)}: {_render(value)}" for key, value in entries) + "}"
        case Unary(operators, operand):
            return f"{operators}{_render(operand)}"
        case Chain(operators, operands):
            return _chain(operators, operands)
        case Conditional(condition, chosen, otherwise):
            return f"({_render(condition)} ? {_render(chosen)} : {_render(otherwise)})"
        case Macro(name, over, variable, bodies):
            return f"{_render(over)}.{name}({variable}, {_list(bodies)})"


def _list(nodes: tuple[Node, ...]) -> str:
    return ", ".join(_render(node) for node in nodes)


def _plain_key(key: Node) -> str:
    return key.text if isinstance(key, Literal) else _render(key)


def _access(base: Node, steps: tuple[FieldStep | KeyStep | MethodStep, ...]) -> str:
    text = _render(base) if not isinstance(base, (Chain, Unary)) else f"({_render(base)})"
    for step in steps:
        match step:
            case FieldStep(name):
                text += f".{name}"
            case KeyStep(key):
                text += f"[{_plain_key(key)}]"
            case MethodStep(name, arguments):
                text = f"{text}.{name}({_list(arguments)})"
                text = f"double({text})" if name in _WHOLE else text
    return text


def _chain(operators: tuple[str, ...], operands: tuple[Node, ...]) -> str:
    text = _render(operands[0])
    for operator, operand in zip(operators, operands[1:], strict=True):
        right = _render(operand)
        if operator == "%" and len(operators) == 1:
            text = f"({text} - {right} * double(int({text} / {right})))"
        else:
            text = f"{text} {operator} {right}"
    return text if operators[0] in ("&&", "||") else f"({text})"
