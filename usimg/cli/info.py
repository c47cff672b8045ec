"""``usimg info``: what a scan is, what a study holds, what is installed. Loads no table library."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import usimg
from usimg.cli.screen import Exit, out, print_json, safe, say
from usimg.errors import DependencyMissing, UsimgError

if TYPE_CHECKING:
    from usimg.scan import Calibration, Frame, Region, Scan

_LIBRARIES = ("numpy", "pydicom", "imagecodecs", "opencv-python", "pandas", "pyarrow", "napari", "PySide6")


def info(
    path: Annotated[
        Path | None, typer.Argument(help="A scan, or a study's folder.", show_default=False)
    ] = None,
    *,
    scan: Annotated[str, typer.Option(help="Of a study: show where the scan of this hash lies.")] = "",
    value: Annotated[
        str, typer.Option(help="Of a study: where the value of this id comes from, on a page.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    itself: Annotated[
        bool, typer.Option("--self", help="What is installed here, and what is missing.")
    ] = False,
) -> None:
    """Say what a scan is: kind of picture, device, frames, scale and where it comes from, what is wrong.

    Example: usimg info scan.dcm, or usimg info my_study --value V2ABCDEFGHIJ
    """
    if itself:
        facts = _installed()
    elif path is None:
        raise typer.BadParameter("give a scan, a study, or --self")
    elif (path / "study.toml").is_file():
        facts = _of_value(path, value) if value else _of_study(path, scan)
    else:
        facts = _of_file(path, as_json=as_json)
    if as_json:
        print_json(facts)
    else:
        _show(facts)
    if facts.get("error"):
        raise typer.Exit(Exit.SOME_FAILED)


def _of_file(path: Path, *, as_json: bool) -> dict[str, Any]:
    from usimg.opening import read

    try:
        scan = read(path)
    except UsimgError as error:
        if not as_json:
            raise
        return {"file": path.name, "error": str(error)}
    frame = scan.frames[len(scan.frames) // 2]
    return {
        "file": scan.name,
        "scan": scan.id,
        "device": _device(scan),
        "format": scan.header.format,
        "transfer_syntax": scan.header.transfer_syntax,
        "photometric": scan.header.photometric,
        "frames": len(scan.frames),
        "rows": frame.shape[0],
        "columns": frame.shape[1],
        "frame_time_ms": scan.header.frame_time_ms,
        "scale": _scale(frame.calibration),
        "scale_reason": frame.calibration_reason,
        "regions": [_region(region) for region in frame.regions],
        "labels": _labels(scan),
        **_pixels(frame),
        "notes": list(scan.notes),
    }


def _device(scan: Scan) -> str:
    header = scan.header
    named = (header.manufacturer, header.model, header.probe, header.software)
    return ", ".join(" ".join(part.split()) for part in named if part)


def _scale(calibration: Calibration | None) -> dict[str, Any] | None:
    if calibration is None:
        return None
    return {
        "row_mm": calibration.row_mm,
        "col_mm": calibration.col_mm,
        "source": calibration.source,
        "detail": calibration.detail,
        "flags": list(calibration.flags),
    }


def _region(region: Region) -> dict[str, Any]:
    return {
        "index": region.index,
        "kind": region.kind,
        "content": region.content,
        "box": list(region.box),
        "scale": _scale(region.calibration),
        "reason": region.reason,
    }


def _labels(scan: Scan) -> dict[str, str]:
    """What the tags say is shown; shown here because it decides what extract does with the file."""
    from usimg.extract.labels import recognised, side_of

    return recognised(scan.header) | ({"side": side_of(scan.header)} if side_of(scan.header) else {})


def _pixels(frame: Frame) -> dict[str, Any]:
    try:
        pixels, kind = frame.pixels, frame.kind
        area = float(frame.scan_area.mean())
    except UsimgError as error:
        return {"error": str(error)}
    return {
        "kind": kind.name,
        "kind_evidence": list(kind.evidence),
        "scan_area_share": round(area, 4),
        "grey_rule": pixels.grey_rule,
        "decoder": pixels.decoder,
    }


def _of_study(path: Path, scan: str) -> dict[str, Any]:
    from usimg.study import Study
    from usimg.study.decisions import read_decisions

    study = Study.open(path)
    if scan:
        return {"scan": scan, "path": str(study.source_path(scan))}
    decisions, problems = read_decisions(study.people)
    kinds: dict[str, int] = {}
    for decision in decisions.values():
        kinds[decision.kind] = kinds.get(decision.kind, 0) + 1
    runs = study.run_records()
    return {
        "study": str(study.root),
        "schema_version": study.settings["schema_version"],
        "parts": len(list(study.automatic.glob("*.parquet"))),
        "runs": [
            {name: run.get(name) for name in ("run", "status", "method", "usimg_version", "counts")}
            for run in runs
        ],
        "sittings": len(list(study.people.glob("*.jsonl"))),
        "decisions": kinds,
        "authors": sorted({decision.author for decision in decisions.values()}),
        "notes": problems,
    }


def _of_value(path: Path, value: str) -> dict[str, Any]:
    from usimg.report import value_report
    from usimg.study import Study

    page, found = value_report(Study.open(path), value)
    facts: dict[str, Any] = {"id": found.id, "kind": found.kind, "what": found.title}
    if found.value is not None:
        facts["value"] = round(found.value, 6)
        facts["standard_error"] = None if found.error is None else round(found.error, 6)
    return {
        **facts,
        **{name.replace(" ", "_"): said for name, said in found.facts.items()},
        "computed_from": [f"{part.id} {part.title}" for part in found.parts],
        "measurements": [
            f"{one.id} scan {str(one.row['scan'])[:12]}, {one.row['state']}"
            + (", replaced since" if one.replaced else "")
            for one in found.measurements
        ],
        "history": [
            f"{step.when} {step.author}: {step.what}" for one in found.measurements for step in one.steps
        ],
        "page": str(page),
    }


def _installed() -> dict[str, Any]:
    facts: dict[str, Any] = {
        "usimg": usimg.__version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
    }
    for name in _LIBRARIES:
        try:
            facts[name] = version(name)
        except PackageNotFoundError:
            facts[name] = "not installed"
    try:
        from usimg.vision import cv2

        facts["opencv starts"] = cv2.__version__
    except DependencyMissing as error:
        facts["error"] = str(error)
    if find_spec("napari") is None:
        facts["viewer"] = "not installed: pip install 'usimg[napari]'"
    else:
        facts |= _viewer()
    return facts


def _viewer() -> dict[str, Any]:
    """Whether a window can be opened here: asked in a process of its own, which Qt may end."""
    command = [sys.executable, "-m", "usimg_napari.check"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired) as error:
        return {"viewer": f"cannot be asked ({error})"}
    if done.returncode != 0:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        return {"viewer": f"Qt does not start: {said[0] if said else f'it ended with {done.returncode}'}"}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    missing = found.pop("missing", "")
    return {**found, "viewer": missing or "can open"}


def _show(facts: dict[str, Any]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts.items():
        if name != "error" and value not in (None, "", [], {}):
            table.add_row(Text(name.replace("_", " "), style="bold"), Text(_words(name, value)))
    out().print(table)
    if facts.get("error"):
        say(f"cannot be used: {facts['error']}", "red")


def _words(name: str, value: Any) -> str:
    if name == "scale":
        return _scale_words(value)
    if name == "regions":
        return "\n".join(
            f"{r['index']}: {r['kind']}, {r['content']}, rows {r['box'][0]}-{r['box'][2]},"
            f" columns {r['box'][1]}-{r['box'][3]}; {_scale_words(r['scale']) or r['reason']}"
            for r in value
        )
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in value.items())
    if isinstance(value, list):
        return "\n".join(_words("", item) for item in value)
    return safe(value)


def _scale_words(scale: dict[str, Any] | None) -> str:
    if scale is None:
        return ""
    parts = [f"{scale['row_mm']:.5g} mm/px down, {scale['col_mm']:.5g} across, from {scale['source']}"]
    return safe("; ".join([*parts, *filter(None, [scale["detail"]]), *scale["flags"]]))
