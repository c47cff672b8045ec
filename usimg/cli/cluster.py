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
    from usimg.phenotype.analysis import Asked
    from usimg.study import Study

# Patients of a part, and names left out for one reason, that the console lists before it counts.
LISTED = 12
NAMED = 3
_PREPARED, _ROWS, _BESIDE = "Features", "Patients and visits", "Beside the claim"


def cluster(
    table: Annotated[
        Path, typer.Argument(exists=True, help="A study, or a CSV, Excel or Parquet with a row per patient.")
    ],
    *,
    clinical: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="CSV by subject: date, device, sex, age, height_cm, onset, group (control), alsfrs_r_q1 ...,"
            " mmt, cmap_mv.",
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for page, labels, figures, tables, model.")] = None,
    include_unvalidated: Annotated[
        bool, typer.Option("--include-unvalidated", help="Take outlines that nobody validated too.")
    ] = False,
    assume_unconfounded: Annotated[
        bool,
        typer.Option("--assume-unconfounded", help="Claim groups although device or sex were not checked."),
    ] = False,
    visit: Annotated[
        str, typer.Option(help="Which visit; by default each patient's first.", rich_help_panel=_ROWS)
    ] = "",
    sides: Annotated[
        str, typer.Option(help="apart, average, or worst of two.", rich_help_panel=_ROWS)
    ] = "apart",
    window: Annotated[
        int, typer.Option(min=0, help="Days between scan and clinical line.", rich_help_panel=_ROWS)
    ] = 90,
    core: Annotated[
        list[str] | None,
        typer.Option(help="Features to use, by name or with *; repeat it.", rich_help_panel=_PREPARED),
    ] = None,
    echo: Annotated[
        str,
        typer.Option(
            help="Echo intensity of several devices: z (against controls), bridged, centred, or raw.",
            rich_help_panel=_PREPARED,
        ),
    ] = "",
    without_echo: Annotated[
        bool, typer.Option("--without-echo", help="Leave echo intensity out.", rich_help_panel=_PREPARED)
    ] = False,
    assume_equal_case_mix: Annotated[
        bool,
        typer.Option(
            "--assume-equal-case-mix",
            help="Let --echo centred assume that all devices saw equally ill patients.",
            rich_help_panel=_PREPARED,
        ),
    ] = False,
    standardise: Annotated[
        str, typer.Option(help="plain, robust, or controls (z-scores).", rich_help_panel=_PREPARED)
    ] = "plain",
    adjust: Annotated[
        str, typer.Option(help="Adjust features for: age,sex,height.", rich_help_panel=_PREPARED)
    ] = "",
    weights: Annotated[
        str | None,
        typer.Option(
            help='Let each block of features weigh the same: blocks; or e.g. "nerve=0.5".',
            rich_help_panel=_PREPARED,
        ),
    ] = None,
    sensitivity: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="Plan (TOML) of other ways to ask.", rich_help_panel=_BESIDE
        ),
    ] = None,
    change: Annotated[
        str, typer.Option(help="Primary measure to follow over the visits.", rich_help_panel=_BESIDE)
    ] = "",
    error: Annotated[
        float,
        typer.Option(
            help="Its standard error of measurement between sessions (usimg agreement).",
            rich_help_panel=_BESIDE,
        ),
    ] = 0.0,
    assign: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="Place these patients by a saved model.json instead.",
            rich_help_panel=_BESIDE,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of all that is drawn.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Split patients by their measurements, and say whether they form groups or a continuum.

    Example: usimg cluster my_study --clinical clinical.csv --out phenotypes
    """
    from usimg.phenotype.analysis import Asked, analyse
    from usimg.phenotype.clinical import read_clinical
    from usimg.phenotype.preparation import block_weights
    from usimg.phenotype.recipe import Preparation
    from usimg.phenotype.sensitivity import read_plan

    study, rows = _rows(table, include_unvalidated=include_unvalidated)
    facts = read_clinical(clinical) if clinical is not None else None
    asked = Asked(
        preparation=Preparation(
            standardise=standardise,
            adjust=tuple(filter(None, (name.strip() for name in adjust.split(",")))),
            weights=None if weights is None else block_weights("" if weights == "blocks" else weights),
            core=tuple(core or ()),
            echo="without" if without_echo else echo or "raw",
            assume_equal_case_mix=assume_equal_case_mix,
        ),
        echo_chosen=bool(without_echo or echo),
        visit=visit,
        sides=sides,
        window_days=window,
        assume_unconfounded=assume_unconfounded,
        include_unvalidated=include_unvalidated,
        plan=read_plan(sensitivity) if sensitivity is not None else None,
        measure=change,
        error=error,
        random_state=seed,
    )
    if assign is not None:
        _assign(assign, rows, facts, asked, study, out, as_json=as_json)
        return
    whole = out is not None or asked.plan is not None or bool(asked.measure)
    found = analyse(rows, facts, asked, study=study, full=whole)
    page = None
    if out is not None:
        from usimg.phenotype.folder import write_folder

        page = write_folder(found.result, out, found.beside, _command(asked, clinical, sensitivity))
    if as_json:
        print_json(_as_json(found.result, page))
        return
    _show(found.result)
    for said in (found.beside.curve, found.beside.change):
        if said is not None:
            say(said.sentence)
    if page is not None:
        say(f"page     {page}", "bold")


def _rows(path: Path, *, include_unvalidated: bool) -> tuple[Study | None, pd.DataFrame]:
    """Rows by subject and visit; and the study they are from."""
    import pandas as pd

    if path.is_dir():
        from usimg.phenotype.sources import rows_of
        from usimg.study import Study

        study = Study.open(path)
        rows = rows_of(study, include_unvalidated=include_unvalidated)
        if rows.empty:
            raise StudyRefused(
                f"{path}: no patient has a value that counts; accept outlines (usimg review {path}),"
                " or take those that nobody validated with --include-unvalidated"
            )
        return study, rows
    if path.suffix.lower() == ".parquet":
        try:
            rows = pd.read_parquet(path)
        except (OSError, ValueError) as problem:
            raise StudyRefused(f"{path.name} is no Parquet file ({problem})") from None
        rows = rows.reset_index() if "subject" in rows.index.names else rows
        if "subject" not in rows:
            raise StudyRefused(f"{path.name} has no column subject: who is in each row?")
        return None, rows.astype({"subject": str})
    return None, _read(path)


def _read(path: Path) -> pd.DataFrame:
    import pandas as pd

    from usimg.study.delimited import number, read_rows

    lines = list(read_rows(path, required=("subject",)))
    table = pd.DataFrame([row for _, row in lines])
    if table.empty:
        raise StudyRefused(f"{path.name} has no patient: its first line names columns, and nothing follows")
    for name in table.columns.difference(["subject", "visit", "session"]):
        values = []
        for (line, _), text in zip(lines, table[name], strict=True):
            try:
                values.append(number(text) if text else float("nan"))
            except ValueError:
                raise StudyRefused(
                    f"{path.name} line {line}, column {name}: {text!r} is not a number; leave a missing value"
                    " empty, and give device, sex, site and the like in --clinical"
                ) from None
        table[name] = values
    return table


def _assign(
    path: Path,
    rows: pd.DataFrame,
    facts: pd.DataFrame | None,
    asked: Asked,
    study: Study | None,
    out: Path | None,
    *,
    as_json: bool,
) -> None:
    """Place patients by a saved model: at their first visit, or the one that was asked for."""
    from usimg.phenotype.analysis import facts_about
    from usimg.phenotype.model import Model
    from usimg.phenotype.patients import baseline
    from usimg.study.delimited import write_rows

    model = Model.load(path)
    patients = baseline(rows, visit=asked.visit, sides=asked.sides)
    known, _ = facts_about(patients, facts, asked, study=study)
    placed = model.assign(patients.table, known)
    header = ("subject", "part", "severity_sd", "distance", "far", "reason")
    lines = [
        (str(subject), *row)
        for subject, row in zip(placed.index, placed.itertuples(index=False), strict=True)
    ]
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        write_rows(out / "assigned.csv", header, lines)
    if as_json:
        whole = placed.astype(object).where(placed.notna(), None)
        print_json({str(subject): row.to_dict() for subject, row in whole.iterrows()})
        return
    say(f"{len(placed)} patients placed by a model of {model.patients} ({model.claim})", "bold")
    for part in model.parts:
        say(f"  {part}: {(placed['part'] == part).sum()}")
    far = placed.index[placed["far"]]
    if len(far):
        named = ", ".join(map(str, far[:LISTED]))
        complain(f"{len(far)} far from every centre, unlike any patient of the model: {named}", "yellow")
    for why, names in _by_reason({s: r for s, r in placed["reason"].items() if r}).items():
        complain(f"{_counted('patient', names)} not placed: {why}", "yellow")
    if out is not None:
        say(f"table    {out / 'assigned.csv'}", "bold")


def _command(asked: Asked, clinical: Path | None, plan: Path | None) -> str:
    """What was typed, without paths: they may name patients."""
    choices = asked.preparation
    given = [
        ("--clinical CLINICAL", clinical is not None),
        (f"--visit {asked.visit}", bool(asked.visit)),
        (f"--sides {asked.sides}", asked.sides != "apart"),
        (f"--window {asked.window_days}", asked.window_days != 90),
        *((f"--core '{name}'", True) for name in choices.core),
        ("--without-echo", choices.echo == "without"),
        (f"--echo {choices.echo}", asked.echo_chosen and choices.echo != "without"),
        ("--assume-equal-case-mix", choices.assume_equal_case_mix),
        (f"--standardise {choices.standardise}", choices.standardise != "plain"),
        (f"--adjust {','.join(choices.adjust)}", bool(choices.adjust)),
        (f"--weights {_weights(choices.weights)}", choices.weights is not None),
        ("--include-unvalidated", asked.include_unvalidated),
        ("--assume-unconfounded", asked.assume_unconfounded),
        ("--sensitivity PLAN", plan is not None),
        (f"--change {asked.measure} --error {asked.error:g}", bool(asked.measure)),
        (f"--seed {asked.random_state}", asked.random_state != 0),
    ]
    return " ".join(["usimg cluster TABLE", *(words for words, so in given if so), "--out FOLDER"])


def _weights(weights: Mapping[str, float] | None) -> str:
    named = ", ".join(f"{name}={value:g}" for name, value in (weights or {}).items())
    return f'"{named}"' if named else "blocks"


def _show(result: Phenotypes) -> None:
    say(f"{len(result.labels)} patients, {len(result.roles)} features")
    if result.said:
        say(result.said, "yellow")
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
    if len(result.incomplete):
        names = [str(patient) for patient in result.incomplete.index]
        complain(f"{_counted('patient', names)} placed by imputation: some features are missing", "yellow")


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
        "said": result.said,
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
