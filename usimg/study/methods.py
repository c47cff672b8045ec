"""Which method's automatic rows hold: a study never mixes two silently.

A method is the segmenter with its version and the usimg that measured, as ``"classical 1 / usimg 0.1.0"``.
The one that the study began with holds until a person chooses another; rows of others lie beside it,
to be compared, and count for nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from usimg.study.decisions import Decision

SEPARATOR = " / usimg "


def method_name(segmenter: str, usimg_version: str) -> str:
    """One name for who outlined and who measured.

    >>> method_name("classical 1", "0.1.0")
    'classical 1 / usimg 0.1.0'
    """
    return f"{segmenter}{SEPARATOR}{usimg_version}"


def made_by(rows: pd.DataFrame) -> pd.Series[str]:
    """Name of the method of each automatic row."""
    segmenter, version = rows["method"].fillna("").astype(str), rows["usimg_version"].fillna("").astype(str)
    return segmenter + SEPARATOR + version


def methods_of(automatic: pd.DataFrame) -> list[str]:
    """All methods of a study's automatic rows, the one that it began with first."""
    if automatic.empty:
        return []
    known = automatic[automatic["method"].fillna("") != ""]
    order = known[["generation", "run"]].assign(made_by=made_by(known))
    order = order.sort_values(["generation", "run", "made_by"], kind="stable")
    return [str(name) for name in order["made_by"].drop_duplicates()]


def method_that_holds(methods: list[str], decisions: Iterable[Decision]) -> tuple[str, list[str]]:
    """The method whose rows hold, and what had to be settled otherwise, in words.

    Parameters
    ----------
    methods : list of str
        What `methods_of` found.
    decisions : iterable of Decision
        What stands of the kinds beside outlines; those of kind ``choose`` are looked at.
    """
    first = methods[0] if methods else ""
    choices = [decision for decision in decisions if decision.kind == "choose"]
    named = {parent for choice in choices for parent in choice.parents}
    chosen = sorted({str(choice.content["method"]) for choice in choices if choice.id not in named})
    if not chosen:
        return first, []
    if len(chosen) > 1:
        return first, [
            f"two choices of a method disagree ({', '.join(chosen)}); {first} holds until one is made"
        ]
    if chosen[0] not in methods:
        return first, [f"the chosen method {chosen[0]} has no rows in this study; {first} holds"]
    return chosen[0], []
