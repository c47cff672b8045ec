"""An archive into a study, with real processes that die, hang and are killed."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from usimg.errors import StudyRefused
from usimg.extract import Labelling, extract_archive, survey
from usimg.extract.index import index
from usimg.extract.pool import alone, outcomes
from usimg.extract.scan import USUAL
from usimg.extract.worker import Task
from usimg.report.index_page import index_page
from usimg.study import Study, target_of
from usimg.study.exports import export
from usimg.study.manifest import Label, read_manifest

BICEPS = Labelling("biceps_brachii")
# What differs between two runs by design; everything else is the same.
OF_THE_RUN = ["run"]


def table(study: Study) -> pd.DataFrame:
    export(study, include_unvalidated=True)
    rows = pd.read_csv(study.exports / "measurements.csv").drop(columns=OF_THE_RUN)
    whole = rows.select_dtypes("int").columns  # 13 and 13.0 are one number in a CSV
    rows = rows.astype(dict.fromkeys(whole, float))
    return rows.sort_values(["scan", "structure"], ignore_index=True)


def alive(group: int) -> list[str]:
    """Processes of a group that still run; zombies, which nobody may have waited for, do not."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, pgrp = stat.read_text().rpartition(")")[2].split()[:3]
        except (OSError, ValueError):
            continue  # it ended meanwhile
        if int(pgrp) == group and state != "Z":
            found.append(stat.parent.name)
    return found


def run(archive, study, *, segmenter="square", labelling=BICEPS, workers=1, **options):
    found = survey(archive, Labelling(labelling.structure, labelling.manifest, study.subjects))
    return extract_archive(found, study, workers=workers, segmenter=segmenter, **options)


def command(archive, study, *more):
    arguments = [
        "extract",
        archive,
        "--study",
        study,
        "--structure",
        "biceps_brachii",
        "--workers",
        "2",
        *more,
    ]
    return [sys.executable, "-m", "usimg.cli", *map(str, arguments)]


def test_only_what_is_new_is_done_and_the_tables_stay_the_same(installed, make_dicom, archive, study):
    for n in range(3):
        make_dicom(archive / f"{n}.dcm", seed=n)
    seen = []
    first = run(archive, study, on_scan=lambda *counts: seen.append(counts))
    assert (first.counts["scans"], first.failed) == (3, 0)
    assert seen == [(1, 3, 0), (2, 3, 0), (3, 3, 0)]
    before = table(study)
    assert run(archive, study).counts["done_before"] == 3
    make_dicom(archive / "new.dcm", seed=9)
    again = run(archive, study)
    assert (again.counts["scans"], again.counts["done_before"]) == (1, 3)
    after = table(study)
    assert after[after["scan"].isin(before["scan"])].reset_index(drop=True).equals(before)


def test_another_method_never_mixes_in_silently_and_holds_once_it_is_chosen(
    installed, make_dicom, archive, study
):
    make_dicom(archive / "a.dcm")
    run(archive, study)
    with pytest.raises(StudyRefused, match=r"made by square 1 / usimg .* slow 1 .*--method new"):
        run(archive, study, segmenter="slow")
    assert run(archive, study, segmenter="slow", beside=True).counts["scans"] == 1
    assert run(archive, study, segmenter="slow", beside=True).counts["done_before"] == 1
    assert study.current()["method"].tolist() == ["square 1"]
    study.choose(study.fold().methods[1], author="Ada")
    assert study.current()["method"].tolist() == ["slow 1"]
    assert run(archive, study, segmenter="slow").counts["done_before"] == 1


def test_another_label_is_done_again_and_replaces_the_row(installed, make_dicom, archive, study, tmp_path):
    make_dicom(archive / "a.dcm")
    run(archive, study)
    labels = tmp_path / "labels.csv"
    labels.write_text("file,structure,side\na.dcm,soleus,left\n")
    assert run(archive, study, labelling=Labelling(manifest=read_manifest(labels))).counts["scans"] == 1
    assert study.current()["structure"].tolist() == ["soleus"]


def test_a_moved_archive_is_found_again_without_being_done_again(installed, make_dicom, archive, study):
    make_dicom(archive / "a.dcm")
    run(archive, study)
    (archive / "a.dcm").rename(archive / "renamed.dcm")
    assert run(archive, study).counts["done_before"] == 1
    (scan,) = study.current()["scan"]
    assert study.source_path(scan).name == "renamed.dcm"


def test_a_new_run_leaves_what_a_person_accepted(installed, make_dicom, archive, study):
    make_dicom(archive / "a.dcm")
    run(archive, study)
    row = study.fold().rows.iloc[0].to_dict()
    with study.sitting("Ada") as sitting:
        sitting.reject(target_of(row), "cut off", parents=row["heads"])
    run(archive, study, segmenter="slow", beside=True)
    assert study.current()["state"].tolist() == ["rejected"]


def test_a_worker_that_dies_costs_one_named_scan(installed, make_dicom, archive, study):
    for n in range(8):
        make_dicom(archive / f"{n}.dcm", seed=n, white_top=n == 3)
    summary = run(archive, study, segmenter="killed", workers=2)
    assert (summary.counts["scans"], summary.failed) == (8, 1)
    (problem,) = summary.problems
    assert problem[0] == "3.dcm"
    assert "its process died (signal 9" in problem[1]
    assert (study.current()["state"] == "automatic").sum() == 7


def test_a_scan_that_never_ends_is_stopped_when_run_alone(installed, make_dicom, archive):
    path = make_dicom(archive / "a.dcm", white_top=True)
    rows = alone(Task(0, str(path), (Label(structure="soleus"),), "endless", USUAL), seconds=8.0)
    assert rows.failed
    assert "took longer than 8 s" in rows.rows[0]["reason"]


def test_a_fault_in_the_code_is_a_failed_row_that_repeats_no_message(installed, make_dicom, archive, study):
    make_dicom(archive / "a.dcm", white_top=True)
    assert run(archive, study, segmenter="faulty").failed == 1
    (reason,) = study.current()["reason"]
    assert "ZeroDivisionError" in reason
    assert "ZZMARKER" not in reason


def test_a_failed_scan_is_listed_and_tried_again_when_asked(installed, make_dicom, archive, study):
    path = make_dicom(archive / "a.dcm")
    whole = path.read_bytes()
    path.write_bytes(whole[:-4000])
    assert run(archive, study).failed == 1
    again = run(archive, study)
    assert (again.failed, again.counts["to_do"]) == (1, 0)
    assert again.problems[0][0] == "a.dcm"
    assert run(archive, study, retry_failed=True).counts["scans"] == 1
    assert len(list(study.automatic.glob("*.parquet"))) == 1  # the same failure is not written twice
    path.write_bytes(whole)
    assert run(archive, study).failed == 0


def test_a_dry_run_counts_and_writes_nothing(installed, make_dicom, archive, study):
    make_dicom(archive / "a.dcm")
    before = sorted(study.root.rglob("*"))
    assert run(archive, study, dry_run=True).counts["to_do"] == 1
    assert sorted(study.root.rglob("*")) == before


def test_the_log_has_a_line_a_scan(installed, make_dicom, archive, study):
    make_dicom(archive / "a.dcm")
    make_dicom(archive / "b.dcm", seed=1).write_bytes(b"\0" * 128 + b"DICM" + b"\0" * 40)
    run(archive, study)
    (log,) = study.runs.glob("*.log.jsonl")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert sorted((line.get("measured", 0), line.get("failed", 0)) for line in lines) == [(0, 1), (1, 0)]


def test_tasks_are_drawn_as_they_are_needed(installed, make_dicom, archive):
    path = make_dicom(archive / "a.dcm")
    drawn = []

    def tasks():
        for n in range(30):
            drawn.append(n)
            yield Task(n, str(path), (Label(structure="soleus"),), "square", USUAL)

    results = outcomes(tasks(), workers=2)
    for _ in range(3):
        next(results)
    assert len(drawn) <= 3 + 4
    results.close()


def test_a_study_inside_the_archive_is_refused_before_anything_runs(installed, make_dicom, archive, tmp_path):
    make_dicom(archive / "a.dcm")
    study = Study.create(archive / "study")
    with pytest.raises(StudyRefused, match="outside"):
        run(archive, study)
    assert not list(study.automatic.iterdir())


def test_no_name_id_or_path_leaves_the_private_folder(installed, make_dicom, archive, study):
    folder = archive / "ZZMARKER_JANE"
    make_dicom(folder / "zzmarker.dcm", SeriesDescription="ZZMARKER biceps brachii", ProtocolName="ZZMARKER")
    make_dicom(folder / "zzmarker_2.dcm", seed=1, white_top=True)
    broken = make_dicom(folder / "zzmarker_3.dcm", seed=2)
    broken.write_bytes(broken.read_bytes()[:-4000])
    run(archive, study, segmenter="faulty")
    from usimg.report import extract_report

    export(study, include_unvalidated=True)
    extract_report(study, study.exports / "report.html")
    labelled = Labelling("biceps_brachii", subjects=study.subjects)
    index_page(index(archive, labelled), study.exports / "index.html")
    checked = 0
    for path in study.root.rglob("*"):
        if path.is_file() and study.private not in path.parents:
            content = path.read_bytes().lower()
            if path.suffix == ".parquet":
                content += pd.read_parquet(path).to_json().lower().encode()
            assert b"zzmarker" not in content, path
            assert b"2026-02-03" not in content, path
            assert b"20260203" not in content, path
            assert b"zzmarker" not in str(path.relative_to(study.root)).lower().encode()
            checked += 1
    assert checked >= 8
    assert b"zzmarker_3.dcm" in (study.private / "failures.csv").read_bytes()


def test_text_from_files_is_no_formula_in_the_tables(installed, make_dicom, archive, study, tmp_path):
    make_dicom(archive / "a.dcm", Manufacturer="=cmd|' /C calc'!A0")
    labels = tmp_path / "labels.csv"
    labels.write_text("file,structure,subject\na.dcm,soleus,@SUM(A1)\n")
    run(archive, study, labelling=Labelling(manifest=read_manifest(labels)))
    export(study, include_unvalidated=True)
    with (study.exports / "measurements.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["device"].startswith("'=")
    assert row["subject"] == "'@SUM(A1)"
    assert float(row["thickness_px"]) > 0


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for left-over processes in /proc")
def test_a_killed_run_resumes_to_the_table_of_an_uninterrupted_one(installed, make_dicom, archive, tmp_path):
    for n in range(240):
        make_dicom(archive / f"{n:03}.dcm", seed=n)
    whole, killed = Study.create(tmp_path / "whole"), Study.create(tmp_path / "killed")
    (killed.private / "key.txt").write_bytes((whole.private / "key.txt").read_bytes())
    process = subprocess.Popen(
        command(archive, killed.root, "--segmenter", "slow"),
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 240
    while not list(killed.automatic.glob("*.parquet")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.kill()
    process.wait()
    deadline = time.monotonic() + 20
    while alive(process.pid):  # no worker outlives the coordinator
        assert time.monotonic() < deadline
        time.sleep(0.05)
    held = len(killed.current())
    assert 0 < held < 240
    resumed = run(archive, killed, segmenter="slow", workers=2)
    assert resumed.counts["scans"] == 240 - held
    run(archive, whole, segmenter="slow", workers=2)
    assert table(killed).equals(table(whole))


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
def test_ctrl_c_keeps_what_was_done_and_says_how_to_go_on(installed, make_dicom, archive, tmp_path):
    for n in range(150):
        make_dicom(archive / f"{n:03}.dcm", seed=n)
    study = tmp_path / "study"
    # A shell's background jobs, CI's among them, ignore Ctrl-C unless they ask for it.
    listening = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "from usimg.cli import main; main()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", listening, *command(archive, study, "--segmenter", "slow")[3:]],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while not list(study.glob("runs/*.json")):
        time.sleep(0.02)
    time.sleep(3.0)  # the workers are at it
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to every process of the group
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, out + err
    assert "goes on from here" in err
    assert "Traceback" not in err
    held = len(Study.open(study).current())
    assert Study.open(study).run_records()[0]["status"] == "stopped"
    assert Study.open(study).run_records()[0]["counts"].get("scans", 0) == held < 150


def test_two_runs_at_once_on_one_study_give_each_scan_once(installed, make_dicom, archive, study):
    for n in range(12):
        make_dicom(archive / f"{n}.dcm", seed=n)
    processes = [
        subprocess.Popen(command(archive, study.root, "--segmenter", "square"), stdout=subprocess.DEVNULL)
        for _ in range(2)
    ]
    assert [process.wait(timeout=120) for process in processes] == [0, 0]
    assert len(study.current()) == 12
    assert study.fold().problems == []


def test_what_a_manifest_excludes_later_counts_no_more_and_the_study_says_why(
    installed, make_dicom, archive, study, tmp_path
):
    for seed, name in enumerate(("a", "b")):
        make_dicom(archive / f"{name}.dcm", seed=seed)
    run(archive, study)
    assert study.current()["counts"].sum() == 2
    (tmp_path / "m.csv").write_text("file,exclude,reason\nb.dcm,yes,calipers\n")
    again = run(archive, study, labelling=Labelling("biceps_brachii", read_manifest(tmp_path / "m.csv")))
    assert (again.counts["scans"], again.failed) == (1, 0)
    current = study.current()
    assert current["counts"].sum() == 1
    assert "left out by a person: calipers" in set(current["reason"])
