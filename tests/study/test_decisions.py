"""One line a decision: nothing is lost, nothing is believed that is not what its id says."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from usimg.errors import StudyRefused
from usimg.study import Study, Target
from usimg.study.decisions import Decision, parse_line, read_decisions

TARGET = Target("a" * 64, 0, None, "biceps_brachii", "mid_arm", "left", 1)

TWO_HUNDRED = """
import sys
from usimg.study import Study, Target
with Study.open(sys.argv[1]).sitting(sys.argv[2]) as sitting:
    for repeat in range(200):
        sitting.accept(Target("a" * 64, repeat=repeat), "x")
        print(repeat, flush=True)
"""


def test_the_id_is_the_hash_of_the_content_and_nothing_else():
    one = Decision("reject", TARGET, "Ada", "2026-01-01T00:00:00Z", {"reason": "cut off"})
    again = Decision("reject", TARGET, "Ada", "2026-01-01T00:00:00Z", {"reason": "cut off"})
    other = Decision("reject", TARGET, "Ada", "2026-01-01T00:00:00Z", {"reason": "wrong plane"})
    assert one.id == again.id != other.id


def test_a_line_read_back_is_the_decision_that_was_written(study):
    with study.sitting("Ada Müller") as sitting:
        made = sitting.outline(
            TARGET, {"polygons": [[[0.1, 2.0], [1.0, 3.3], [5.0, 1.0]]]}, {"csa_mm2": 0.1}, parents=("p",)
        )
    read, problems = read_decisions(study.people)
    assert problems == []
    assert read[made.id].as_dict() == made.as_dict()


@pytest.mark.parametrize(
    "edit",
    [
        lambda record: record | {"author": "Eve"},
        lambda record: record | {"kind": "praise"},
        lambda record: record | {"target": {"scan": []}},
        lambda record: {},
        lambda record: [],
        lambda record: record | {"content": {"reason": float("nan")}},
    ],
)
def test_an_edited_line_is_not_believed(study, edit):
    with study.sitting("Ada") as sitting:
        made = sitting.reject(TARGET, "cut off", parents=())
    with pytest.raises(ValueError, match=r"id|decision|JSON|nan"):
        parse_line(json.dumps(edit(json.loads(made.line()))).encode())


@pytest.mark.parametrize("cut", [1, 20, 200])
def test_a_torn_last_line_is_reported_and_the_lines_before_it_hold(study, cut):
    with study.sitting("Ada") as sitting:
        first = sitting.accept(TARGET, "x")
        sitting.reject(TARGET, "cut off", parents=(first.id,))
    sitting.path.write_bytes(sitting.path.read_bytes()[: -1 - cut])
    read, problems = read_decisions(study.people)
    assert list(read) == [first.id]
    assert len(problems) == 1
    assert "line 2 was cut short" in problems[0]


def test_a_line_that_lost_only_its_newline_holds(study):
    with study.sitting("Ada") as sitting:
        made = sitting.accept(TARGET, "x")
    sitting.path.write_bytes(sitting.path.read_bytes()[:-1])
    assert list(read_decisions(study.people)[0]) == [made.id]


def test_two_processes_of_one_author_never_meet_in_a_file(study):
    processes = [
        subprocess.Popen([sys.executable, "-c", TWO_HUNDRED, study.root, "Ada"], stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    for process in processes:
        process.communicate(timeout=120)
        assert process.returncode == 0
    files = list(study.people.iterdir())
    read, problems = read_decisions(study.people)
    assert len(files) == 2
    assert problems == []
    assert sum(len(file.read_bytes().splitlines()) for file in files) == 400
    assert {decision.target.repeat for decision in read.values()} == set(range(200))


def test_a_killed_sitting_keeps_every_decision_that_it_had_confirmed(study):
    process = subprocess.Popen(
        [sys.executable, "-c", TWO_HUNDRED, study.root, "Ada"], stdout=subprocess.PIPE, text=True
    )
    confirmed = [process.stdout.readline() for _ in range(50)]
    process.kill()
    process.communicate()
    read, _ = read_decisions(study.people)
    assert {int(line) for line in confirmed} <= {decision.target.repeat for decision in read.values()}


FULL_DISK = """
import resource, signal, sys
from usimg.errors import StudyRefused
from usimg.study import Study, Target
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
sitting = Study.open(sys.argv[1]).sitting("Ada")
sitting.accept(Target("a" * 64, repeat=1), "x")
resource.setrlimit(resource.RLIMIT_FSIZE, (600, resource.RLIM_INFINITY))
try:
    sitting.reject(Target("a" * 64, repeat=2), "y" * 400, parents=())
except StudyRefused as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
sitting.accept(Target("a" * 64, repeat=3), "z")
"""


def test_a_full_disk_says_that_the_decision_is_not_saved_and_spoils_no_other(study):
    pytest.importorskip("resource")  # not on Windows
    run = subprocess.run(
        [sys.executable, "-c", FULL_DISK, study.root], capture_output=True, text=True, check=True
    )
    assert "NOT saved" in run.stdout
    read, problems = read_decisions(study.people)
    assert {decision.target.repeat for decision in read.values()} == {1, 3}
    assert len(problems) == 1


@pytest.mark.parametrize(
    ("kind", "content"), [("reject", {}), ("accept", {}), ("grade", {"grade": ""}), ("x", {})]
)
def test_an_incomplete_decision_is_refused_before_it_is_written(study, kind, content):
    with study.sitting("Ada") as sitting, pytest.raises(StudyRefused):
        sitting.decide(kind, TARGET, content)
    assert not list(study.people.iterdir())


def test_a_sitting_without_a_name_is_refused(study):
    with pytest.raises(StudyRefused, match="author"):
        study.sitting(" ")


@pytest.mark.parametrize("author", ["../../etc/passwd", "CON", "Müller: <Ada>", "名"])
def test_no_author_name_leads_out_of_the_folder(study, author):
    with study.sitting(author) as sitting:
        sitting.accept(TARGET, "x")
    assert sitting.path.resolve().parent == study.people
    (decision,) = read_decisions(study.people)[0].values()
    assert decision.author == author


def test_reading_a_study_does_not_need_write_order(tmp_path):
    study = Study.create(tmp_path / "s")
    with study.sitting("Ada") as sitting:
        first = sitting.accept(TARGET, "x")
        sitting.undo(first)
    lines = sitting.path.read_bytes().splitlines(keepends=True)
    before = study.fold().readings
    sitting.path.write_bytes(b"".join(reversed(lines)))
    assert study.fold().readings == before
