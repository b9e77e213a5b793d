"""MCP servers as other hosts configure them."""
