"""What a clustering leaves in a folder: the page, labels, figures, tables with their n, and the model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from usimg.errors import StudyRefused
from usimg.phenotype.figures import figures, save
from usimg.phenotype.page import Beside, write
from usimg.phenotype.profile import profile
from usimg.phenotype.result import Phenotypes
from usimg.study.delimited import write_rows

Rows = tuple[Sequence[str], Sequence[Sequence[Any]]]


def write_folder(result: Phenotypes, folder: Path, beside: Beside, command: str) -> Path:
    """Write everything and return the page.

    ``phenotypes.html``, ``labels.csv``, ``model.json`` (where one can be saved), ``figures/*.svg`` and
    ``*.png``, ``tables/*.csv``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    columns = (result.parts, result.severity, result.mean_z, result.stability, result.label_supported)
    rows = [
        (str(who), part, severity, z, stable, "yes" if supported else "no", _whole(result, who))
        for who, part, severity, z, stable, supported in zip(result.labels.index, *columns, strict=True)
    ]
    header = ("subject", "part", "severity_sd", "mean_z", "stability", "part_supported", "features")
    write_rows(folder / "labels.csv", header, rows)
    try:
        result.save(folder / "model.json")
    except StudyRefused:
        (folder / "model.json").unlink(missing_ok=True)  # an earlier one would be of other features
    for name, (figure, _) in figures(result, beside).items():
        save(figure, folder / "figures", name)
    (folder / "tables").mkdir(exist_ok=True)
    for name, (names, lines) in _tables(result, beside):
        if lines:
            write_rows(folder / "tables" / f"{name}.csv", names, lines)
    return write(result, folder / "phenotypes.html", command, beside)


def _whole(result: Phenotypes, patient: object) -> str:
    return "imputed" if patient in result.incomplete.index else "complete"


def _tables(result: Phenotypes, beside: Beside) -> Iterator[tuple[str, Rows]]:
    n = len(result.standardised)
    yield "checks", (("check", "outcome", "n"), [(*check, n) for check in result.checks.items()])
    yield (
        "flow",
        (("step", "left_out", "n"), [(step.what, step.gone, step.left) for step in beside.flow]),
    )
    yield (
        "profile",
        (
            ("feature", "role", "n", *result.part_words, "hedges_g", "low", "high"),
            [(row.name, row.role, n, *row.means, row.g, *row.g_interval) for row in profile(result)],
        ),
    )
    yield (
        "confounders",
        (
            ("factor", "level", "n", "share_in_upper_part", "effect", "permutation_p", "dip_p_within"),
            [
                (f.name, level.name, level.n, level.upper_share, f.effect, f.permutation_p, f.within_p)
                for f in result.tests.confounders
                for level in f.levels
            ],
        ),
    )
    if result.evidence is not None:
        names = ("k", "n", "silhouette", "gap", "gap_error", "prediction_strength", "ari", "jaccard")
        sweep = result.evidence.sweep
        lines: list[Sequence[Any]] = [
            (r.k, n, r.silhouette, r.gap, r.gap_error, r.prediction_strength, r.ari, _list(r.jaccard))
            for r in sweep
        ]
        yield "parts", (names, lines)
        power = result.evidence.power
        seen = [(power.n, power.share, d, share) for d, share in power.seen.items()]
        yield "power", (("n", "share", "distance_sd", "seen"), seen)
    yield "outcomes", _outcomes(beside)
    if result.missingness is not None:
        patterns = [(p.patients, "; ".join(p.features)) for p in result.missingness.patterns]
        yield "missing_patterns", (("n", "features"), patterns)
    if beside.corrections is not None:
        found = beside.corrections
        names = ("feature", "state", "least_severe", "middle", "most_severe", "n_least", "n_middle", "n_most")
        shares: list[Sequence[Any]] = [
            (feature.feature, state, *thirds, *found.n)
            for feature in found.features
            for state, thirds in feature.shares.items()
        ]
        yield "corrections", (names, shares)
    yield (
        "other_values",
        (
            ("with", "n", "claim", "moved", "compared", "without_label"),
            [(r.what, r.n, r.claim, r.moved, r.compared, r.without_label) for r in beside.reruns],
        ),
    )
    runs = {"left_out": beside.left_out, "specifications": beside.curve.runs if beside.curve else ()}
    for name, specifications in runs.items():
        if specifications:
            keys = list(specifications[0].choices)
            head = (*keys, "n", "features", "claim", "p", "ari", "moved", "compared", "why_not_run")
            made: list[Sequence[Any]] = [
                (
                    *(s.choices[key] for key in keys),
                    *(s.n, s.features, s.claim, s.p_value, s.agreement, s.moved, s.compared, s.why),
                )
                for s in specifications
            ]
            yield name, (head, made)
    for name, table in (
        ("change", beside.change.table if beside.change else None),
        ("later_visits", beside.later),
    ):
        if table is not None:
            yield name, _frame(table)


def _outcomes(beside: Beside) -> Rows:
    names = ["outcome", "model", "n", "adjusted_for"]
    parts = ("estimate", "low", "high", "p", "q")
    names += [f"{which}_{part}" for which in ("part", "severity") for part in parts]
    lines: list[Sequence[Any]] = [
        (
            *(row.outcome, row.kind, row.n, "; ".join(row.adjusted_for)),
            *(getattr(getattr(row, which), part) for which in ("part", "severity") for part in parts),
            *(row.aic[which] for which in ("part", "severity", "both")),
            "; ".join(row.diagnostics + row.cautions),
        )
        for row in beside.meanings
    ]
    return [*names, "aic_part", "aic_severity", "aic_both", "to_mind"], lines


def _list(values: Sequence[float]) -> str:
    return " ".join(f"{value:.3f}" for value in values)


def _frame(table: pd.DataFrame) -> Rows:
    flat = table.reset_index()
    return list(map(str, flat.columns)), [tuple(row) for row in flat.itertuples(index=False, name=None)]
