"""The tier `wasm`: CPython in WebAssembly, by the package `pyeryx`, on every system."""
