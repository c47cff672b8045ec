"""Formulas of derived values: four operations over named arrays, with their error; nothing is executed."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from usimg.errors import StudyRefused

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Dual:
    """A value (n,) with its derivative by every term, (n,) each."""

    value: FloatArray
    by: Mapping[str, FloatArray]


def names_of(formula: str) -> set[str]:
    """Terms that a formula names; raises `StudyRefused` when it is none."""
    return {node.id for node in ast.walk(_parsed(formula)) if isinstance(node, ast.Name)}


def evaluate(
    formula: str, terms: Mapping[str, FloatArray], errors: Mapping[str, FloatArray]
) -> tuple[FloatArray, FloatArray]:
    """Value and standard error of a formula.

    Parameters
    ----------
    formula : str
        ``+ - * /``, brackets, names, numbers.
    terms, errors : mapping of str to (n,) arrays
        Values and standard errors of the terms; NaN where missing.

    Returns
    -------
    value, error : (n,) arrays
        The error to first order, sqrt(sum((df/dx * error of x)^2)), errors of the terms independent
        (JCGM 100:2008, 5.1.2).

    Examples
    --------
    >>> value, error = evaluate("a / b", {"a": np.array([6.0]), "b": np.array([3.0])},
    ...                         {"a": np.array([0.6]), "b": np.array([0.0])})
    >>> value.tolist(), error.round(6).tolist()
    ([2.0], [0.2])
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        result = _value(_parsed(formula), terms)
        variance = sum((result.by[name] * errors[name]) ** 2 for name in result.by)
        return result.value, np.sqrt(np.asarray(variance, dtype=np.float64))


def _parsed(formula: str) -> ast.expr:
    try:
        tree = ast.parse(formula, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise StudyRefused(f"{formula!r} is no formula; it takes + - * / ( ), names and numbers") from None
    for node in ast.walk(tree):
        if not isinstance(node, _ALLOWED) or (
            isinstance(node, ast.Constant) and type(node.value) not in (int, float)
        ):
            raise StudyRefused(f"{formula!r}: a formula takes + - * / ( ), names and numbers, nothing else")
    return tree


_ALLOWED = (
    *(ast.BinOp, ast.UnaryOp, ast.Name, ast.Load, ast.Constant),
    *(ast.Add, ast.Sub, ast.Mult, ast.Div, ast.USub),
)


def _value(node: ast.expr, terms: Mapping[str, FloatArray]) -> Dual:
    if isinstance(node, ast.Name):
        value = terms[node.id]
        return Dual(value, {node.id: np.ones_like(value)})
    if isinstance(node, ast.UnaryOp):
        held = _value(node.operand, terms)
        return Dual(-held.value, {name: -slope for name, slope in held.by.items()})
    if isinstance(node, ast.BinOp):
        return _of_two(node.op, _value(node.left, terms), _value(node.right, terms))
    n = len(next(iter(terms.values())))
    return Dual(np.full(n, float(ast.literal_eval(node))), {})


def _of_two(op: ast.operator, a: Dual, b: Dual) -> Dual:
    if isinstance(op, ast.Add):
        return _joined(a, b, a.value + b.value, 1.0, 1.0)
    if isinstance(op, ast.Sub):
        return _joined(a, b, a.value - b.value, 1.0, -1.0)
    if isinstance(op, ast.Mult):
        return _joined(a, b, a.value * b.value, b.value, a.value)
    return _joined(a, b, a.value / b.value, 1.0 / b.value, -a.value / b.value**2)


def _joined(a: Dual, b: Dual, value: FloatArray, by_a: FloatArray | float, by_b: FloatArray | float) -> Dual:
    slopes = {name: slope * by_a for name, slope in a.by.items()}
    for name, slope in b.by.items():
        slopes[name] = slopes.get(name, np.zeros_like(value)) + slope * by_b
    return Dual(value, slopes)
