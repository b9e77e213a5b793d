"""What a request asks for, and everything that can be wrong with it: its parameters become a `Job`."""
