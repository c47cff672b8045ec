"""``usimg cluster``: patients in parts along severity, and what that does and does not show."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from usimg.cli.screen import complain, print_json, say
from usimg.errors import StudyRefused

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from usimg.phenotype import Phenotypes

# Patients of a part, and names left out for one reason, that the console lists before it counts.
LISTED = 12
NAMED = 3


def cluster(
    table: Annotated[Path, typer.Argument(exists=True, help="A study, or a CSV with a row per patient.")],
    *,
    clinical: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="CSV by subject: device, sex, site, age, alsfrs_r, ..."
        ),
    ] = None,
    assume_unconfounded: Annotated[
        bool,
        typer.Option("--assume-unconfounded", help="Claim groups although device or sex were not checked."),
    ] = False,
    visit: Annotated[str, typer.Option(help="Which visit, where patients have several.")] = "",
    include_unvalidated: Annotated[
        bool, typer.Option("--include-unvalidated", help="Take outlines that nobody validated too.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Folder for the page and the labels.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Split patients by their measurements, and say whether they form groups or a continuum.

    Example: usimg cluster my_study --clinical clinical.csv --out phenotypes
    """
    from usimg.phenotype import cluster as split

    patients = _patients(table, visit, include_unvalidated=include_unvalidated)
    features, roles = _features(patients)
    facts = _clinical(clinical) if clinical is not None else None
    result = split(features, facts, roles=roles, assume_unconfounded=assume_unconfounded)
    page = _write(result, out, _command(clinical, assume=assume_unconfounded)) if out is not None else None
    if as_json:
        print_json(_as_json(result, page))
    else:
        _show(result, page)


def _patients(path: Path, visit: str, *, include_unvalidated: bool) -> pd.DataFrame:
    """One row per patient, by subject."""
    if path.is_dir():
        from usimg.study import Study

        rows = Study.open(path).wide(include_unvalidated=include_unvalidated)
        if rows.empty:
            raise StudyRefused(
                f"{path}: no patient has a value that counts; accept outlines (usimg review {path}),"
                " or take those that nobody validated with --include-unvalidated"
            )
    else:
        rows = _read(path)
    if "visit" in rows:
        visits = sorted(set(rows["visit"].astype(str)))
        if visit:
            rows = rows[rows["visit"].astype(str) == visit]
        elif rows["subject"].duplicated().any():
            raise StudyRefused(f"patients have several visits ({', '.join(visits)}); choose one with --visit")
        rows = rows.drop(columns="visit")
    return rows.set_index("subject")


def _read(path: Path) -> pd.DataFrame:
    import pandas as pd

    from usimg.study.delimited import number, read_rows

    rows = [row for _, row in read_rows(path, required=("subject",))]
    table = pd.DataFrame(rows)
    for name in table.columns.difference(["subject", "visit"]):
        try:
            table[name] = [number(text) if text else float("nan") for text in table[name]]
        except ValueError as error:
            raise StudyRefused(f"{path.name}, column {name}: {error}") from None
    return table


def _clinical(path: Path) -> pd.DataFrame:
    """What people know of each patient, by subject; columns of numbers as numbers."""
    import pandas as pd

    from usimg.study.delimited import number, read_rows

    table = pd.DataFrame([row for _, row in read_rows(path, required=("subject",))])
    table = table.replace("", None).set_index("subject")
    for name in table.columns:
        try:
            table[name] = [float("nan") if text is None else number(text) for text in table[name]]
        except ValueError:
            continue  # words: a device, a sex
    return table


def _features(patients: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, str] | None]:
    """The columns whose role is known; a table without any is taken as it is.

    Echo intensity over the whole outline is left out where the protocol's region gave one: two
    nearly equal columns would count the same thing twice.
    """
    from usimg.phenotype import columns_with_role

    roles = columns_with_role(patients.columns)
    if not roles:
        return patients, None
    twice = [name for name in roles if f"{name}_protocol" in roles]
    return patients[[name for name in roles if name not in twice]], None


def _command(clinical: Path | None, *, assume: bool) -> str:
    """What was typed, without paths: they may name patients."""
    given = [" --clinical CLINICAL"] if clinical is not None else []
    return "usimg cluster TABLE" + "".join(given) + (" --assume-unconfounded" if assume else "")


def _write(result: Phenotypes, folder: Path, command: str) -> Path:
    from usimg.study.delimited import write_rows

    folder.mkdir(parents=True, exist_ok=True)
    columns = (result.parts, result.severity, result.stability, result.label_supported)
    rows = [
        (str(patient), part, float(severity), float(stable), "yes" if supported else "no")
        for patient, part, severity, stable, supported in zip(result.labels.index, *columns, strict=True)
    ]
    header = ("subject", "part", "severity_sd", "stability", "part_supported")
    write_rows(folder / "labels.csv", header, rows)
    return result.report(folder / "phenotypes.html", command=command)


def _show(result: Phenotypes, page: Path | None) -> None:
    say(f"{len(result.labels)} patients, {len(result.roles)} features")
    say(result.claim, "bold")
    say(result.reason)
    say(f"k = {result.n_parts}, silhouette {result.silhouette:.2f}, {result.borderline.sum()} borderline")
    for part in result.part_words:
        members = result.parts.index[result.parts == part]
        listed = ", ".join(map(str, members[:LISTED]))
        more = f" and {len(members) - LISTED} more" if len(members) > LISTED else ""
        say(f"  {part} ({len(members)}): {listed}{more}")
    for name, outcome in result.checks.items():
        say(f"  {name}: {outcome}")
    for note in result.notes:
        say(note)
    for kind, left_out in (("patient", result.excluded), ("feature", result.dropped)):
        for why, names in _by_reason(left_out).items():
            complain(f"{_counted(kind, names)} left out: {why}", "yellow")
    if page is not None:
        say(f"page     {page}", "bold")


def _by_reason(left_out: Mapping[Any, str]) -> dict[str, list[str]]:
    """Names by why they were left out, the most frequent reason first."""
    reasons: dict[str, list[str]] = {}
    for name, why in left_out.items():
        reasons.setdefault(why, []).append(str(name))
    return dict(sorted(reasons.items(), key=lambda item: -len(item[1])))


def _counted(kind: str, names: list[str]) -> str:
    listed = ", ".join(names[:NAMED])
    if len(names) == 1:
        return f"{kind} {listed}"
    return f"{len(names)} {kind}s ({listed}{', ...' if len(names) > NAMED else ''})"


def _as_json(result: Phenotypes, page: Path | None) -> dict[str, Any]:
    return {
        "k": result.k,
        "parts": result.n_parts,
        "p_value": result.p_value,
        "silhouette": result.silhouette,
        "claim": result.claim,
        "reason": result.reason,
        "labels": {str(k): v for k, v in result.labels.items()},
        "severity_sd": {str(k): float(v) for k, v in result.severity.items()},
        "stability": {str(k): float(v) for k, v in result.stability.items()},
        "label_supported": {str(k): bool(v) for k, v in result.label_supported.items()},
        "checks": result.checks,
        "excluded": {str(k): v for k, v in result.excluded.items()},
        "dropped": result.dropped,
        "features": result.roles,
        "page": str(page) if page is not None else None,
    }
