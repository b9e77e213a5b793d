"""The protocol `python/v1`: its methods, and what they take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gleitzeit.core.protocol import MethodSpec, Protocol
from gleitzeit.core.schema import LastingSchema
from gleitzeit_python.config import LONGEST

EXECUTE = "python/execute"
VALIDATE = "python/validate"

_SCRIPT = {"type": "string", "minLength": 1, "description": "path of a Python file, inside of the allowed folders"}
_CODE = {"type": "string", "description": "Python code; the variable `result` is its result"}
_PATHS = {"type": "array", "items": {"type": "string", "minLength": 1}, "maxItems": 100}
_TIERS = ["ns", "ll", "docker", "wasm"]
_MODULES = {
    "type": "array",
    "items": {"type": "string", "minLength": 1, "maxLength": 200},
    "maxItems": 1000,
    "description": "modules that the code itself may import; no more than the configuration allows",
}


def _object(properties: Mapping[str, Any]) -> dict[str, Any]:
    either = [{"required": ["script"]}, {"required": ["code"]}]
    return {"type": "object", "properties": dict(properties), "additionalProperties": False, "oneOf": either}


_EXECUTE = _object(
    {
        "script": _SCRIPT,
        "code": _CODE
        | {"description": f"{_CODE['description']}, and `await call(method, ...)` calls what its task's `calls` name"},
        "args": {"description": "any JSON: sys.argv[1] of a script, the name `args` in code"},
        "timeout": {"type": "number", "exclusiveMinimum": 0, "maximum": LONGEST, "description": "seconds"},
        "env": {
            "type": "object",
            "additionalProperties": {"type": ["string", "number", "boolean"]},
            "description": "environment variables; PYTHONPATH names folders of modules",
        },
        "max_memory": {"type": ["integer", "string"], "description": "bytes, or text such as 256M"},
        "allowed_modules": _MODULES,
        "files": _PATHS | {"description": "files inside of the allowed folders that the code may read, by these names"},
        "artifacts": _PATHS | {"description": "patterns of files to keep of those that the code writes, such as *.csv"},
        "packages": {"enum": ["host", "none"], "description": "installed packages: those of the server, or none"},
        "tier": {"enum": _TIERS, "description": "where it has to run"},
        "min_tier": {"enum": _TIERS, "description": "the weakest place where it may run"},
    }
)

_VERDICT = {
    "type": "object",
    "properties": {
        "valid": {"type": "boolean"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "line": {"type": "integer"},
                    "column": {"type": "integer"},
                    "message": {"type": "string"},
                },
            },
        },
    },
    "required": ["valid", "errors"],
}

PROTOCOL = Protocol(
    "python/v1",
    name="Python",
    description="Python code in a sandbox",
    methods=[
        MethodSpec(
            EXECUTE,
            description="Run Python in a sandbox; what it prints as JSON, or leaves in `result`, is the result",
            parameters=LastingSchema(_EXECUTE),
            idempotent=True,
            code=("code",),
            capabilities=("caching", "sandboxed"),
        ),
        MethodSpec(
            VALIDATE,
            description="Check the syntax of Python, and which modules it imports, without running it",
            parameters=_object({"script": _SCRIPT, "code": _CODE, "allowed_modules": _MODULES}),
            returns=_VERDICT,
            read_only=True,
            code=("code",),
            capabilities=("sandboxed",),
        ),
    ],
)
