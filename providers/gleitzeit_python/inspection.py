"""What can be said of code without running it. Its text is sent into the sandbox, and is all that there is of it there.

The compiler is not made for hostile input: code can be such that it takes the process down which compiles it.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Collection
from typing import Any

ALWAYS = frozenset({"__future__", "gleitzeit_sandbox", "sys"})


def inspected(code: str, filename: str, inline: bool, allowed: list[str] | None) -> list[dict[str, Any]]:
    """The problems of code, by line: its syntax, else the modules that it imports but may not."""
    warnings.simplefilter("ignore")
    try:
        tree = ast.parse(code, filename)
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT if inline else 0
        compile(code, filename, "exec", flags, dont_inherit=True)
    except SyntaxError as error:
        return [{"line": error.lineno or 1, "column": error.offset or 1, "message": error.msg}]
    except (ValueError, RecursionError, MemoryError, OverflowError) as error:
        return [{"line": 1, "column": 1, "message": f"it can't be compiled: {str(error) or type(error).__name__}"}]
    return [] if allowed is None else _foreign_imports(tree, frozenset(allowed))


def _foreign_imports(tree: ast.AST, allowed: frozenset[str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        found += [
            {
                "line": node.lineno,
                "column": node.col_offset + 1,
                "message": f'module "{name}" is not among the allowed modules ({", ".join(sorted(allowed)) or "none"})',
            }
            for name in _imported(node, allowed)
        ]
    return sorted(found, key=lambda problem: (problem["line"], problem["column"]))


def _imported(node: ast.Import | ast.ImportFrom, allowed: frozenset[str]) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names if not covered(alias.name, allowed)]
    if node.level == 0 and node.module and not covered(node.module, allowed):
        parts = [f"{node.module}.{alias.name}" for alias in node.names]
        return [] if all(covered(part, allowed) for part in parts) else [node.module]
    return []


def covered(name: str, allowed: Collection[str]) -> bool:
    """Whether a module is allowed: always, by its own name, or by that of a package that it belongs to."""
    parts = name.split(".")
    return parts[0] in ALWAYS or any(".".join(parts[: count + 1]) in allowed for count in range(len(parts)))
