"""A study of 200,000 measurements: how long the fold and the export take, and how much memory.

Run ``python -m benchmarks.study [MEASUREMENTS]``; each step runs in a process of its own, so that the peak
memory is its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from usimg.study import Study, Target
from usimg.study.schema import outline_id, write_part

MEASUREMENTS = 200_000
PART = 2_000
# A tenth is looked at by a person; of the structures of a visit both sides, three repeats.
DECIDED = 10
STRUCTURES = ("biceps_brachii", "brachialis", "rectus_femoris", "tibialis_anterior", "soleus")
STEPS = {
    "fold": "study.fold(geometry=False)",
    "fold with outlines": "study.fold()",
    "patient rows and derived values": "tables_of(study, include_unvalidated=True, geometry=False)",
    "what visits lack": "held = study.fold(geometry=False); visits_of(study, held, current_of(study, held))",
    "export (Parquet, CSV, sources)": "export(study, include_unvalidated=True)",
    "export with the workbook": "export(study, include_unvalidated=True, excel=True)",
}
TIMED = """
import json, resource, sys, time
from usimg.study import Study
from usimg.study.exports import export, tables_of
from usimg.study.tables import current_of
from usimg.study.visits import visits_of
study = Study.open(sys.argv[1])
began = time.perf_counter()
{step}
seconds = time.perf_counter() - began
print(json.dumps([seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""


def build(folder: Path, measurements: int) -> Study:
    """A study with automatic rows of layers with 200 vertices, and a person's decisions."""
    study = Study.create(folder)
    rows = []
    with study.sitting("A. Reader") as sitting:
        for n in range(measurements):
            row = measurement(n)
            rows.append(row)
            if n % DECIDED == 0 and n < 20_000:  # each is on the disk before the next: ten years of reading
                target = Target(row["scan"], 0, None, row["structure"], "", row["side"], row["repeat"])
                sitting.accept(target, row["outline"])
            if len(rows) == PART or n == measurements - 1:
                write_part(study.automatic / f"run-{n // PART:04d}.parquet", rows)
                rows.clear()
    return study


def measurement(n: int) -> dict[str, object]:
    per_visit = len(STRUCTURES) * 6
    visit, within = divmod(n, per_visit)
    structure, side = STRUCTURES[within % len(STRUCTURES)], ("left", "right")[within // 5 % 2]
    repeat = within // 10 + 1
    scan = f"{n:064x}"
    edge = [[100.0 + (n + k) % 7, 5.0 * k] for k in range(100)]
    lower = [[row + 200.0 + n % 50, col] for row, col in edge]
    outline = {"polygons": [edge + lower[::-1]], "upper": edge, "lower": lower, "line": None}
    target = Target(scan, 0, None, structure, "", side, repeat)
    return outline | {
        "outline": outline_id(target, "classical 1", {"line": [[float(n)]]}),
        "status": "measured",
        "subject": f"P{visit // 4:05d}",
        "visit": str(visit % 4 + 1),
        "structure": structure,
        "site": "",
        "side": side,
        "repeat": repeat,
        "scan": scan,
        "frame": 0,
        "thickness_mm": 20.0 + n % 50 / 10,
        "thickness_rule": "mean_vertical",
        "echo_intensity": 50.0 + n % 30,
        "echo_intensity_sd": 20.0,
        "echovariation": 0.4,
        "device": "Acme | One | L12",
        "confidence": 0.8,
        "validated": False,
        "flags": [],
        "reason": "",
        "method": "classical 1",
        "usimg_version": "0",
        "work": "w",
        "run": "run",
        "generation": 1,
    }


def main() -> None:
    measurements = int(sys.argv[1]) if len(sys.argv) > 1 else MEASUREMENTS
    with TemporaryDirectory() as folder:
        began = time.perf_counter()
        study = build(Path(folder) / "study", measurements)
        print(f"{measurements:,} measurements, built in {time.perf_counter() - began:.0f} s")
        base = subprocess.run(
            [sys.executable, "-c", TIMED.format(step="0"), study.root], capture_output=True, check=True
        )
        _, libraries = json.loads(base.stdout)
        print(f"libraries alone: {libraries:.0f} MB")
        for name, step in STEPS.items():
            command = [sys.executable, "-c", TIMED.format(step=step), study.root]
            seconds, peak = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
            print(f"{name:34} {seconds:6.1f} s  peak {peak:6.0f} MB")


if __name__ == "__main__":
    main()
