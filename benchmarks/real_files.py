"""Every real DICOM file: what usimg makes of it, beside what is known about it.

Run from the checkout, with the real data beside it (``../shared/data``)::

    python benchmarks/real_files.py

Prints the table and writes ``benchmarks/real_files.md``. Exit code 1 when a line is wrong.
"""

from __future__ import annotations

import csv
import importlib.util
import re
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import usimg

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
REPORT = Path(__file__).with_suffix(".md")
COMMAND = "python benchmarks/real_files.py"

# Headers that are known to be wrong (manifest, column how_known): the right outcome is a refusal.
WRONG_HEADERS = {
    "acuson_echo_fragmented_8f.dcm": "refused: inverse delta",
    "examples_ybr_color.dcm": "refused: picture rescaled after the scale was written (factor 2)",
    "examples_palette.dcm": "refused: picture cropped, region reaches outside",
}
AGREES = 1e-3


@dataclass(frozen=True)
class Known:
    """One line of a manifest: where the file is and what is known about it."""

    path: Path
    frames: int
    photometric: str
    expected: str
    px_per_cm: tuple[float, float] | None  # (rows, cols)


@dataclass(frozen=True)
class Outcome:
    """One line of the table."""

    cells: tuple[str, ...]
    right: bool


def main() -> int:
    """Write the table; 1 when a line is wrong."""
    if not DATA.is_dir():
        print("the real data (../shared/data) are not beside this checkout", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as scratch:
        outcomes = [outcome(known) for known in known_files(Path(scratch))]
    head = (
        "file",
        "syntax",
        "photometric",
        "frames",
        "kind",
        "px/cm (rows, cols) or why not",
        "expected",
        "right?",
    )
    lines = [
        "# Real DICOM files",
        "",
        (
            f"`{COMMAND}`, usimg {usimg.__version__}. Expected: the manifests of `us_dicom` and `nerve_dicom`"
            f" ({sum(o.right for o in outcomes)} of {len(outcomes)} right)."
        ),
        "",
        row(head),
        row(("---",) * len(head)),
        *(row((*o.cells, "yes" if o.right else "**NO**")) for o in outcomes),
        "",
        "## All files of the packages that the manifests name",
        "",
        (
            "Every file of `pydicom`, `pydicom-data` and `deid-data` (other modalities, damaged files,"
            " indexes and texts among them) ends in a picture or a refusal:"
        ),
        "",
        row(("n", "outcome")),
        row(("---", "---")),
        *(row((str(n), what)) for what, n in package_outcomes().most_common()),
        "",
    ]
    text = "\n".join(lines)
    print(text)
    REPORT.write_text(text, encoding="utf-8")
    return 0 if all(o.right for o in outcomes) else 1


def row(cells: tuple[str, ...]) -> str:
    """A line of a Markdown table."""
    return "| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |"


def known_files(scratch: Path) -> Iterator[Known]:
    """All files of the two DICOM manifests; those of packages from where they are installed."""
    for folder in ("us_dicom", "nerve_dicom"):
        for line in csv.DictReader((DATA / folder / "manifest.csv").read_text(encoding="utf-8").splitlines()):
            path = located(line["file"], DATA / folder, scratch)
            scale = None
            if path.name in WRONG_HEADERS:
                expected = WRONG_HEADERS[path.name]
            elif line["regions"] == "none":
                expected = "no scale in the file"
            else:
                scale = stated_scale(line["px_per_cm"])
                expected = "{:.2f}, {:.2f}".format(*scale)
            yield Known(path, int(line["frames"]), line["photometric"], expected, scale)


def located(name: str, folder: Path, scratch: Path) -> Path:
    """Path of a manifest's file: in the folder, in an installed package, or unpacked from its archive."""
    package = re.fullmatch(r"\(package\) (\w+)/(\S+)(?: : (\S+))?", name)
    if package is None:
        return folder / name
    path = package_folder(package[1]) / package[2]
    if package[3] is None:
        return path
    with zipfile.ZipFile(path) as archive:
        return Path(archive.extract(package[3], scratch))


def package_folder(name: str) -> Path:
    """Where an installed package lies."""
    spec = importlib.util.find_spec(name)
    assert spec is not None, f"{name} is not installed"
    assert spec.origin is not None
    return Path(spec.origin).parent


def stated_scale(text: str) -> tuple[float, float]:
    """(rows, cols) px per cm from "162.34", "26.13; 26.13" or "x 35.00 y 43.75"."""
    axes = re.fullmatch(r"x ([\d.]+) y ([\d.]+)", text)
    if axes is not None:
        return float(axes[2]), float(axes[1])
    value = float(text.split(";", maxsplit=1)[0])
    return value, value


def outcome(known: Known) -> Outcome:
    """Open a file, decode its last frame, and compare."""
    try:
        scan = usimg.read(known.path)
        frame = scan.frames[-1]
        decoded = frame.gray.shape == frame.shape and frame.gray.dtype == np.uint8
        kind = frame.kind.name
    except usimg.UsimgError as refusal:
        return Outcome((known.path.name, "", "", "", "", str(refusal), known.expected), right=False)
    found = None if frame.calibration is None else tuple(10 / mm for mm in frame.calibration.spacing)
    if known.px_per_cm is None or found is None:
        right = (known.px_per_cm is None) == (found is None)
    else:
        # the manifest has two decimals
        right = all(abs(a - b) <= max(0.006, AGREES * b) for a, b in zip(found, known.px_per_cm, strict=True))
    right &= decoded and len(scan.frames) == known.frames and scan.header.photometric == known.photometric
    cells = (
        known.path.name,
        scan.header.transfer_syntax or "",
        scan.header.photometric or "",
        str(len(scan.frames)),
        kind,
        frame.calibration_reason if found is None else "{:.2f}, {:.2f}".format(*found),
        known.expected,
    )
    return Outcome(cells, right)


def package_outcomes() -> Counter[str]:
    """How every file of the packages ends, numbers in messages left out."""
    counts: Counter[str] = Counter()
    for package, folder in (("pydicom", "data/test_files"), ("data_store", "data"), ("deid_data", "data")):
        for path in sorted(p for p in (package_folder(package) / folder).rglob("*") if p.is_file()):
            if "__pycache__" in path.parts:
                continue
            try:
                counts[f"picture: {usimg.read(path).frames[0].pixels.grey_rule}"] += 1
            except usimg.UsimgError as refusal:
                counts[re.sub(r"\d[\d,]*", "n", str(refusal).replace(path.name, "FILE"))] += 1
    return counts


if __name__ == "__main__":
    sys.exit(main())
