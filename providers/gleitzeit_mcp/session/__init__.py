"""One connection spoken over: requests and their answers, eras, what the server asks, what changes."""
