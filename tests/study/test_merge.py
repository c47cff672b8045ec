"""Two copies of a study, both gone on with, become one."""

from __future__ import annotations

import shutil

import pytest

from usimg.errors import StudyRefused
from usimg.study import Study, target_of
from usimg.study.decisions import read_decisions
from usimg.study.merge import merge
from usimg.study.private import Source
from usimg.study.schema import write_part


@pytest.fixture
def copies(study, automatic_row, add_run, tmp_path):
    """A study with an accepted row, and its copy on a laptop."""
    row = automatic_row()
    add_run(row)
    with study.sitting("Ada") as sitting:
        sitting.accept(target_of(row), row["outline"])
    laptop = tmp_path / "laptop"
    shutil.copytree(study.root, laptop)
    return study, Study.open(laptop), row


def test_what_either_copy_has_is_in_both_after_merging_both_ways(copies, automatic_row):
    study, laptop, _ = copies
    for one, author, scan in ((study, "Ben", "b"), (laptop, "Cleo", "c")):
        more = automatic_row(scan=scan * 64, run=f"run-{scan}", generation=2)
        write_part(one.automatic / f"run-{scan}-0001.parquet", [more])
        one.sources.append(f"run-{scan}", [Source(scan * 64, f"/archive/{scan}.dcm", 1, 0, "")])
        with one.sitting(author) as sitting:
            sitting.reject(target_of(more), "cut off", parents=())
    merged = merge(study, laptop)
    assert (merged.parts, merged.sittings, merged.decisions, merged.differ) == (1, 1, 1, [])
    merge(laptop, study)
    assert study.current().equals(laptop.current())
    assert len(study.current()) == 3
    assert {source.scan[0] for source in study.sources.all()} == {"b", "c"}
    again = merge(study, laptop)
    assert (again.parts, again.sittings, again.decisions) == (0, 0, 0)


def test_of_a_sitting_and_its_beginning_the_longer_is_taken(copies):
    study, laptop, _ = copies
    (sitting,) = study.people.iterdir()
    lines = sitting.read_bytes()
    (laptop.people / sitting.name).write_bytes(lines[:-40])  # copied while it was being written
    assert merge(laptop, study).lengthened == 1
    assert (laptop.people / sitting.name).read_bytes() == lines
    (laptop.people / sitting.name).write_bytes(lines[:-40])
    assert merge(study, laptop).lengthened == 0
    assert sitting.read_bytes() == lines


def test_sittings_that_went_apart_keep_every_good_line(copies):
    study, laptop, row = copies
    (sitting,) = study.people.iterdir()
    first = sitting.read_bytes()
    for one, reason in ((study, "cut off"), (laptop, "wrong plane")):
        with one.sitting("Ada") as other:
            other.reject(target_of(row), reason, parents=())
        (one.people / sitting.name).write_bytes(first + other.path.read_bytes())
        other.path.unlink()
    merged = merge(study, laptop)
    assert "went apart" in merged.differ[0]
    reasons = {d.content.get("reason") for d in read_decisions(study.people)[0].values()}
    assert reasons == {None, "cut off", "wrong plane"}


def test_tables_of_people_that_differ_are_named_and_left(copies):
    study, laptop, _ = copies
    (study.root / "devices.csv").write_text("device\nA\n")
    (laptop.root / "devices.csv").write_text("device\nB\n")
    (laptop.private / "subjects.csv").write_text("alias,id\n1,P1\n")
    merged = merge(study, laptop)
    assert [said.partition(":")[0] for said in merged.differ] == ["devices.csv"]
    assert (study.root / "devices.csv").read_text() == "device\nA\n"
    assert (study.private / "subjects.csv").read_text() == "alias,id\n1,P1\n"


def test_two_different_studies_are_refused(study, tmp_path):
    with pytest.raises(StudyRefused, match="different studies"):
        merge(study, Study.create(tmp_path / "another"))
    with pytest.raises(StudyRefused, match="one folder"):
        merge(study, Study.open(study.root))
