"""Runs workflows of tools, models and code, and is reached over MCP, from Python and from a terminal."""
