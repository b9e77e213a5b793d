"""The tier `none`: code runs unprotected."""

from __future__ import annotations

from gleitzeit_python.plain.sandbox import PlainSandbox

__all__ = ["PlainSandbox"]
