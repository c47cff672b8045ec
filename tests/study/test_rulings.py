"""Grades, labels, scales and signatures: each line replaces its own kind, and a change voids a signature."""

from __future__ import annotations

import pytest

from usimg.errors import StudyRefused
from usimg.study import Target, target_of
from usimg.study.exports import tables_of
from usimg.study.labelled import checked, decided
from usimg.study.manifest import Label
from usimg.study.rulings import Rulings
from usimg.study.signing import sign, signatures

SCAN = "a" * 64
PICTURE = Target(SCAN)


@pytest.fixture
def row(automatic_row, add_run):
    one = automatic_row()
    add_run(one)
    return one


@pytest.fixture
def rulings(study) -> Rulings:
    return Rulings(study.fold(geometry=False).others)


def standing(study, kind):
    return [one for one in study.fold(geometry=False).others if one.kind == kind]


def grades(study):
    table = tables_of(study).derived
    table = table[table["name"].isin(["heckmatt_grade", "fasciculations"])]
    return dict(zip(table["name"], table["value"], strict=True))


def test_a_second_grade_replaces_the_first_and_fasciculations_stay(study, row, rulings):
    with study.sitting("Ada") as sitting:
        rulings.grade(sitting, target_of(row), 3, fasciculations=True)
        rulings.grade(sitting, target_of(row), 2)
    assert len(standing(study, "grade")) == 1
    assert grades(study) == {"heckmatt_grade": 2.0, "fasciculations": 1.0}


def test_a_grade_of_another_sitting_is_replaced_too_and_another_readers_is_not(study, row):
    for author, grade in (("Ada", 4), ("Ada", 1), ("Ben", 3)):
        with study.sitting(author) as sitting:
            Rulings(study.fold(geometry=False).others).grade(sitting, target_of(row), grade)
    assert grades(study)["heckmatt_grade"] == 2.0  # median of Ada's 1 and Ben's 3


def test_an_undone_grade_brings_the_one_before_back(study, row, rulings):
    with study.sitting("Ada") as sitting:
        rulings.grade(sitting, target_of(row), 3)
        rulings.undo(sitting, rulings.grade(sitting, target_of(row), 1))
    assert grades(study)["heckmatt_grade"] == 3.0


def test_fasciculations_alone_are_no_grade(study, row, rulings):
    with study.sitting("Ada") as sitting:
        rulings.grade(sitting, target_of(row), fasciculations=False)
    assert grades(study) == {"fasciculations": 0.0}


@pytest.mark.parametrize("grade", [0, 5, 2.5])
def test_other_grades_are_refused(study, row, rulings, grade):
    with study.sitting("Ada") as sitting, pytest.raises(StudyRefused, match="1, 2, 3 or 4"):
        rulings.grade(sitting, target_of(row), grade)


def test_a_label_of_a_person_is_laid_over_what_else_is_known(study, rulings):
    with study.sitting("Ada") as sitting:
        rulings.label(sitting, PICTURE, {"view": "Oberarm", "side": "L", "repeat": 2})
        rulings.label(sitting, PICTURE, {"view": "upper arm", "side": "right", "repeat": 2})
    found = decided(study.fold(geometry=False).others)
    known = Label(subject="P1", visit="1", structure="soleus", site="mid_calf", source="tags")
    (label,) = found.over(SCAN, (known,))
    assert (label.view, label.structure, label.site) == ("upper_arm", "", "")
    assert (label.subject, label.visit, label.side, label.source) == ("P1", "1", "right", "person")
    assert found.over("b" * 64, (known,)) == (known,)


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ({"view": "upper ram"}, "nearest"),
        ({"name": "Doe"}, "a label has no name"),
        ({"side": ""}, "says nothing"),
        ({"side": "lift"}, "side"),
    ],
)
def test_a_label_that_is_not_understood_is_not_written(label, said):
    with pytest.raises(StudyRefused, match=said):
        checked(label)


def test_two_people_who_label_a_picture_differently_are_reported_and_neither_is_taken(study):
    for author, side in (("Ada", "left"), ("Ben", "right")):
        with study.sitting(author) as sitting:
            Rulings([]).label(sitting, PICTURE, {"structure": "soleus", "side": side})
    found = decided(study.fold(geometry=False).others)
    assert not found.labels
    (problem,) = found.problems
    assert "Ada and Ben" in problem
    with study.sitting("Ben") as sitting:  # who now sees both
        Rulings(study.fold(geometry=False).others).label(sitting, PICTURE, {"side": "left"})
    assert decided(study.fold(geometry=False).others).labels[SCAN][0][1] == {"side": "left"}


def test_a_scale_of_one_region_stands_before_that_of_the_file(study, rulings):
    with study.sitting("Ada") as sitting:
        rulings.calibrate(sitting, PICTURE, 0.1, 0.1, how="ruler, 40 mm over 400 px")
        rulings.calibrate(sitting, Target(SCAN, region=1), 0.2, 0.2)
        with pytest.raises(StudyRefused, match="no size of a pixel"):
            rulings.calibrate(sitting, PICTURE, 0.0, 0.1)
    found = decided(study.fold(geometry=False).others)
    one, other = found.over(SCAN, (Label(region=0), Label(region=1)))
    assert (one.spacing, other.spacing) == ((0.1, 0.1), (0.2, 0.2))
    assert one.scale_source == "person"


def test_what_was_not_done_is_said_once_per_visit(study, rulings):
    with study.sitting("Ada") as sitting:
        rulings.not_done(sitting, "P1", "1", "upper_arm", "cast", side="left")
        rulings.not_done(sitting, "P1", "1", "upper_arm", "wound", side="left")
        rulings.not_done(sitting, "P2", "1", "upper_arm", "cast", side="left")
    assert {(one.content["subject"], one.content["reason"]) for one in standing(study, "not_done")} == {
        ("P1", "wound"),
        ("P2", "cast"),
    }


def test_an_adjudication_counts_before_all_readers_and_the_next_one_replaces_it(study, row):
    with study.sitting("Ada") as sitting:
        sitting.accept(target_of(row), row["outline"])
    with study.sitting("Ben") as sitting:
        sitting.reject(target_of(row), "wrong plane", parents=[row["outline"]])
    assert not study.current()["counts"].any()
    for author, accepts in (("Cyd", False), ("Dot", True)):
        held = study.fold(geometry=False)
        with study.adjudication(author) as sitting:
            parents = held.seen(target_of(row))
            if accepts:
                sitting.accept(target_of(row), row["outline"], parents=parents)
            else:
                sitting.reject(target_of(row), "wrong plane", parents=parents)
        assert study.current()["counts"].any() == accepts
    (counts,) = study.current().query("counts").to_dict("records")
    assert (counts["arm"], counts["author"]) == ("adjudicated", "Dot")


def test_two_adjudicators_who_did_not_see_each_other_are_in_conflict(study, row):
    held = study.fold(geometry=False)
    for author in ("Cyd", "Dot"):
        with study.adjudication(author) as sitting:
            if author == "Cyd":
                sitting.accept(target_of(row), row["outline"], parents=held.seen(target_of(row)))
            else:
                sitting.reject(target_of(row), "cut off", parents=[row["outline"]])
    assert len(study.fold(geometry=False).conflicts) == 1
    assert not study.current()["counts"].any()


def test_a_signature_holds_until_anything_that_counts_changes(study, row, rulings):
    sign(study, "P1", "1", author="Dr Roe")
    (signature,) = signatures(study, study.fold(geometry=False), "P1", "1")
    assert (signature.holds, signature.changes) == (True, "")
    with study.sitting("Ada") as sitting:
        rulings.grade(sitting, target_of(row), 3)
    (signature,) = signatures(study, study.fold(geometry=False), "P1", "1")
    assert not signature.holds
    sign(study, "P1", "1", author="Dr Poe")
    found = signatures(study, study.fold(geometry=False), "P1", "1")
    assert [(one.author, one.holds) for one in found] == [("Dr Poe", True), ("Dr Roe", False)]
    with study.sitting("Ada") as sitting:
        sitting.reject(target_of(row), "cut off", parents=[row["outline"]])
    found = signatures(study, study.fold(geometry=False), "P1", "1")
    assert {one.changes for one in found} == {"1 measurements count no longer"}


def test_a_signature_of_one_visit_says_nothing_of_another(study, automatic_row, add_run):
    add_run(automatic_row(), automatic_row(visit="2", scan="b" * 64))
    sign(study, "P1", "1", author="Dr Roe")
    held = study.fold(geometry=False)
    assert signatures(study, held, "P1", "2") == []
    with pytest.raises(StudyRefused, match="nothing to sign"):
        sign(study, "P1", "3", author="Dr Roe")


def test_a_signature_keeps_the_rule_by_which_values_counted(study, automatic_row, add_run):
    add_run(automatic_row(validated=False))
    with pytest.raises(StudyRefused, match="nothing to sign"):
        sign(study, "P1", "1", author="Dr Roe")
    sign(study, "P1", "1", author="Dr Roe", include_unvalidated=True)
    (signature,) = signatures(study, study.fold(geometry=False), "P1", "1")
    assert signature.holds
    assert signature.include_unvalidated


def test_after_undo_and_redo_a_second_thought_still_replaces_the_first(study, row, rulings):
    target = target_of(row)
    with study.sitting("A. Smith") as sitting:
        rulings.grade(sitting, target, 1)
        second = rulings.grade(sitting, target, 2)
        undo = rulings.undo(sitting, second)
        assert [one.content["grade"] for one in standing(study, "grade")] == [1]
        rulings.undo(sitting, undo)
        assert [one.content["grade"] for one in standing(study, "grade")] == [2]
        undo = rulings.undo(sitting, second)
        assert [one.content["grade"] for one in standing(study, "grade")] == [1]
        rulings.grade(sitting, target, 3)
    assert [one.content["grade"] for one in standing(study, "grade")] == [3]
