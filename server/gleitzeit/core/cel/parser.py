"""Text -> the tree of a CEL expression, within bounds."""

from __future__ import annotations

import ast
import re

from gleitzeit.core.cel.syntax import (
    MACROS,
    Access,
    Call,
    Chain,
    Conditional,
    FieldStep,
    KeyStep,
    ListOf,
    Literal,
    Macro,
    MapOf,
    MethodStep,
    Name,
    Node,
    Step,
    Unary,
)
from gleitzeit.core.cel.tokens import CelSyntaxError, Token, tokens

MAX_SOURCE = 1024
MAX_NESTING = 32
MAX_COMPREHENSIONS = 8

_LEVELS: tuple[frozenset[str], ...] = (
    frozenset({"||"}),
    frozenset({"&&"}),
    frozenset({"<", "<=", ">", ">=", "==", "!=", "in"}),
    frozenset({"+", "-"}),
    frozenset({"*", "/", "%"}),
)
_RESERVED = frozenset(
    "as break const continue else for function if import let loop package namespace return var void while in".split()
)
_WORDS = {"and": "write && for and", "or": "write || for or", "not": "write ! for not"}
INT64 = 2**63
_WRONG_ESCAPE = re.compile(r"""(?<!\\)(?:\\\\)*\\([^abfnrtv\\?"'`xXuU0-3\n])""")
_CEL_ESCAPE = re.compile(r"\\([?`])")  # escapes that Python has not


def parse(source: str) -> Node:
    """The tree of `source`; raises `CelSyntaxError` where it is not CEL or over a bound."""
    if len(source.encode("utf-8", "surrogatepass")) > MAX_SOURCE:
        raise CelSyntaxError(
            f"the expression is longer than {MAX_SOURCE} bytes", 0, "compute it in a method of your own", "limit"
        )
    if not source.strip():
        raise CelSyntaxError("the expression is empty", 0)
    parser = _Parser(tokens(source))
    node = parser.expression()
    parser.finish()
    return node


class _Parser:
    def __init__(self, words: list[Token]) -> None:
        self._words = words
        self._at = 0
        self._depth = 0
        self._comprehensions = 0
        self._inside_body = False

    @property
    def _word(self) -> Token:
        return self._words[self._at]

    def _take(self) -> Token:
        word = self._words[self._at]
        self._at += 1
        return word

    def _accept(self, text: str) -> bool:
        word = self._word
        if word.kind in ("symbol", "name") and word.text == text:
            self._at += 1
            return True
        return False

    def _expect(self, text: str) -> Token:
        if not self._accept(text):
            raise self._unexpected(f'"{text}" is missing')
        return self._words[self._at - 1]

    def _unexpected(self, message: str) -> CelSyntaxError:
        word = self._word
        found = "the end" if word.kind == "end" else f'"{word.text}"'
        hint = (
            f"write [{word.text[1:]}] for an item of a list"
            if word.text[:1] == "." and word.text[1:].isdigit()
            else None
        )
        return CelSyntaxError(f"{message} before {found}", word.start, _WORDS.get(word.text) or hint)

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > MAX_NESTING:
            raise CelSyntaxError(f"brackets are nested deeper than {MAX_NESTING}", self._word.start, code="limit")

    def finish(self) -> None:
        """Make sure that nothing is left over."""
        if self._word.kind != "end":
            raise self._unexpected("an operator is missing")

    def expression(self) -> Node:
        """One expression, with its `? :`."""
        self._deeper()
        condition = self._level(0)
        if self._accept("?"):
            chosen = self._level(0)
            self._expect(":")
            condition = Conditional(condition, chosen, self.expression())
        self._depth -= 1
        return condition

    def _level(self, level: int) -> Node:
        if level == len(_LEVELS):
            return self._unary()
        operands = [self._level(level + 1)]
        operators: list[str] = []
        while self._word.kind in ("symbol", "name") and self._word.text in _LEVELS[level]:
            operators.append(self._take().text)
            operands.append(self._level(level + 1))
        return Chain(tuple(operators), tuple(operands)) if operators else operands[0]

    def _unary(self) -> Node:
        first = self._word
        if first.kind != "symbol" or first.text not in "!-":
            return self._member()
        operators = ""
        while self._accept(first.text):
            operators += first.text
        if self._word.kind == "symbol" and self._word.text in ("!", "-"):
            raise self._unexpected("a value is missing")
        return Unary(operators, self._member())

    def _member(self) -> Node:
        base = self._primary()
        steps: list[Step] = []
        while True:
            if self._accept("."):
                name = self._name("a field's name")
                if not self._accept("("):
                    steps.append(FieldStep(name))
                elif name in MACROS:
                    base, steps = self._macro(name, Access(base, tuple(steps)) if steps else base), []
                else:
                    steps.append(MethodStep(name, self._arguments(")")))
            elif self._accept("["):
                steps.append(KeyStep(self._key()))
                self._expect("]")
            else:
                return Access(base, tuple(steps)) if steps else base

    def _key(self) -> Node:
        start = self._word.start
        key = self.expression()
        if isinstance(key, Unary) and isinstance(key.operand, Literal):
            raise CelSyntaxError("an index counts from 0 and is not negative", start, "the last is x[size(x) - 1]")
        return key

    def _name(self, what: str) -> str:
        word = self._word
        if word.kind != "name":
            hint = f"write [{word.text}] for an item of a list" if word.kind == "int" else None
            error = self._unexpected(f"{what} is missing")
            raise CelSyntaxError(error.message, error.offset, hint)
        return self._take().text

    def _macro(self, name: str, over: Node) -> Node:
        word = self._words[self._at - 1]
        self._comprehensions += 1
        if self._inside_body:
            raise CelSyntaxError(
                f"{name}() stands inside another comprehension",
                word.start,
                "split it into two tasks, or use foreach",
                "limit",
            )
        if self._comprehensions > MAX_COMPREHENSIONS:
            raise CelSyntaxError(f"more than {MAX_COMPREHENSIONS} comprehensions", word.start, code="limit")
        variable = self._name(f"the variable of {name}()")
        self._expect(",")
        self._inside_body = True
        bodies = self._arguments(")")
        self._inside_body = False
        if len(bodies) != 1 and not (name == "map" and len(bodies) == 2):
            raise CelSyntaxError(f"{name}() takes a variable and one expression", word.start)
        return Macro(name, over, variable, bodies)

    def _arguments(self, closing: str) -> tuple[Node, ...]:
        found: list[Node] = []
        while not self._accept(closing):
            if found:
                self._expect(",")
                if self._accept(closing):
                    break
            found.append(self.expression())
        return tuple(found)

    def _primary(self) -> Node:
        word = self._word
        if word.kind in ("float", "int", "string", "bytes"):
            return _literal(self._take())
        if word.kind == "name":
            return self._named()
        if self._accept("("):
            node = self.expression()
            self._expect(")")
            return Access(node, ())
        if self._accept("["):
            return ListOf(self._arguments("]"))
        if self._accept("{"):
            return MapOf(self._entries())
        raise self._unexpected("a value is missing")

    def _named(self) -> Node:
        word = self._take()
        if word.text in ("true", "false", "null"):
            return Literal(word.text, word.text, {"true": True, "false": False, "null": None}[word.text])
        if word.text in _RESERVED:
            raise CelSyntaxError(f'"{word.text}" is a reserved word', word.start)
        if self._accept("("):
            return Call(word.text, self._arguments(")"))
        return Name(word.text, word.start)

    def _entries(self) -> tuple[tuple[Node, Node], ...]:
        found: list[tuple[Node, Node]] = []
        while not self._accept("}"):
            if found:
                self._expect(",")
                if self._accept("}"):
                    break
            key = self.expression()
            self._expect(":")
            found.append((key, self.expression()))
        return tuple(found)


def _literal(word: Token) -> Literal:
    if word.kind == "float":
        return Literal("double", word.text, float(word.text))
    if word.kind == "int":
        digits = word.text.rstrip("uU")
        value = int(digits, 16) if digits[:2] in ("0x", "0X") else int(digits)
        if value > INT64:
            raise CelSyntaxError(f"{word.text} is more than 64 bits hold", word.start)
        return Literal("uint" if digits != word.text else "int", word.text, value)
    if word.kind == "bytes":
        return Literal("bytes", word.text, word.text)
    return Literal("string", word.text, _text(word))


def _text(word: Token) -> str:
    text = word.text
    if text[0] not in "rR":
        wrong = _WRONG_ESCAPE.search(text)
        if wrong is not None:
            hint = 'write a raw text, r"...", or \\\\ for one backslash'
            raise CelSyntaxError(f"{wrong.group()} is not an escape", word.start + wrong.start(), hint)
        text = _CEL_ESCAPE.sub(r"\1", text)
    try:
        return str(ast.literal_eval(text))
    except (ValueError, SyntaxError) as error:
        raise CelSyntaxError(f"{word.text} is not a text that can be read", word.start) from error
