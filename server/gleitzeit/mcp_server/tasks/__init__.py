"""Tool calls that go on after their answer: the extension `io.modelcontextprotocol/tasks`."""
