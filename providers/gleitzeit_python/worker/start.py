"""The program of a fork server: `python -I -S start.py zygote FD`, or of one unprotected job: `start.py plain FD`."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

ROOM = Path(__file__).resolve().parent


def _package(name: str, folder: Path) -> None:
    """Let the modules of a package be imported without its `__init__.py`, which would bring all of Gleitzeit."""
    package = ModuleType(name)
    package.__path__ = [str(folder)]
    package.__spec__ = ModuleSpec(name, None, is_package=True)
    sys.modules[name] = package


def _module(name: str, file: Path) -> None:
    spec = spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is no module")
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)


def main() -> None:
    """Become what the command line names."""
    _package("gleitzeit_python", ROOM.parent)
    _package("gleitzeit_python.worker", ROOM)
    _module("gleitzeit_sandbox", ROOM.parents[1] / "gleitzeit_sandbox" / "__init__.py")
    kind, descriptor = sys.argv[1], int(sys.argv[2])
    if kind == "zygote":
        from gleitzeit_python.worker.forks import without_hooks

        with without_hooks():
            from gleitzeit_python.worker.zygote import serve

        serve(descriptor)
    else:
        from gleitzeit_python.worker.task import run

        run(descriptor)


if __name__ == "__main__":
    main()
