"""Whether a `when` is a condition whose references are there."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gleitzeit.core.check.places import Place, Where
from gleitzeit.core.check.reference_problems import hyphenated, problems_of, reference_problems
from gleitzeit.core.errors import DocumentError
from gleitzeit.core.expressions import compile_expression
from gleitzeit.core.reading.marks import Problem
from gleitzeit.core.references import condition_source
from gleitzeit.core.slots import FOREIGN

_STATUS = re.compile(r"\s*(?:\$\{\{?)?\s*(always|success|failure|cancelled)\(\)\s*(?:\}\}?)?\s*")


def condition_problems(condition: str, place: Place) -> Iterator[Problem]:
    """What is wrong with the condition of a task."""
    where: Where = ("when",)
    status = _STATUS.fullmatch(condition)
    if status is not None:
        hint = "leave out when" if status.group(1) == "success" else "write trigger_rule: all_done"
        yield Problem("foreign_reference", f"{status.group(1)}() is written as in another system", where, hint)
        return
    foreign = FOREIGN.search(condition)
    if foreign is not None:
        yield Problem(
            "foreign_reference",
            f"{foreign.group()} is written as in another system",
            where,
            f"write {foreign.group(1)}",
        )
        return
    if condition.strip() in ("True", "False"):
        word = condition.strip()
        yield Problem("expression_invalid", f"{word} is written as in Python", where, f"write {word.lower()}")
        return
    try:
        source = condition_source(condition)
        hyphen = hyphenated(source, where, place)
        if hyphen is not None:
            yield hyphen
            return
        reference = compile_expression(source)
    except DocumentError as error:
        yield from problems_of(error, where)
        return
    yield from reference_problems(reference, where, Place(place.around, place.task))
