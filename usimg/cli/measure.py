"""``usimg measure``: one scan, numbers on the screen."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from usimg.cli.screen import Exit, complain, out, print_json, safe

if TYPE_CHECKING:
    import pandas as pd

# What is shown on the screen; --json gives every column.
SHOWN = (
    ("thickness", "thickness_mm", "thickness_px", "mm", "thickness_rule"),
    ("area", "csa_mm2", "csa_px2", "mm\N{SUPERSCRIPT TWO}", "trace_rule"),
    ("perimeter", "perimeter_mm", "perimeter_px", "mm", ""),
    ("echo intensity", "echo_intensity", "", "", ""),
    ("  its SD", "echo_intensity_sd", "", "", ""),
    ("echo intensity, protocol's region", "echo_intensity_protocol", "", "", "echo_rule"),
)


def measure(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A scan.")],
    *,
    structure: Annotated[str, typer.Option(help="What is shown: a structure or view.")] = "muscle",
    at: Annotated[
        list[str] | None, typer.Option(help="ROW,COL inside it; four numbers: and on its border.")
    ] = None,
    box: Annotated[list[str] | None, typer.Option(help="R0,C0,R1,C1: a box around it.")] = None,
    spacing: Annotated[str, typer.Option(help="mm per pixel, or ROW,COL, for files without a scale.")] = "",
    frame: Annotated[int | None, typer.Option(min=0, help="Of a clip, from 0; else the protocol's.")] = None,
    plane: Annotated[str, typer.Option(help="transverse or longitudinal.")] = "",
    calibrate: Annotated[
        str, typer.Option(help="ruler: read the marks beside the picture; ruler:10 for marks of 10 mm.")
    ] = "",
    protocol: Annotated[
        str, typer.Option(help="Whose definitions and frame of a clip: als-nmus, or a TOML file.")
    ] = "generic",
    kind: Annotated[str, typer.Option(help="b_mode: measure it although usimg takes it for another.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print every column as JSON.")] = False,
) -> None:
    """Outline one structure in one scan and print its numbers.

    Example: usimg measure wrist.dcm --structure median_nerve --at 212,340
    """
    from usimg import measure as measure_outlines
    from usimg import segment
    from usimg.extract.frames import chosen_frame
    from usimg.opening import read
    from usimg.study.manifest import Label
    from usimg.study.protocol_file import load
    from usimg.study.recognition import as_fields

    recipe = load(protocol).recipe
    scan = read(file, spacing_mm=_spacing(spacing), kind=kind, calibrate=calibrate)
    if frame is not None and frame >= len(scan.frames):
        raise typer.BadParameter(f"{file.name} has {len(scan.frames)} frames, numbered from 0")
    label = Label(**as_fields(structure), frame=frame)
    picture = chosen_frame(scan, label, recipe.frame_of(label))
    shown = picture.kind
    if not shown.automatic:
        complain(
            f"{file.name}: shows {shown.label}, not a B-mode picture ({shown.evidence[-1]});"
            " with --kind b_mode it is measured all the same"
        )
        raise typer.Exit(Exit.NOTHING_FOUND)
    for doubt in (*shown.flags, *(note for note in scan.notes if "ruler" in note)):
        complain(f"{file.name}: {doubt}", "yellow")
    rois = segment(
        picture,
        structure,
        plane=plane or None,
        protocol=recipe.definitions,
        segmenter=recipe.segmenter or None,
        seeds=[_click(text) for text in at] if at else None,
        boxes=[_numbers(text, 4, "--box") for text in box] if box else None,
    )
    table = measure_outlines(picture, rois, protocol=recipe.definitions)
    if as_json:
        print_json({"file": file.name, "frame": picture.index, "rows": _plain(table)})
    else:
        for row in _plain(table):
            _show(row)
    if not any(roi.polygons for roi in rois):
        why = (
            "; ".join(flag for roi in rois for flag in roi.flags) or "no credible outline; try --at or --box"
        )
        complain(f"{file.name}: no {structure} was outlined: {why}")
        raise typer.Exit(Exit.NOTHING_FOUND)


def _spacing(text: str) -> tuple[float, float] | None:
    if not text:
        return None
    values = _numbers(text, 2, "--spacing") if "," in text else _numbers(text, 1, "--spacing") * 2
    return (values[0], values[1])


def _click(text: str) -> list[Any]:
    """A point, or two: inside and on the border, which gives the size."""
    if text.count(",") < 3:
        return _numbers(text, 2, "--at")
    values = _numbers(text, 4, "--at")
    return [values[:2], values[2:]]


def _numbers(text: str, count: int, option: str) -> list[float]:
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if len(values) != count or not all(math.isfinite(value) for value in values):
        form = {1: "0.0667", 2: "212,340", 4: "180,300,240,380"}[count]
        raise typer.BadParameter(f"{option} takes {count} number(s) such as {form}, not {text!r}")
    return values


def _plain(table: pd.DataFrame) -> list[dict[str, Any]]:
    from usimg.study.schema import plain

    return [{str(k): plain(v) for k, v in row.items()} for row in table.to_dict("records")]


def _show(row: dict[str, Any]) -> None:
    from rich.table import Table
    from rich.text import Text

    title = " ".join(part for part in (row["structure"], row["site"], row["side"]) if part)
    table = Table(title=Text(safe(title)), title_justify="left", show_header=False)
    for label, name, in_px, unit, rule in SHOWN:
        value, shown_unit = row[name], unit
        if value is None and in_px:
            value, shown_unit = row[in_px], f"px{unit[2:]}"
        shown = "" if value is None else f"{value:.2f} {shown_unit}".strip()
        table.add_row(label, shown, safe(row[rule].replace("_", " ")) if rule and value is not None else "")
    trust = "validated" if row["validated"] else "not validated for this structure: look at the outline"
    table.add_row("confidence", f"{row['confidence']:.2f}", trust)
    for label, name in (("look again", "flags"), ("missing, why", "reason")):
        if row[name]:
            table.add_row(Text(label, style="yellow"), "", Text(safe(row[name])))
    out().print(table)
