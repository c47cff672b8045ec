"""How long a study of many scans takes to open in the viewer, and to show the next scan.

    python -m benchmarks.worklist [SCANS] [--to FILE]

Writes a study of SCANS scans (5,000) of three structures each, folds it and opens the review without a
screen: what the person waits for beside napari's own start. The next scan is the geometry of one page, read
from its part. Seconds of the processor: what else runs on the machine does not count.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from usimg.study import Study
from usimg.study.schema import outline_id, outline_of, target_of, write_part
from usimg_napari.desk import StudyDesk
from usimg_napari.review import Review
from usimg_napari.worklist import Worklist

STRUCTURES = ("subcutaneous_fat", "biceps_brachii", "brachialis")
PART = 200


def make(folder: Path, scans: int) -> Study:
    """A study as a run leaves it: parts of 200 scans, outlines of a hundred vertices."""
    import usimg  # noqa: PLC0415  the version alone

    study = Study.create(folder)
    chance = np.random.default_rng(0)
    angle = np.linspace(0.0, 2.0 * np.pi, 100, endpoint=False)
    rows: list[dict[str, Any]] = []
    for number in range(scans):
        scan = f"{number * 0x9E3779B97F4A7C15 % 2**256:064x}"
        for at, structure in enumerate(STRUCTURES):
            polygon = np.column_stack([100 + 80 * at + 30 * np.sin(angle), 200 + 90 * np.cos(angle)])
            roi = usimg.Roi(polygon=polygon, structure=structure, side="left", confidence=chance.random())
            row = {
                "status": "measured", "subject": f"P{number // 50:03d}", "visit": f"v{number // 25 % 2 + 1}",
                "view": "upper_arm", "scan": scan, "frame": 0, "region": None, "repeat": number % 3 + 1,
                "structure": structure, "site": "mid_arm", "side": "left", "plane": "transverse",
                "method": "classical 1", "usimg_version": usimg.__version__, "confidence": roi.confidence,
                "validated": False, "flags": [], "reason": "", "thickness_mm": 10.0 + chance.random(),
                "run": "run1", "generation": 1, "calibration_source": "region",
            } | outline_of(roi)  # fmt: skip
            rows.append(row | {"outline": outline_id(target_of(row), "classical 1", row)})
        if (number + 1) % PART == 0 or number + 1 == scans:
            write_part(study.automatic / f"run1-{number // PART + 1:04d}.parquet", rows)
            rows = []
    return study


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("scans", nargs="?", type=int, default=5000)
    parser.add_argument("--to", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        study = make(Path(place) / "study", asked.scans)
        opening = []
        for _ in range(3):
            began = time.process_time()
            worklist = Worklist(Review(StudyDesk(study), "A. Reader"))
            lines = len(worklist.lines())
            left = worklist.left()
            opening.append(time.process_time() - began)
        review = worklist.review
        steps = []
        for index in range(0, len(review.pages), max(len(review.pages) // 100, 1)):
            began = time.process_time()
            review.go(index)
            assert review.held  # read is what is timed
            steps.append(time.process_time() - began)
        began = time.process_time()
        worklist.filter = "P042 flagged"
        found = len(worklist.indices())
        typed = time.process_time() - began
    outlines = len(STRUCTURES) * asked.scans
    table = {
        f"open {asked.scans:,} scans, {outlines:,} outlines, until the {lines:,} lines stand": min(opening),
        "the same, median of 3": statistics.median(opening),
        f"outlines of another page, read from its part: median of {len(steps)}": statistics.median(steps),
        "the same, slowest": max(steps),
        f"typing a filter that leaves {found}": typed,
    }
    text = "\n".join(
        [
            f"# The work list of {asked.scans:,} scans",
            "",
            (
                f"`python -m benchmarks.worklist {asked.scans}` on {platform.machine()},"
                f" Python {platform.python_version()}"
            ),
            "",
            "| what | seconds of the processor |",
            "|---|---|",
            *(f"| {what} | {seconds:.3f} |" for what, seconds in table.items()),
            "",
            f"{left}.",
            "",
        ]
    )
    print(text)
    if asked.to:
        asked.to.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
