"""What the tools that are always there say of themselves."""
