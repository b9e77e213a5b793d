"""The tools of downstream MCP servers as methods: `mcp/tool.<prefix><tool>`, `mcp/tools/list`, `mcp/servers`."""

from __future__ import annotations

from gleitzeit_mcp.provider import MCPHubProvider

__all__ = ["MCPHubProvider"]
