"""What survives a crash: runs, the state of their tasks, and what happened."""
