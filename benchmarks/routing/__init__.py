"""Which node should answer: the router of the Ollama pool against the usual ones, on a simulated Ollama."""
