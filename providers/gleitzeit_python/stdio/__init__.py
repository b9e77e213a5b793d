"""The host's side of workers that have standard streams and nothing else: containers, WebAssembly, processes."""
