"""Conditions and values that people write about fields (`kind == 'DATA' and run > 1800`).

A small whitelisted part of Python, compiled once to closures: no attributes, no power, capped sizes (RULE 31).
"""

from __future__ import annotations

import ast
import operator
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from penstock.errors import DefinitionError
from penstock.units.template import unknown_name
from penstock.units.values import number, whole

Evaluate = Callable[[Mapping[str, Any]], Any]

MAX_TEXT = 1000
MAX_LENGTH = 10_000
MAX_BITS = 256


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression; `names` are the fields it needs."""

    text: str
    names: tuple[str, ...]
    _evaluate: Evaluate = field(repr=False, compare=False)

    @classmethod
    def parse(cls, text: str) -> Expression:
        """Parse `text`; DefinitionError says what is not allowed.

        >>> Expression.parse("upper(experiment[:3])").evaluate({"experiment": "xppc0115"})
        'XPP'
        """
        if len(text) > MAX_TEXT:
            raise DefinitionError(
                f"the expression {text[:40]!r}… is longer than {MAX_TEXT} characters; shorten it"
            )
        try:
            with warnings.catch_warnings(action="ignore"):  # of odd escapes, on stderr
                tree = ast.parse(text.strip(), mode="eval").body
            compiler = _Compiler(text)
            evaluate = compiler.compile(tree)
        except SyntaxError as error:
            raise DefinitionError(
                f"the expression {text!r} cannot be read: {error.msg}{_hint(text)}"
            ) from None
        except (ValueError, RecursionError, MemoryError):
            raise DefinitionError(f"the expression {text!r} cannot be read; simplify it") from None
        return cls(text, tuple(dict.fromkeys(compiler.names)), evaluate)

    def evaluate(self, values: Mapping[str, Any]) -> Any:
        """Work it out over `values`; DefinitionError when they do not fit."""
        try:
            return self._evaluate(values)
        except _Unknown as unknown:
            raise DefinitionError(
                unknown_name(unknown.name, values, f"the expression {self.text!r}")
            ) from None
        except (TypeError, ValueError, ArithmeticError, LookupError, RecursionError) as error:
            raise DefinitionError(self._explain(error, values)) from None

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Whether it is true; it is not while a field is unknown, as that of a row which is not in its table yet."""
        return all(name in values for name in self.names) and bool(self.evaluate(values))

    def _explain(self, error: Exception, values: Mapping[str, Any]) -> str:
        empty = [name for name in self.names if values.get(name) is None]
        if empty:
            return f"the expression {self.text!r} needs {empty[0]}, which is empty"
        shown = ", ".join(f"{name} = {values[name]!r}" for name in self.names)
        return f"the expression {self.text!r} fails with {shown or 'no fields'}: {error}"


def _hint(text: str) -> str:
    return "; == compares" if re.search(r"(?<![=!<>:])=(?!=)", text) else ""


class _Unknown(Exception):
    def __init__(self, name: str) -> None:
        self.name = name


def _is_sequence(value: Any) -> bool:
    return isinstance(value, (str, list, tuple))


def _capped(value: Any) -> Any:
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        raise ValueError("the number is too large")
    return _short(value) if _is_sequence(value) else value


def _short(sequence: Any) -> Any:
    if len(sequence) > MAX_LENGTH:
        raise ValueError("the text or list is too long")
    return sequence


def _times(one: Any, two: Any) -> Any:
    for sequence, count in ((one, two), (two, one)):
        if _is_sequence(sequence) and isinstance(count, int):
            if len(sequence) * count > MAX_LENGTH:
                raise ValueError("the text or list is too long")
            return sequence * count
    return _capped(one * two)


def _remainder(one: Any, two: Any) -> Any:
    if isinstance(one, str):
        raise TypeError("% is for numbers only")
    return one % two


def _plus(one: Any, two: Any) -> Any:
    return _capped(one + two)


def _replace(text: Any, old: str, new: str) -> str:
    if not isinstance(text, str):
        raise TypeError(f"replace is for text, not {text!r}")
    if len(text) + text.count(old) * len(new) > MAX_LENGTH:
        raise ValueError("the text is too long")
    return text.replace(old, new)


def _round(number: float, digits: int = 0) -> float:
    if abs(digits) > 30:
        raise ValueError("round takes at most 30 digits")
    return round(number, digits) if digits else round(number)


def _int(value: Any) -> int:
    return whole(value) if isinstance(value, str) else int(value)


def _float(value: Any) -> float:
    return number(value) if isinstance(value, str) else float(value)


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "upper": str.upper,
    "lower": str.lower,
    "len": len,
    "int": _int,
    "float": _float,
    "str": str,
    "abs": abs,
    "min": min,
    "max": max,
    "round": _round,
    "startswith": str.startswith,
    "endswith": str.endswith,
    "strip": str.strip,
    "replace": _replace,
}
BINARY: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: _plus,
    ast.Sub: operator.sub,
    ast.Mult: _times,
    ast.Div: lambda one, two: one / two,
    ast.FloorDiv: lambda one, two: one // two,
    ast.Mod: _remainder,
}
UNARY: Mapping[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.Not: operator.not_,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
COMPARE: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda one, two: one in two,
    ast.NotIn: lambda one, two: one not in two,
    ast.Is: lambda one, two: one is two,
    ast.IsNot: lambda one, two: one is not two,
}


class _Compiler:
    """Turns a syntax tree into closures; each method takes one kind of node."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.names: list[str] = []

    def compile(self, node: ast.AST) -> Evaluate:
        method = getattr(self, f"_{type(node).__name__.lower()}", None)
        if method is None:
            raise self._refusal(type(node).__name__)
        return method(node)

    def _refusal(self, what: str) -> DefinitionError:
        allowed = (
            f"use fields, comparisons, and, or, not, in, + - * / // %, […], if-else and {' '.join(FUNCTIONS)}"
        )
        return DefinitionError(f"the expression {self.text!r} uses {what}, which is not allowed; {allowed}")

    def _all(self, nodes: Sequence[ast.AST]) -> list[Evaluate]:
        return [self.compile(node) for node in nodes]

    def _constant(self, node: ast.Constant) -> Evaluate:
        value = node.value
        if value is not None and not isinstance(value, (str, int, float)):
            raise self._refusal(repr(value))
        _capped(value)
        return lambda values: value

    def _name(self, node: ast.Name) -> Evaluate:
        name = node.id
        self.names.append(name)

        def look_up(values: Mapping[str, Any]) -> Any:
            try:
                return values[name]
            except KeyError:
                raise _Unknown(name) from None

        return look_up

    def _boolop(self, node: ast.BoolOp) -> Evaluate:
        parts = self._all(node.values)
        stop_at = isinstance(node.op, ast.Or)

        def decide(values: Mapping[str, Any]) -> Any:
            result = None
            for part in parts:
                result = part(values)
                if bool(result) is stop_at:
                    break
            return result

        return decide

    def _binop(self, node: ast.BinOp) -> Evaluate:
        act = BINARY.get(type(node.op))
        if act is None:
            raise self._refusal(f"the operator {type(node.op).__name__}")
        left, right = self.compile(node.left), self.compile(node.right)
        return lambda values: act(left(values), right(values))

    def _unaryop(self, node: ast.UnaryOp) -> Evaluate:
        act = UNARY.get(type(node.op))
        if act is None:
            raise self._refusal(f"the operator {type(node.op).__name__}")
        operand = self.compile(node.operand)
        return lambda values: act(operand(values))

    def _compare(self, node: ast.Compare) -> Evaluate:
        left = self.compile(node.left)
        steps = [
            (COMPARE[type(op)], self.compile(right))
            for op, right in zip(node.ops, node.comparators, strict=True)
        ]
        if len(steps) == 1:
            ((act, right),) = steps
            return lambda values: act(left(values), right(values))

        def chain(values: Mapping[str, Any]) -> bool:
            one = left(values)
            for act, right in steps:
                two = right(values)
                if not act(one, two):
                    return False
                one = two
            return True

        return chain

    def _ifexp(self, node: ast.IfExp) -> Evaluate:
        test, yes, no = self._all([node.test, node.body, node.orelse])
        return lambda values: yes(values) if test(values) else no(values)

    def _list(self, node: ast.List) -> Evaluate:
        parts = self._all(node.elts)
        return lambda values: [part(values) for part in parts]

    def _tuple(self, node: ast.Tuple) -> Evaluate:
        parts = self._all(node.elts)
        return lambda values: tuple(part(values) for part in parts)

    def _subscript(self, node: ast.Subscript) -> Evaluate:
        whole, part = self.compile(node.value), self.compile(node.slice)
        return lambda values: whole(values)[part(values)]

    def _slice(self, node: ast.Slice) -> Evaluate:
        ends = [self.compile(end) if end else None for end in (node.lower, node.upper, node.step)]
        return lambda values: slice(*(end(values) if end else None for end in ends))

    def _call(self, node: ast.Call) -> Evaluate:
        if not isinstance(node.func, ast.Name) or node.func.id not in FUNCTIONS:
            raise self._refusal(f"the function {ast.unparse(node.func)}")
        if node.keywords:
            raise self._refusal("a named argument")
        act, arguments = FUNCTIONS[node.func.id], self._all(node.args)
        return lambda values: act(*[_capped(argument(values)) for argument in arguments])
