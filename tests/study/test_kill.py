"""kill -9 at random moments, and a full disk: what was confirmed is there, and nothing else is spoilt."""

from __future__ import annotations

import random
import subprocess
import sys
import time

import pytest

from usimg.study import Study
from usimg.study.decisions import read_decisions
from usimg.study.fold import automatic_rows

# One process as `usimg extract` and a person at once: parts of three scans, and a decision a scan. It says
# what is safe: "part n" once a part is written, "decided n" once a decision is.
WRITER = """
import sys
from usimg.extract import running
from usimg.extract.runlog import RunLog
from usimg.extract.scan import ScanRows
from usimg.extract.surveying import SurveyedFile
from usimg.study import Study, Target
from usimg.study.decisions import read_decisions
from usimg.study.fold import automatic_rows
running.PART_SCANS = 3
study = Study.open(sys.argv[1])
held = set(automatic_rows(study, geometry=False)[0]["scan"])
# A kill may fall between a scan's part and the decision on it: the person has not spoken yet, and does now.
spoken = {decision.target.scan for decision in read_decisions(study.people)[0].values()}
run = running.Run(study, running.run_name(), 1 + len(held), {}, RunLog(study.runs / "log.jsonl"))
row = dict(status="measured", structure="soleus", site="", side="left", frame=0, method="m 1",
           usimg_version="0", thickness_mm=20.0, confidence=0.9, validated=True, flags=[], work="w",
           polygons=[[[float(n), float(n * n % 7)] for n in range(40)]])
with study.sitting("Ada") as sitting:
    print("ready", flush=True)
    for n in range(int(sys.argv[2])):
        scan = f"{n:064x}"
        if scan not in held:
            file = SurveyedFile(f"/archive/{n}.dcm", f"{n}.dcm", 1, 0)
            parts = run.parts
            run.take(file, ScanRows(scan, [row | dict(scan=scan, subject=f"P{n}", outline=f"o{n}")]))
            if run.parts > parts:
                print("part", n, flush=True)
        if scan not in spoken:
            sitting.accept(Target(scan, 0, None, "soleus", "", "left"), f"o{n}")
            print("decided", n, flush=True)
run.flush()
print("all", flush=True)
"""
SCANS = 60


def writer(study, **options):
    arguments = [sys.executable, "-c", WRITER, str(study.root), str(SCANS)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, **options)


def killed_once(study, moment):
    """Run the writer, kill it ``moment`` seconds after it began to write, and check what is there."""
    process = writer(study)
    assert process.stdout.readline() == "ready\n"
    time.sleep(moment)
    process.kill()
    # A line without its end was cut by the kill: what it would have said is not known.
    lines = process.communicate()[0].splitlines(keepends=True)
    said = [line.split() for line in lines if line.endswith("\n")]
    parts = [int(words[1]) for words in said if words[0] == "part"]
    decided = {int(words[1]) for words in said if words[0] == "decided"}
    held = study.fold()
    assert {f"{n:064x}" for n in range(max(parts, default=-1) + 1)} <= scans_of(study)
    assert {f"{n:064x}" for n in decided} <= people(study)
    # A torn line, at most; never a torn part: those are renamed when they are whole.
    assert all("cut short" in problem for problem in held.problems)


def scans_of(study):
    return set(automatic_rows(study, geometry=False)[0]["scan"])


def people(study):
    return {decision.target.scan for decision in read_decisions(study.people)[0].values()}


def finish(study):
    process = writer(study)
    out, _ = process.communicate(timeout=120)
    assert out.endswith("all\n")


def table(study):
    rows = study.fold().rows.drop(columns=["run", "generation", "heads"])
    return rows.sort_values("scan", ignore_index=True)


def kills(tmp_path, count, seed):
    whole = Study.create(tmp_path / "whole")
    finish(whole)
    draw = random.Random(seed)  # noqa: S311  moments, not secrets
    study = Study.create(tmp_path / "killed0")
    for n in range(count):
        if len(scans_of(study)) == SCANS:
            finish(study)
            assert table(study).equals(table(whole))
            study = Study.create(tmp_path / f"killed{n}")
        killed_once(study, draw.uniform(0.0, 0.15))
    finish(study)
    assert table(study).equals(table(whole))


def test_ten_kills_at_random_moments_lose_nothing_that_was_confirmed(tmp_path):
    kills(tmp_path, 10, seed=1)


@pytest.mark.slow
def test_two_hundred_kills_at_random_moments_lose_nothing_that_was_confirmed(tmp_path):
    kills(tmp_path, 200, seed=2)


LITTLE_ROOM = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from usimg.errors import StudyRefused
from usimg.study import Study
from usimg.study.exports import export
study = Study.open(sys.argv[1])
export(study, excel=True)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    export(study, excel=True)
except StudyRefused as error:
    print(error)
"""


@pytest.mark.parametrize("room", [500, 5_000])
def test_an_export_on_a_full_disk_is_one_error_and_leaves_the_files_before(
    study, automatic_row, add_run, room
):
    pytest.importorskip("resource")  # not on Windows
    add_run(*(automatic_row(scan=f"{n:064x}", subject=f"P{n}") for n in range(40)))
    arguments = [sys.executable, "-c", LITTLE_ROOM, str(study.root), str(room)]
    out = subprocess.run(arguments, capture_output=True, text=True, check=True).stdout
    assert "cannot be written" in out
    assert not list(study.exports.glob(".*.tmp"))
    assert len((study.exports / "measurements.csv").read_text().splitlines()) == 41


NO_ROOM_FOR_A_PART = WRITER.replace(
    'print("ready", flush=True)',
    """import resource, signal
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (12_000, resource.RLIM_INFINITY))""",
)


def test_a_run_on_a_full_disk_stops_with_one_error_and_its_parts_hold(study):
    pytest.importorskip("resource")
    arguments = [sys.executable, "-c", NO_ROOM_FOR_A_PART, str(study.root), str(SCANS)]
    run = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert run.returncode != 0
    assert "StudyRefused" in run.stderr.splitlines()[-1]
    assert all("cut short" in problem for problem in study.fold().problems)
    finish(study)
    assert len(study.fold().rows) == SCANS
