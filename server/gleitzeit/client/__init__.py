"""Gleitzeit from Python: in this process, or against a running server."""

from gleitzeit.client.client import GleitzeitClient

__all__ = ["GleitzeitClient"]
