"""``usimg agreement``: how much of a difference between two values is real."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from usimg.cli.screen import Exit, complain, print_json, say

if TYPE_CHECKING:
    from usimg.agreement import Agreement

# Values without a partner that the console lists.
UNMATCHED = 12


class Between(StrEnum):
    """What is compared."""

    readers = "readers"
    readings = "readings"
    repeats = "repeats"
    sessions = "sessions"
    operators = "operators"
    methods = "methods"
    versions = "versions"


def agreement(
    table: Annotated[Path, typer.Argument(exists=True, help="A study, or a CSV with a row per value.")],
    *,
    between: Annotated[
        Between, typer.Option(help="What is compared; readings: one reader, the same picture again.")
    ] = Between.readers,
    against: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Old numbers, CSV or Excel: does it give them?"),
    ] = None,
    columns: Annotated[
        Path | None,
        typer.Option("--map", exists=True, dir_okay=False, help="TOML: which column of them is what."),
    ] = None,
    include_unvalidated: Annotated[
        bool, typer.Option("--include-unvalidated", help="Of a study: take outlines nobody validated too.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Folder for the page, tables and figures.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say how well values agree, and from which difference on a change is real.

    A CSV has the columns subject, measure and value, and what applies of structure, site, side, unit,
    rule, session, operator, repeat, reader, reading, method, version, device, start, edited, failed.

    Example: usimg agreement my_study --between readers --out agreement
    """
    if against is not None:
        found = _against(table, against, columns, include_unvalidated=include_unvalidated)
        command = "usimg agreement TABLE --against OLD --map MAP --out FOLDER"
    else:
        found = _compared(table, between.value, include_unvalidated=include_unvalidated)
        # What was typed, without paths: they may name patients.
        command = f"usimg agreement TABLE --between {between.value} --out FOLDER"
    page = found.report(out, command=command) if out is not None else None
    if as_json:
        print_json(_as_json(found, page))
    else:
        _show(found, page)
    if not found.estimates:
        raise typer.Exit(Exit.NOTHING_FOUND)


def _compared(table: Path, between: str, *, include_unvalidated: bool) -> Agreement:
    if table.is_dir():
        from usimg.agreement.from_study import compare_study
        from usimg.study import Study

        return compare_study(Study.open(table), between, include_unvalidated=include_unvalidated)
    from usimg.agreement import compare
    from usimg.agreement.table import read

    return compare(read(table), between)


def _against(table: Path, old: Path, columns: Path | None, *, include_unvalidated: bool) -> Agreement:
    from usimg.agreement.against import aliases, compare_old, study_values
    from usimg.agreement.column_map import read_map, read_old, template
    from usimg.errors import StudyRefused

    if columns is None:
        complain(template(old), "")
        raise StudyRefused("--map is missing: save the lines above as a file, fill them in, and give it")
    rows = read_old(old, read_map(columns))
    if not table.is_dir():
        from usimg.agreement.table import read

        return compare_old(rows, read(table))
    from usimg.study import Study

    study = Study.open(table)
    values = study_values(study, include_unvalidated=include_unvalidated)
    if values.empty:
        raise StudyRefused(
            f"{table}: no value counts; accept outlines, or take those that nobody validated with"
            " --include-unvalidated"
        )
    return compare_old(rows, values, aliases(study, list(rows["subject"])))


def _show(found: Agreement, page: Path | None) -> None:
    from usimg.agreement.page import places
    from usimg.agreement.words import with_interval

    if found.estimates:
        say(found.what_was_repeated, "bold")
    for one in found.estimates:
        digits = places(one)
        unit = f" {one.comparison.unit}" if one.comparison.unit else ""
        incomplete = f", {one.incomplete} incomplete" if one.incomplete else ""
        say("")
        say(one.name, "bold")
        say(
            f"  ICC(2,1) {with_interval(one.icc['ICC(2,1)'], 3)}   {one.patients} patients{incomplete},"
            f" {one.images}, SD between them {with_interval(_plain(one.between_sd), digits)}{unit}"
        )
        for error in one.errors:
            of = "one image" if error.images == 1 else f"mean of {error.images} images"
            value = error.reason or f"{with_interval(error.mdc95, digits)}{unit}"
            say(f"  MDC95 ({error.kind}), {of}: {value}")
        for pair in one.pairs:
            bias = with_interval(pair.bias, digits)
            limits = f"{with_interval(_plain(pair.lower.value), digits)} to "
            limits += with_interval(_plain(pair.upper.value), digits)
            say(f"  {pair.first} \u2212 {pair.second}: bias {bias}, limits {limits}{unit}")
        for note in one.notes:
            say(f"  note: {note}", "yellow")
    _show_rest(found)
    if page is not None:
        say(f"page     {page}", "bold")


def _show_rest(found: Agreement) -> None:
    """Outlines, what has no partner, what was not compared."""
    from usimg.agreement.words import with_interval

    for outline in found.outlines:
        say(
            f"outlines of {outline.name}, {outline.first} and {outline.second}: Dice"
            f" {with_interval(outline.dice, 3)}, {outline.pictures} pictures, {outline.lacking} lack one"
        )
    lost = [f"{one.side} {one.name}: {one.reason}" for one in found.unmatched]
    for line in lost[:UNMATCHED]:
        complain(f"no partner: {line}", "yellow")
    if len(lost) > UNMATCHED:
        complain(f"and {len(lost) - UNMATCHED} more without a partner; --out lists all", "yellow")
    reasons: dict[str, list[str]] = {}
    for left in found.excluded:
        reasons.setdefault(left.reason, []).append(left.name)
    for reason, names in reasons.items():
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        complain(f"not compared: {names[0]}{more}: {reason}", "yellow")
    for note in found.notes:
        say(note)


def _plain(value: float) -> Any:
    from usimg.agreement.icc import Interval

    return Interval(value)


def _as_json(found: Agreement, page: Path | None) -> dict[str, Any]:
    return {
        "between": found.between,
        "what_was_repeated": found.what_was_repeated,
        **{
            name: table.astype(object).where(table.notna(), None).to_dict("records")
            for name, table in found.tables().items()
        },
        "notes": found.notes,
        "page": str(page) if page is not None else None,
    }
