"""The MCP face: tools, transports and both protocol eras; imports nothing heavy before the first answer."""
