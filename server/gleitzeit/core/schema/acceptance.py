"""Whether a value plainly fits a schema, by functions that are made once for it.

They know the plain keywords only and accept only what certainly fits; what they do not accept is looked at in full,
where it is also said what is wrong with it. So is what would be much work.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from gleitzeit.core.data import is_list, is_mapping

Accepts = Callable[[Any], bool]

_MOST_PARTS = 200
_MOST_ALTERNATIVES = 8
_MOST_ITEMS = 2_000


class LastingSchema(dict[str, Any]):
    """A schema that nobody changes, and that many values are held against: the functions are kept with it."""

    __slots__ = ("_accepts",)

    def __init__(self, schema: Mapping[str, Any]) -> None:
        super().__init__(schema)
        self._accepts: Accepts | None = None

    def accepts(self, value: Any) -> bool:
        """Whether `value` fits, as far as that can be seen at a glance."""
        try:
            if self._accepts is None:
                self._accepts = _accepting(self)
            return self._accepts(value)
        except RecursionError:  # whoever asks is far down already
            return False


def _nothing(_value: Any) -> bool:
    return False


class _UnknownError(Exception):
    """A schema that has to be looked at in full."""


def _accepting(schema: Mapping[str, Any]) -> Accepts:
    """The function of a schema; of one that has to be looked at in full, one that accepts nothing."""
    work = _Work()
    try:
        inner = _Compiler(work).schema(schema, root=True)
    except _UnknownError:
        return _nothing

    def accepts(value: Any) -> bool:
        work.left = _MOST_ITEMS
        return inner(value)

    return accepts


class _Work:
    """How many fields and items the functions of a schema may still look at."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = 0

    def may_look_at(self, number: int) -> bool:
        self.left -= number
        return self.left >= 0


class _Kinds(frozenset[type]):
    """The types of values that are accepted."""

    __slots__ = ()

    def __call__(self, value: Any) -> bool:
        return type(value) in self


class _Compiler:
    """Makes the functions of one schema, which must not be large."""

    def __init__(self, work: _Work) -> None:
        self._work = work
        self._parts = _MOST_PARTS
        self._alternatives = 1

    def schema(self, schema: Any, *, root: bool = False) -> Accepts:
        """The function of a part. Raises `_UnknownError`."""
        self._parts -= 1
        if self._parts < 0 or not is_mapping(schema) or ("$id" in schema and not root):
            raise _UnknownError
        of_fields = not _OF_FIELDS.isdisjoint(schema)
        only = of_fields and schema.get("type") == "object"  # the function of the fields then says that as well
        keywords = [keyword for keyword in schema if keyword not in _OF_FIELDS and not (only and keyword == "type")]
        checks = [made for keyword in keywords if (made := self._keyword(keyword, schema)) is not None]
        if of_fields:
            checks.append(self._fields(schema, only=only))
        return checks[0] if len(checks) == 1 else _all(checks)

    def _keyword(self, keyword: str, schema: Mapping[str, Any]) -> Accepts | None:
        expected = schema[keyword]
        match keyword:
            case "type":
                return _of_type(expected)
            case "items":
                return self._items(expected)
            case "anyOf":
                return _any(self._each(expected))
            case "allOf":
                return _all(self._each(expected))
            case "enum":
                return _enum(expected)
            case _ if keyword in LIMITS:
                return _limited(keyword, expected)
            case _ if keyword in IN_FULL:
                raise _UnknownError
            case _:  # it tells something, and asks for nothing
                return None

    def _each(self, expected: Any) -> Sequence[Accepts]:
        """The functions of schemas for the same value: alternatives within alternatives multiply the work."""
        schemas, before = _list(expected), self._alternatives
        self._alternatives *= max(1, len(schemas))
        if self._alternatives > _MOST_ALTERNATIVES:
            raise _UnknownError
        made = [self.schema(inner) for inner in schemas]
        self._alternatives = before
        return made

    def _fields(self, schema: Mapping[str, Any], *, only: bool) -> Accepts:
        """What is asked of an object's fields; `only` objects are accepted, or what has no fields as well."""
        declared, rest = schema.get("properties", {}), schema.get("additionalProperties", True)
        if not is_mapping(declared):
            raise _UnknownError
        required = frozenset(name for name in _list(schema.get("required", [])) if isinstance(name, str))
        inner = [(name, self.schema(part)) for name, part in declared.items()]
        parts = [(name, check if isinstance(check, _Kinds) else None, check) for name, check in inner]
        others = None if rest is True or rest is False else self.schema(rest)
        known, may_look_at = frozenset(declared), self._work.may_look_at

        def accepts(value: Any) -> bool:
            if type(value) is not dict:
                return not only and _has_no_fields(value)
            fields = cast("dict[str, Any]", value)
            if not required <= fields.keys() or (rest is not True and not may_look_at(len(fields))):
                return False
            for name, kinds, check in parts:
                if name not in fields:
                    continue
                item = fields[name]
                if not (check(item) if kinds is None else type(item) in kinds):  # a call less, for most fields
                    return False
            if rest is True or fields.keys() <= known:
                return True
            return others is not None and all(others(fields[name]) for name in fields.keys() - known)

        return accepts

    def _items(self, expected: Any) -> Accepts:
        inner, may_look_at = self.schema(expected), self._work.may_look_at

        def accepts(value: Any) -> bool:
            kind = cast("type[object]", type(value))
            if kind is not list:
                return not is_list(value)
            return may_look_at(len(value)) and all(inner(item) for item in value)

        return accepts


_TYPES: Mapping[str, tuple[type[Any], ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}

LIMITS: Mapping[str, tuple[tuple[type[Any], ...], Callable[[Any, Any], bool]]] = {
    "minimum": ((int, float), lambda value, limit: value >= limit),
    "maximum": ((int, float), lambda value, limit: value <= limit),
    "exclusiveMinimum": ((int, float), lambda value, limit: value > limit),
    "exclusiveMaximum": ((int, float), lambda value, limit: value < limit),
    "minLength": ((str,), lambda value, limit: len(value) >= limit),
    "maxLength": ((str,), lambda value, limit: len(value) <= limit),
    "minItems": ((list,), lambda value, limit: len(value) >= limit),
    "maxItems": ((list,), lambda value, limit: len(value) <= limit),
    "minProperties": ((dict,), lambda value, limit: len(value) >= limit),
    "maxProperties": ((dict,), lambda value, limit: len(value) <= limit),
}
"""Values of which types a limit is for, and what keeps within it; of all other plain values it says nothing."""

_OF_FIELDS = frozenset({"properties", "required", "additionalProperties"})
_PLAIN = frozenset(kind for kinds in _TYPES.values() for kind in kinds)

IN_FULL = frozenset(
    "$ref $dynamicRef patternProperties propertyNames prefixItems contains oneOf not if dependentSchemas "
    "unevaluatedItems unevaluatedProperties dependentRequired const pattern uniqueItems multipleOf".split()
)


def _all(checks: Sequence[Accepts]) -> Accepts:
    def accepts(value: Any) -> bool:
        for check in checks:  # noqa: SIM110 a generator would be a call more for each
            if not check(value):
                return False
        return True

    return accepts


def _any(checks: Sequence[Accepts]) -> Accepts:
    return lambda value: any(check(value) for check in checks)


def _of_type(expected: Any) -> Accepts:
    names = [expected] if isinstance(expected, str) else _list(expected)
    if not names or not all(isinstance(name, str) and name in _TYPES for name in names):
        raise _UnknownError
    return _Kinds(kind for name in names for kind in _TYPES[name])


def _enum(expected: Any) -> Accepts:
    allowed = frozenset(text for text in _list(expected) if isinstance(text, str))
    return lambda value: type(value) is str and value in allowed


def _limited(keyword: str, limit: Any) -> Accepts:
    if type(limit) not in (int, float):
        raise _UnknownError
    kinds, keeps = LIMITS[keyword]
    return lambda value: keeps(value, limit) if type(value) in kinds else type(value) in _PLAIN


def _list(expected: Any) -> list[Any]:
    if not is_list(expected):
        raise _UnknownError
    return expected


def _has_no_fields(value: Any) -> bool:
    """Whether what is asked of an object says nothing of a value."""
    return not is_mapping(value)
