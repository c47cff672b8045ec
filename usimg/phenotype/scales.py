"""Clinical scales of ALS from the 12 items of the ALSFRS-R: totals, slope since onset, stages.

Sources: Cedarbaum and others 1999 (ALSFRS-R); King's stages as derived by Balendra and others 2014; MiToS
domains as in the printed table of Chiò and others 2015, where communication needs speech *and* writing.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from usimg.errors import StudyRefused

ITEMS = (*(f"alsfrs_r_q{i}" for i in (1, 2, 3, 4)), "alsfrs_r_q5", *(f"alsfrs_r_q{i}" for i in range(6, 13)))
# Cutting food without and with gastrostomy: exactly one is filled, and counts as item 5.
FIVE = ("alsfrs_r_q5a", "alsfrs_r_q5b")
_BULBAR, _FINE, _GROSS, _BREATHING = (1, 2, 3), (4, 5, 6), (7, 8, 9), (10, 11, 12)
BEST = 48.0


def scored(clinical: pd.DataFrame) -> pd.DataFrame:
    """Totals, slope and stages of each row that has the items; columns already there are kept.

    Parameters
    ----------
    clinical : DataFrame
        Items ``alsfrs_r_q1`` to ``alsfrs_r_q12`` (0 to 4; ``q5``, or one of ``q5a`` and ``q5b``),
        ``months_since_onset``, ``gastrostomy`` (0 or 1), as far as known.

    Returns
    -------
    DataFrame
        With ``alsfrs_r`` (0 to 48), ``alsfrs_r_bulbar``, ``alsfrs_r_fine_motor``, ``alsfrs_r_gross_motor``,
        ``alsfrs_r_respiratory`` (0 to 12 each), ``alsfrs_r_motor`` (0 to 24), ``delta_fs`` (points a month),
        ``kings_stage`` (1 to 4), ``mitos_stage`` (0 to 4). A missing item leaves what needs it missing.

    Raises
    ------
    StudyRefused
        An item outside 0 to 4, or both forms of item 5 of one patient.
    """
    found: dict[str, pd.Series] = {}
    items = _items(clinical)
    if items is not None:
        found["alsfrs_r"] = items.sum(axis=1, skipna=False)
        for name, numbers in (
            ("bulbar", _BULBAR),
            ("fine_motor", _FINE),
            ("gross_motor", _GROSS),
            ("motor", (*_FINE, *_GROSS)),
            ("respiratory", _BREATHING),
        ):
            found[f"alsfrs_r_{name}"] = items[list(numbers)].sum(axis=1, skipna=False)
        found["kings_stage"] = kings_stage(items, _gastrostomy(clinical))
        found["mitos_stage"] = mitos_stage(items)
    made = clinical.assign(**{name: column for name, column in found.items() if name not in clinical})
    if "alsfrs_r" in made and "months_since_onset" in made and "delta_fs" not in made:
        total, months = (pd.to_numeric(made[n], errors="coerce") for n in ("alsfrs_r", "months_since_onset"))
        # An onset on the day of the visit gives no slope.
        made = made.assign(delta_fs=(BEST - total) / months.where(months > 0))
    return made


def kings_stage(items: pd.DataFrame, gastrostomy: pd.Series) -> pd.Series:
    """King's stage, 1 to 4.

    4 with gastrostomy or needed ventilation (item 10 is 0, or item 12 below 4); else the number of regions
    involved: bulbar (items 1 to 3), upper limb (4 or 5), lower limb (8). Nobody involved counts as 1, as in
    published code: the disease is there.

    Parameters
    ----------
    items : DataFrame
        Columns 1 to 12.
    gastrostomy : Series of bool
    """
    regions = (
        (items[[1, 2, 3]] < 4).any(axis=1).astype(float) + (items[[4, 5]] < 4).any(axis=1) + (items[8] < 4)
    )
    stage = regions.clip(lower=1)
    stage[gastrostomy | (items[10] == 0) | (items[12] < 4)] = 4.0
    needed = items[[1, 2, 3, 4, 5, 8, 10, 12]].notna().all(axis=1)
    return stage.where(needed)


def mitos_stage(items: pd.DataFrame) -> pd.Series:
    """MiToS stage, 0 to 4: domains lost.

    Movement (walking at most 1 or dressing at most 1), swallowing (at most 1), communication (speech *and*
    handwriting at most 1), breathing (dyspnoea at most 1 or respiratory insufficiency at most 2).

    Parameters
    ----------
    items : DataFrame
        Columns 1 to 12.
    """
    lost = (
        ((items[8] <= 1) | (items[6] <= 1)).astype(float)
        + (items[3] <= 1)
        + ((items[1] <= 1) & (items[4] <= 1))
        + ((items[10] <= 1) | (items[12] <= 2))
    )
    return lost.where(items[[1, 3, 4, 6, 8, 10, 12]].notna().all(axis=1))


def _items(clinical: pd.DataFrame) -> pd.DataFrame | None:
    """The items as columns 1 to 12; None where the table has none."""
    table = clinical
    if "alsfrs_r_q5" not in table and set(FIVE) & set(table.columns):
        a, b = (_number(table, name) for name in FIVE)
        both = a.notna() & b.notna()
        if both.any():
            raise StudyRefused(
                f"clinical table: {both.idxmax()} has both alsfrs_r_q5a and alsfrs_r_q5b; fill the one that"
                " applies (5b with gastrostomy)"
            )
        table = table.assign(alsfrs_r_q5=a.fillna(b))
    if not set(ITEMS) & set(table.columns):
        return None
    items = pd.DataFrame({i: _number(table, name) for i, name in enumerate(ITEMS, 1)}, index=table.index)
    wrong = items.notna() & ~items.isin([0, 1, 2, 3, 4])
    if wrong.to_numpy().any():
        row, column = np.argwhere(wrong.to_numpy())[0]
        raise StudyRefused(
            f"clinical table, column {ITEMS[column]}: {items.iloc[row, column]:g} of {items.index[row]} is no"
            " score; an item of the ALSFRS-R is 0, 1, 2, 3 or 4"
        )
    return items


def _gastrostomy(clinical: pd.DataFrame) -> pd.Series:
    """Who is fed through a tube: said so, or item 5b is filled."""
    return (_number(clinical, "gastrostomy") > 0) | _number(clinical, "alsfrs_r_q5b").notna()


def _number(table: pd.DataFrame, name: str) -> pd.Series:
    if name not in table:
        return pd.Series(np.nan, index=table.index)
    return pd.to_numeric(table[name], errors="coerce")
