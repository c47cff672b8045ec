"""``usimg reference``: a laboratory's own norms, z-scores, and grey levels between machines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from usimg.cli.screen import Exit, complain, print_json, say

if TYPE_CHECKING:
    import pandas as pd

app = typer.Typer(
    no_args_is_help=True, help="Your own norms from your own controls, z-scores, bridges between machines."
)
Table = Annotated[Path, typer.Argument(exists=True, help="A study, or a CSV with a row per value.")]
Clinical = Annotated[
    Path | None,
    typer.Option(exists=True, dir_okay=False, help="CSV by subject: age, sex, height_cm, fat_mm, ..."),
]
Unvalidated = Annotated[
    bool, typer.Option("--include-unvalidated", help="Of a study: take outlines nobody validated too.")
]
Out = Annotated[Path, typer.Option("--out", "-o", help="File to write.")]


@app.command()
def fit(
    controls: Table,
    *,
    out: Out = Path("reference.json"),
    clinical: Clinical = None,
    covariates: Annotated[
        str, typer.Option(help="Of age, sex, height_cm, weight_kg, with commas; those known when left out.")
    ] = "",
    citation: Annotated[str, typer.Option(help="Where these controls are described.")] = "",
    include_unvalidated: Unvalidated = False,
) -> None:
    """Fit reference equations to healthy controls and write them to a file that documents itself.

    Example: usimg reference fit controls.csv --citation "our lab, 2026" --out reference.json
    """
    from importlib.metadata import version

    from usimg.agreement.reference import fit as fitted
    from usimg.agreement.values import read

    names = [name.strip() for name in covariates.split(",") if name.strip()] or None
    values = read(controls, clinical, include_unvalidated=include_unvalidated)
    made = fitted(values, covariates=names, citation=citation, usimg_version=version("usimg"))
    made.write(out)
    for model in made.models:
        sd = "SD changes with age" if model.sd_by_age else f"SD {model.sd:.3g}"
        say(f"{model.name}: {model.n} controls, {' + '.join(model.terms)}, {sd} {model.unit}".rstrip())
    for one in made.excluded:
        complain(f"not fitted: {one.name}: {one.reason}", "yellow")
    say(f"written: {out}", "bold")


@app.command()
def apply(
    reference: Annotated[
        Path,
        typer.Argument(exists=True, dir_okay=False, help="What fit or bridge wrote, or fat_correction TOML."),
    ],
    table: Table,
    *,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="CSV to write.")] = None,
    clinical: Clinical = None,
    include_unvalidated: Unvalidated = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Give z-scores, bridged or fat-corrected echo intensity; raw values stay as they are.

    Example: usimg reference apply reference.json my_study --clinical clinical.csv --out z.csv
    """
    from usimg.agreement.page import write_table
    from usimg.agreement.values import read

    values = read(table, clinical, include_unvalidated=include_unvalidated)
    rows, column = _applied(reference, values)
    if out is not None:
        write_table(out, rows)
    given = rows[column].notna()
    if as_json:
        print_json(rows.astype(object).where(rows.notna(), None).to_dict("records"))
    else:
        if out is None:
            _show(rows[given], column)
        say(f"{int(given.sum())} of {len(rows)} values have {column}")
        for reason, count in rows.loc[~given, "reason"].value_counts().items():
            complain(f"{count}: {reason}", "yellow")
        if out is not None:
            say(f"written: {out}", "bold")
    if not given.any():
        raise typer.Exit(Exit.NOTHING_FOUND)


@app.command()
def bridge(
    paired: Table,
    *,
    source: Annotated[str, typer.Option("--from", help="Settings or device, as in column settings.")],
    target: Annotated[str, typer.Option("--to", help="The machine whose grey levels are wanted.")],
    out: Out = Path("bridge.json"),
    citation: Annotated[str, typer.Option(help="Where the paired scans are described.")] = "",
    include_unvalidated: Unvalidated = False,
) -> None:
    """Fit the line from one machine's echo intensity to another's, from people scanned on both.

    Example: usimg reference bridge paired.csv --from "GE LOGIQ e" --to "Philips CX50" --out bridge.json
    """
    from usimg.agreement.bridge import fit_bridge
    from usimg.agreement.values import read_by_settings
    from usimg.agreement.words import with_interval

    values = read_by_settings(paired, include_unvalidated=include_unvalidated)
    made = fit_bridge(values, source, target, citation=citation)
    made.write(out)
    ratio = f"error ratio {made.ratio:.2g} ({made.ratio_from})"
    line = f"{with_interval(made.intercept, 1)} + {with_interval(made.slope, 3)}"
    say(
        f"{made.target} = {line} x {made.source};"
        f" {made.n} people, {made.pairs} pairs, SD about the line {made.residual_sd:.1f}, {ratio}"
    )
    say(f"holds from {made.low:.4g} to {made.high:.4g}; written: {out}", "bold")


def _applied(reference: Path, values: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """The rows that a file makes of values, and the column that it adds."""
    import json

    from usimg.agreement import bridge as bridging
    from usimg.agreement.fat import fat_corrected, read_fat_correction
    from usimg.agreement.reference import Reference
    from usimg.agreement.scores import score

    if reference.suffix.lower() == ".toml":
        return fat_corrected(values, read_fat_correction(reference)), "echo_intensity_fat_corrected"
    try:
        kind = json.loads(reference.read_text(encoding="utf-8")).get("kind", "")
    except (ValueError, AttributeError):
        kind = ""
    if kind == bridging.KIND:
        return bridging.bridged(values, bridging.Bridge.read(reference)), "echo_intensity_bridged"
    return score(values, Reference.read(reference)), "z"


def _show(rows: pd.DataFrame, column: str) -> None:
    from usimg.agreement.table import named

    for row in rows.head(40).to_dict("records"):
        what = named(*(str(row[name]) for name in ("structure", "site", "side", "measure")))
        low, high = (
            row.get("z_low", row.get("bridged_low")),
            row.get("z_high", row.get("bridged_high")),
        )
        reach = f" ({low:.2f} to {high:.2f})" if low is not None and high is not None else ""
        sign = f"; {row['sign']}, n = {row['n']}" if "sign" in row else ""
        said = f"{row['value']:.4g}, {column} {row[column]:.2f}{reach}{sign}"
        say(" ".join(filter(None, (row["subject"], row["visit"], f"{what}: {said}"))))
    if len(rows) > 40:
        say(f"... and {len(rows) - 40} more; --out FILE writes all")
