"""Which modules the code of a job may import."""

from __future__ import annotations

import pytest
from tests.security.raw import Server

ALLOWED = ["json", "csv", "xml.etree"]


@pytest.mark.parametrize(
    "code",
    [
        "import json, csv",
        "import sys, gleitzeit_sandbox",
        "from __future__ import annotations",
        "from json import dumps",
        "import json.decoder",
        "from xml import etree",
        "import xml.etree.ElementTree",
        "from xml.etree import ElementTree",
        "import csv; csv.re.compile('x'); csv.writer",  # what it imports itself
    ],
)
def test_what_is_allowed_can_be_imported(server: Server, code: str) -> None:
    assert server.run(code, allowed_modules=ALLOWED).end == {"ok": True, "exit": 0}


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("import os", "os"),
        ("import os.path", "os.path"),
        ("from os import path", "os"),
        ("import xml.dom", "xml.dom"),
        ("from xml import dom", "xml"),
        ("__import__('os')", "os"),
        ("def f():\n  import os\nf()", "os"),
        ("class A:\n  import os", "os"),
        ("exec('import os')", "os"),
        ("eval('__import__(\"os\")')", "os"),
    ],
)
def test_what_is_not_allowed_is_refused_by_name(server: Server, code: str, name: str) -> None:
    told = server.run(code, allowed_modules=ALLOWED).error
    assert told["type"] == "ImportError"
    assert told["message"] == (
        f"module '{name}' is not among the allowed modules (csv, json, xml.etree; sys and gleitzeit_sandbox always are)"
    )


def test_a_refusal_can_be_caught_like_any_other(server: Server) -> None:
    code = "try: import numpy\nexcept ImportError: numpy = None\nresult = numpy"
    assert server.run(code, allowed_modules=[]).value is None


def test_with_no_list_every_module_is_allowed(server: Server) -> None:
    assert server.run("import os, socket, ctypes").end == {"ok": True, "exit": 0}


def test_the_modules_of_the_worker_are_nobodys(server: Server) -> None:
    assert server.run("import gleitzeit_python").error["type"] == "ModuleNotFoundError"
    assert server.run("import sys\nresult = [n for n in sys.modules if 'gleitzeit' in n]").value == [
        "gleitzeit_sandbox"
    ]
