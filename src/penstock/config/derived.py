"""The types of derived fields, as far as their expressions determine them."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from penstock.units import Expression

RESULTS = {
    "int": "int", "len": "int", "float": "float", "str": "str", "upper": "str", "lower": "str", "strip": "str",
    "replace": "str", "startswith": "bool", "endswith": "bool",
}  # fmt: skip


def type_of(expression: Expression, types: Mapping[str, str]) -> str | None:
    """Return the type that `expression` gives over fields of these types; None when it depends."""
    return _type(ast.parse(expression.text.strip(), mode="eval").body, types)


def _type(node: ast.expr, types: Mapping[str, str]) -> str | None:
    match node:
        case ast.Call(func=ast.Name(id=name)):
            return RESULTS.get(name)
        case ast.Name(id=name):
            return types.get(name)
        case ast.Constant(value=bool()):
            return "bool"
        case ast.Constant(value=str() | int() | float() as value):
            return type(value).__name__
        case ast.Compare() | ast.UnaryOp(op=ast.Not()):
            return "bool"
        case ast.Subscript(value=whole):  # a time is text here, too
            return "str" if _type(whole, types) in ("str", "datetime") else None
        case ast.IfExp(body=body, orelse=other):
            return _same(_type(body, types), _type(other, types))
        case ast.BinOp(
            left=left, op=ast.Add() | ast.Sub() | ast.Mult() | ast.FloorDiv() | ast.Mod(), right=right
        ):
            return _same(_type(left, types), _type(right, types))
        case _:
            return None


def _same(one: str | None, other: str | None) -> str | None:
    return one if one == other and one != "datetime" else None
