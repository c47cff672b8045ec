"""One value and everything it came from, on one page."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from usimg.pages import render, write_page
from usimg.report.gather import named
from usimg.report.stills import Still, still_of
from usimg.study.private import short
from usimg.study.provenance import Measurement, Provenance, where_from
from usimg.study.schema import plain

if TYPE_CHECKING:
    from usimg.study import Study

# Pictures on one page; an average of more repeats lists the others.
MOST_PICTURES = 12
# Columns of a measurement that the page shows as numbers, with their unit.
NUMBERS = (
    ("thickness_mm", "thickness", "mm"),
    ("csa_mm2", "area", "mm\N{SUPERSCRIPT TWO}"),
    ("perimeter_mm", "perimeter", "mm"),
    ("echo_intensity", "echo intensity", ""),
    ("echo_intensity_sd", "its SD", ""),
    ("echo_intensity_protocol", "echo intensity, protocol's region", ""),
)
FACTS = (
    ("thickness_rule", "thickness rule"),
    ("trace_rule", "outline traced"),
    ("echo_rule", "echo intensity over"),
    ("definition_source", "source of the definition"),
    ("grey_rule", "grey"),
    ("decoder", "decoded by"),
    ("settings", "device and settings"),
    ("method", "outlined by"),
    ("usimg_version", "measured by usimg"),
    ("protocol", "protocol"),
    ("run", "run"),
    ("days_since_first", "days since the first scan"),
    ("state", "state"),
    ("counts_reason", "does not count because"),
    ("reason", "missing because"),
)


@dataclass(frozen=True)
class Shown:
    """One measurement, ready for the page."""

    measurement: Measurement
    title: str
    numbers: list[tuple[str, str]]
    facts: list[tuple[str, str]]
    still: Still


def value_report(
    study: Study, value: str, path: str | os.PathLike[str] | None = None
) -> tuple[Path, Provenance]:
    """Write the page of a value id or measurement id.

    Parameters
    ----------
    study : Study
    value : str
        As tables show it.
    path : path, optional
        ``exports/value_ID.html`` when left out.

    Returns
    -------
    Path, Provenance

    Raises
    ------
    StudyRefused
        No value has this id.
    """
    found = where_from(study, value)
    shown = [_shown(study, one) for one in found.measurements[:MOST_PICTURES]]
    html = render(
        "usimg.report",
        "value.html.j2",
        found=found,
        shown=shown,
        more=[one.id for one in found.measurements[MOST_PICTURES:]],
    )
    return write_page(path or study.exports / f"value_{found.id}.html", html), found


def _shown(study: Study, one: Measurement) -> Shown:
    row = one.row
    numbers = [
        (label, f"{number:.2f} {unit}".strip())
        for name, label, unit in NUMBERS
        if (number := plain(row.get(name))) is not None
    ]
    facts = [(label, _said(row.get(name))) for name, label in FACTS if _said(row.get(name))]
    label, _ = named(str(plain(row.get("structure")) or "muscle"))
    title = ", ".join(
        str(part).replace("_", " ")
        for part in (label, plain(row.get("site")), plain(row.get("side")), plain(row.get("muscle_state")))
        if part
    )
    facts = [("scale", _scale(row)), ("picture", _picture_words(row)), *facts]
    confidence = plain(row.get("confidence"))
    if confidence is not None:
        trust = "validated" if plain(row.get("validated")) else "not validated for this structure"
        facts.append(("confidence", f"{confidence:.2f}, {trust}"))
    still = still_of(study, [row], longest_side=900, with_lines=True)
    return Shown(one, title, numbers, facts, still)


def _scale(row: dict[str, Any]) -> str:
    row_mm, col_mm = plain(row.get("row_mm")), plain(row.get("col_mm"))
    if row_mm is None or col_mm is None:
        return "none: lengths are in px"
    why = {
        "region": "the region of the file that holds the outline (dashed green)",
        "given": "given in the manifest",
    }
    source = str(plain(row.get("calibration_source")) or "")
    return f"{row_mm:.5g} mm a pixel down, {col_mm:.5g} across: {why.get(source, source or 'unknown')}"


def _picture_words(row: dict[str, Any]) -> str:
    region = plain(row.get("region"))
    words = [f"scan {short(str(row['scan']))}", f"frame {(plain(row.get('frame')) or 0) + 1}"]
    if region is not None:
        words.append(f"region {region}")
    if plain(row.get("repeat")) is not None:
        words.append(f"repeat {plain(row['repeat'])}")
    return ", ".join(words)


def _said(value: Any) -> str:
    value = plain(value)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return str(value).replace("_", " ")
