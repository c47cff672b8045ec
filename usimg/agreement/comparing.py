"""One set of statistics for every comparison: readers, repeats, sessions, operators, methods, versions."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from usimg.agreement import icc
from usimg.agreement.bland_altman import Limits, limits
from usimg.agreement.components import Model, components, mdc95, model_of
from usimg.agreement.icc import Interval, MeanSquares
from usimg.agreement.result import Agreement, Close, Error, Estimate, Level, Plan
from usimg.agreement.table import BETWEEN, FEWEST, REREAD, Comparison, Excluded, comparisons, natural, tidy

FloatArray = NDArray[np.float64]
# Two values of one thing are called close within this share of their mean (chosen here, for comparing
# failures with and without; it enters no other number).
CLOSE = 0.10
# Ways to measure that are laid side by side: sessions, images in each, readers.
PLANS = [(s, m, r) for s in (1, 2) for m in (1, 2, 3, 5) for r in (1, 2)]
_NONE = Interval(float("nan"))


def compare(table: pd.DataFrame, between: str = "readers") -> Agreement:
    """Agreement between readers, repeats, sessions, operators, methods or versions.

    Parameters
    ----------
    table : DataFrame
        One row per value, columns as `usimg.agreement.table` says; at least ``subject``, ``measure``,
        ``value`` and the column that tells the levels apart.
    between : str
        ``readers``, ``readings``, ``repeats``, ``sessions``, ``operators``, ``methods`` or ``versions``.

    Returns
    -------
    Agreement
        An estimate per structure, site, side and measure, and what was left out with its reason.

    Raises
    ------
    StudyRefused
        The table lacks a column, or holds one measurement twice.

    Examples
    --------
    >>> from usimg.simulate import reader_study
    >>> found = compare(reader_study(patients=20, readers=2, seed=1).table, "readers")
    >>> sorted(found.estimates[0].icc)
    ['ICC(2,1)', 'ICC(2,k)', 'ICC(3,1)']
    """
    found, left_out = comparisons(tidy(table), between)
    estimates: list[Estimate] = []
    for one in found:
        measured = one.rows[one.rows["value"].notna() & (one.rows[BETWEEN[between]] != "")]
        marked = measured["failed"] == "yes"
        variants = (
            [("counted", measured), ("left out", measured[~marked])] if marked.any() else [("", measured)]
        )
        for failures, rows in variants:
            made = _estimate(one, failures, rows)
            if isinstance(made, Estimate):
                estimates.append(made)
            else:
                left_out.append(made)
    return Agreement(between, estimates, excluded=left_out)


def _estimate(one: Comparison, failures: str, rows: pd.DataFrame) -> Estimate | Excluded:
    wide = _wide(one, rows)
    enough = wide.columns[wide.notna().groupby(level="subject").any().mean() >= 0.5]
    complete = wide[enough].dropna().groupby(level="subject").mean()
    pairs = _pairs(wide)
    if not pairs:
        return Excluded(one.name, f"fewer than {FEWEST} patients have values of the same two {one.between}")
    notes = [
        f"{level}: fewer than half of the patients, not in the ICC"
        for level in wide.columns.difference(enough)
    ]
    ms: MeanSquares | None = None
    if len(complete) >= FEWEST and len(enough) > 1:
        ms = icc.mean_squares(complete.to_numpy(dtype=np.float64))
    else:
        notes.append(f"no ICC: fewer than {FEWEST} patients have a value of every one of the {one.between}")
    if ms is not None and ms.identical:
        notes.append("all values agree exactly: ICC 1 by definition, without an interval")
    model = model_of(rows)
    if isinstance(model, str):
        notes.append(model)
    parts = components(rows)
    images = _images(one, rows)
    return Estimate(
        comparison=one,
        failures=failures,
        patients=len(complete),
        incomplete=rows["subject"].nunique() - len(complete),
        images=_of_images(one, wide, images),
        mean=float(rows["value"].mean()),
        between_sd=ms.between_sd if ms is not None else float("nan"),
        icc=_iccs(ms),
        errors=_errors(one, model, images, ms, _per_cell(wide)),
        components=[] if isinstance(parts, str) else parts,
        plans=[] if isinstance(model, str) else _plans(model),
        pairs=pairs,
        levels=_levels(one),
        close=_close(wide, one),
        notes=notes + _beware(one, pairs),
    )


def _wide(one: Comparison, rows: pd.DataFrame) -> pd.DataFrame:
    """Values by level: a row per picture where pictures were read again, else a row per patient."""
    column = BETWEEN[one.between]
    index = ["subject"]
    if one.between in REREAD:
        index += ["session", "operator", "repeat"]
        if one.between != "readings":
            # Of a picture that somebody read twice the first reading; the mean of two would err less.
            rank = {name: n for n, name in enumerate(sorted(set(rows["reading"]), key=natural))}
            order = rows["reading"].map(rank)
            who = [rows[name] for name in (*index, "reader", "method", "version")]
            rows = rows[order == order.groupby(who).transform("min")]
    elif one.between == "repeats":
        # The first capture of two sessions has nothing in common but its number.
        first = {s: min(set(of), key=natural) for s, of in rows.groupby("subject")["session"]}
        rows = rows[rows["session"] == rows["subject"].map(first)]
    wide = rows.pivot_table("value", index, column, aggfunc="mean")
    return wide[sorted(wide.columns, key=natural)]


def _pairs(wide: pd.DataFrame) -> list[Limits]:
    found = []
    for first, second in combinations(wide.columns, 2):
        both = wide[[first, second]].dropna()
        patient = pd.factorize(both.index.get_level_values("subject"))[0]
        if len(set(patient)) >= FEWEST:
            values = both.to_numpy(dtype=np.float64)
            found.append(limits(values[:, 0], values[:, 1], patient, (str(first), str(second))))
    return found


def _iccs(ms: MeanSquares | None) -> dict[str, Interval]:
    if ms is None:
        return dict.fromkeys(("ICC(2,1)", "ICC(2,k)", "ICC(3,1)"), _NONE)
    return {
        "ICC(2,1)": icc.icc_agreement(ms),
        "ICC(2,k)": icc.icc_agreement_of_mean(ms),
        "ICC(3,1)": icc.icc_consistency(ms),
    }


def _images(one: Comparison, rows: pd.DataFrame) -> int:
    """How many images of a session a value is usually the mean of."""
    per = rows.groupby(["subject", "session", "operator"])["repeat"].nunique()
    return 1 if one.between == "repeats" else max(1, round(float(per.median())))


def _per_cell(wide: pd.DataFrame) -> int:
    """Pictures of a patient that every level has, in the middle."""
    return (
        max(1, round(float(wide.dropna().groupby(level="subject").size().median())))
        if len(wide.dropna())
        else 1
    )


def _of_images(one: Comparison, wide: pd.DataFrame, images: int) -> str:
    number = _per_cell(wide) if one.between in REREAD else images
    return "one image" if number == 1 else f"mean of {number} images"


def _errors(
    one: Comparison, model: Model | str, images: int, ms: MeanSquares | None, pictures: int
) -> list[Error]:
    """Every error that this design can tell, the one of what was compared first."""
    if isinstance(model, str):
        return []
    present = {name for part in model.parts for name in part}
    found: list[Error] = []
    for m in sorted({1, images, pictures if one.between in REREAD else images}):
        for kind, share in _kinds(one, present, m).items():
            if m == pictures > images and "re-scan" in kind:
                continue  # those pictures are of several sessions
            sem = model.sem(**share)
            if isinstance(sem, str):
                found.append(Error(kind, m, _NONE, _NONE, reason=sem))
                continue
            others = (float("nan"), float("nan"))
            if kind == "re-reading" and one.between == "readers" and m == pictures and ms is not None:
                low, high = icc.sem_of_any_reader(ms)
                others = (mdc95(Interval(low)).value, mdc95(Interval(high)).value)
            found.append(Error(kind, m, sem, mdc95(sem), others))
    order = list(dict.fromkeys(error.kind for error in found))
    return sorted(found, key=lambda error: (order.index(error.kind), error.images))


def _kinds(one: Comparison, present: set[str], m: int) -> dict[str, dict[str, float]]:
    """Kind of error -> the parts of the variance in it. Only what belongs to one image is divided by m."""
    reread = {"readers": "reader", "methods": "method", "versions": "version"}.get(one.between)
    kinds: dict[str, dict[str, float]] = {}
    if reread is not None:
        kinds["re-reading" if reread == "reader" else f"another {reread}"] = {reread: 1.0, "rest": 1 / m}
    elif one.between == "readings":
        kinds["re-reading, same reader"] = {"rest": 1 / m}
    elif one.between == "repeats" and m == 1:
        kinds["another image, same session"] = {"image": 1.0, "rest": 1.0}
    if one.between == "operators":
        scan = {"session": 1.0} if "session" in present else {}
        kinds["re-scan, another operator"] = {"operator": 1.0, **scan, "image": 1 / m, "rest": 1 / m}
    if "session" in present or m == 1:
        kinds["re-scan, sessions"] = {"session": 1.0, "image": 1 / m, "rest": 1 / m}
    return kinds


def _plans(model: Model) -> list[Plan]:
    """Error of each way to measure that the design can tell, the parts that it lacks left out."""
    present = {name for part in model.parts for name in part}
    found: list[Plan] = []
    for sessions, m, readers in PLANS:
        if (
            (sessions > 1 and "session" not in present)
            or (m > 1 and "image" not in present)
            or (readers > 1 and "reader" not in present)
        ):
            continue
        shares = {
            "session": 1 / sessions,
            "operator": 1.0,
            "image": 1 / (sessions * m),
            "reader": 1 / readers,
            "method": 1.0,
            "version": 1.0,
            "rest": 1 / (sessions * m * readers),
        }
        sem = model.sem(**{name: value for name, value in shares.items() if name in present})
        if not isinstance(sem, str):
            found.append(Plan(sessions, m, readers, sem, mdc95(sem)))
    return found if len(found) > 1 else []


def _levels(one: Comparison) -> list[Level]:
    made = []
    for level in one.levels:
        rows = one.rows[one.rows[BETWEEN[one.between]] == level]
        values = rows["value"].notna()
        known = rows[rows["edited"] != ""]
        unedited = float((known["edited"] == "no").mean()) if len(known) else float("nan")
        marked = int((values & (rows["failed"] == "yes")).sum())
        made.append(Level(level, int(values.sum()), int((~values).sum()), marked, unedited))
    return made


def _close(wide: pd.DataFrame, one: Comparison) -> Close:
    """Pairs of one picture (or patient), each two levels."""
    asked = one.rows[one.rows[BETWEEN[one.between]] != ""]
    names = [name for name in wide.index.names if name]
    tried = asked.pivot_table("failed", names, BETWEEN[one.between], aggfunc="size")
    tried = tried.reindex(columns=wide.columns)
    near = pairs = failures = 0
    for first, second in combinations(wide.columns, 2):
        both = wide[[first, second]].dropna().to_numpy(dtype=np.float64)
        middle = np.abs(both.mean(axis=1))
        near += int((np.abs(both[:, 0] - both[:, 1]) <= CLOSE * middle).sum())
        pairs += len(both)
        failures += int(tried[[first, second]].notna().all(axis=1).sum()) - len(both)
    failures = max(0, failures)
    everything = pairs + failures
    return Close(
        near / pairs if pairs else float("nan"),
        near / everything if everything else float("nan"),
        pairs,
        failures,
    )


def _beware(one: Comparison, pairs: list[Limits]) -> list[str]:
    """What a reader of the numbers has to know."""
    said: list[str] = []
    if one.start == "automatic":
        zeros = np.concatenate([pair.differences for pair in pairs]) == 0
        exact = f"; {zeros.mean():.0%} of the differences are exact zeros" if zeros.any() else ""
        said.append(
            "the readers started from one automatic outline, so they are not independent: this is not the"
            f" agreement of two people who draw{exact}"
        )
    biased = [pair for pair in pairs if pair.proportional]
    if biased:
        names = ", ".join(f"{pair.first} and {pair.second}" for pair in biased)
        said.append(
            f"the difference changes with the size of the value ({names}): one pair of limits does not"
            " hold from the smallest to the largest"
        )
    return said
