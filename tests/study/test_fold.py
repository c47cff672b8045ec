"""What holds now, from automatic rows and people's decisions."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usimg.study import Decision, Study, Target, outline_of, roi_of, target_of
from usimg.study.history import History

WIDER = [[10.0, 10.0], [10.0, 60.0], [50.0, 60.0], [50.0, 10.0]]


def only(frame):
    assert len(frame) == 1
    return frame.iloc[0]


@pytest.fixture
def row(automatic_row, add_run):
    row = automatic_row()
    add_run(row)
    return row


def correct(sitting, row, *, thickness, parents, polygon=WIDER):
    drawn = sitting.outline(
        target_of(row),
        {"polygons": [polygon], "upper": None, "lower": None, "line": None},
        {"thickness_mm": thickness, "thickness_rule": "mean_vertical"},
        parents=parents,
    )
    return drawn, sitting.accept(target_of(row), drawn.id, parents=(drawn.id,))


def test_an_untouched_outline_is_automatic_and_keeps_its_geometry(study, row):
    held = only(study.fold().rows)
    assert held["state"] == "automatic"
    assert held["thickness_mm"] == 20.0
    assert outline_of(roi_of(held)) == outline_of(roi_of(row))


def test_accepting_makes_an_unvalidated_outline_count(study, automatic_row, add_run):
    row = automatic_row(validated=False)
    add_run(row)
    assert not only(study.current())["counts"]
    with study.sitting("Ada") as sitting:
        sitting.accept(target_of(row), row["outline"])
    held = only(study.current())
    assert (held["state"], held["counts"], held["author"]) == ("accepted", True, "Ada")
    assert held["thickness_mm"] == 20.0


def test_a_correction_counts_once_accepted_with_the_numbers_it_carries(study, row):
    with study.sitting("Ada") as sitting:
        drawn = sitting.outline(
            target_of(row), {"polygons": [WIDER]}, {"thickness_mm": 25.0}, parents=(row["outline"],)
        )
        draft = only(study.current())
        assert (draft["state"], draft["counts"]) == ("draft", False)
        sitting.accept(target_of(row), drawn.id, parents=(drawn.id,))
    held = only(study.current(geometry=True))
    assert (held["state"], held["counts"], held["thickness_mm"]) == ("corrected", True, 25.0)
    assert roi_of(held).polygon.tolist() == WIDER


def test_a_corrected_row_keeps_no_number_of_the_outline_it_replaced(study, row):
    with study.sitting("Ada") as sitting:
        correct(sitting, row, thickness=25.0, parents=(row["outline"],))
    assert only(study.current()).isna()["echo_intensity"]


def test_a_new_run_does_not_supersede_what_a_person_accepted(study, row, automatic_row, add_run):
    with study.sitting("Ada") as sitting:
        sitting.accept(target_of(row), row["outline"])
    newer = automatic_row(thickness_mm=22.0, method="classical 2", polygon=WIDER)
    add_run(newer, run="run2", generation=2)
    assert only(study.current())["thickness_mm"] == 20.0


def test_a_new_run_replaces_automatic_rows_whatever_its_name(study, row, automatic_row, add_run):
    newer = automatic_row(thickness_mm=22.0, polygon=WIDER)
    add_run(newer, run="a-name-that-sorts-first", generation=2)
    assert only(study.current())["thickness_mm"] == 22.0


def test_a_rejected_outline_gives_no_number_and_says_why(study, row):
    with study.sitting("Ada") as sitting:
        sitting.reject(target_of(row), "border not visible", parents=(row["outline"],))
    held = only(study.current())
    assert (held["state"], held["counts"], held["reason"]) == ("rejected", False, "border not visible")
    assert held.isna()["thickness_mm"]


def test_undo_brings_back_what_was_replaced_and_undoing_the_undo_redoes(study, row):
    target = target_of(row)
    with study.sitting("Ada") as sitting:
        accepted = sitting.accept(target, row["outline"])
        rejected = sitting.reject(target, "wrong plane", parents=(accepted.id,))
        undone = sitting.undo(rejected)
        assert only(study.current())["state"] == "accepted"
        twice = sitting.undo(accepted, parents=(undone.id,))
        held = only(study.current())
        assert (held["state"], held["heads"]) == ("automatic", [twice.id])
        sitting.undo(twice)
        assert only(study.current())["state"] == "accepted"


def test_two_heads_of_one_reader_are_a_conflict_until_a_decision_names_both(study, row):
    target = target_of(row)
    heads = []
    for thickness in (21.0, 25.0):
        with study.sitting("Ada") as sitting:  # two computers, neither saw the other
            polygon = [[r + thickness, c] for r, c in WIDER]
            heads.append(
                correct(sitting, row, thickness=thickness, parents=(row["outline"],), polygon=polygon)[1]
            )
    held = only(study.current())
    assert (held["state"], held["counts"]) == ("conflict", False)
    assert sorted(held["heads"]) == sorted(head.id for head in heads)
    with study.sitting("Ada") as sitting:
        sitting.accept(target, heads[1].content["outline"], parents=held["heads"])
    settled = only(study.current())
    assert (settled["state"], settled["thickness_mm"]) == ("corrected", 25.0)
    assert not study.fold().conflicts


def test_accepting_one_outline_on_two_computers_is_no_conflict(study, row):
    for _ in range(2):
        with study.sitting("Ada") as sitting:
            sitting.accept(target_of(row), row["outline"])
    assert only(study.current())["state"] == "accepted"


def test_readers_who_differ_are_averaged_until_the_study_names_the_primary_one(study, row):
    for author, thickness in (("Ada", 21.0), ("Ben", 25.0)):
        with study.sitting(author) as sitting:
            correct(sitting, row, thickness=thickness, parents=(row["outline"],))
    assert study.current()["counts"].tolist() == [True, True]
    assert study.wide()["biceps_brachii__mid_arm__left__thickness_mm"].tolist() == [23.0]
    settings = study.root / "study.toml"
    settings.write_text(settings.read_text().replace('primary_reader = ""', 'primary_reader = "Ben"'))
    current = Study.open(study.root).current()
    assert current.loc[current["counts"], "thickness_mm"].tolist() == [25.0]


def test_an_adjudicated_outline_stands_before_every_reader_even_a_blind_one_s(study, row):
    with study.sitting("Ada") as sitting:
        correct(sitting, row, thickness=21.0, parents=(row["outline"],))
    with study.sitting("Ben", arm="blind") as sitting:
        drawn, _ = correct(sitting, row, thickness=25.0, parents=())
    assert study.current().query("counts")["thickness_mm"].tolist() == [21.0]
    with study.sitting("Cleo", arm="adjudicated") as sitting:
        sitting.accept(target_of(row), drawn.id)
    counting = only(study.current().query("counts"))
    assert (counting["thickness_mm"], counting["author"]) == (25.0, "Cleo")
    assert (study.current()["state"] == "automatic").sum() == 0


def test_an_outline_that_one_reader_rejects_does_not_count_until_adjudicated(study, row):
    with study.sitting("Ada") as sitting:
        sitting.accept(target_of(row), row["outline"])
    with study.sitting("Ben") as sitting:
        sitting.reject(target_of(row), "wrong plane", parents=(row["outline"],))
    assert not study.current()["counts"].any()
    with study.sitting("Cleo", arm="adjudicated") as sitting:
        sitting.reject(target_of(row), "wrong plane", parents=())
    assert not study.current()["counts"].any()
    assert "adjudicated otherwise" in set(study.current()["counts_reason"])


def test_another_method_lies_beside_the_first_until_a_person_chooses_it(study, automatic_row, add_run):
    add_run(automatic_row())
    newer = automatic_row(thickness_mm=22.0, method="network 2", polygon=WIDER)
    add_run(newer, run="run2", generation=2)
    assert only(study.current())["thickness_mm"] == 20.0
    held = study.fold()
    with study.sitting("Ada") as sitting:
        sitting.decide("choose", Target(""), {"method": held.methods[1]})
    assert only(study.current())["thickness_mm"] == 22.0
    with study.sitting("Ben") as sitting:
        sitting.decide("choose", Target(""), {"method": held.methods[0]})
    assert "disagree" in study.fold().problems[0]
    with study.sitting("Ben") as sitting:
        sitting.decide(
            "choose", Target(""), {"method": held.methods[1]}, parents=[d.id for d in study.fold().others]
        )
    assert study.fold().problems == []
    assert only(study.current())["thickness_mm"] == 22.0


def test_what_a_person_accepted_survives_the_choice_of_another_method(study, row, automatic_row, add_run):
    with study.sitting("Ada") as sitting:
        sitting.accept(target_of(row), row["outline"])
    add_run(automatic_row(thickness_mm=22.0, method="network 2", polygon=WIDER), run="run2", generation=2)
    with study.sitting("Ada") as sitting:
        sitting.decide("choose", Target(""), {"method": study.fold().methods[1]})
    held = only(study.current())
    assert (held["state"], held["thickness_mm"]) == ("accepted", 20.0)


def test_numbers_measured_again_replace_those_of_a_persons_outline(study, row, add_run):
    with study.sitting("Ada") as sitting:
        drawn, _ = correct(sitting, row, thickness=25.0, parents=(row["outline"],))
    add_run(
        row | {"thickness_mm": 19.0},
        row | {"outline": drawn.id, "status": "remeasured", "thickness_mm": 24.0},
        run="run2",
        generation=2,
    )
    held = only(study.current())
    assert (held["state"], held["thickness_mm"]) == ("corrected", 24.0)


def test_two_readers_who_accept_the_same_outline_count_once(study, row):
    for author in ("Ada", "Ben"):
        with study.sitting(author) as sitting:
            sitting.accept(target_of(row), row["outline"])
    assert study.current()["counts"].tolist() == [True, False]


def test_a_reading_in_an_arm_never_counts_and_leaves_the_automatic_row(study, row):
    with study.sitting("Ada", arm="blind") as sitting:
        correct(sitting, row, thickness=25.0, parents=())
    current = study.current()
    assert current.loc[current["counts"], "thickness_mm"].tolist() == [20.0]
    assert len(current) == 2


def test_a_label_changed_after_acceptance_stops_the_value_counting(study, row, automatic_row, add_run):
    with study.sitting("Ada") as sitting:
        sitting.accept(target_of(row), row["outline"])
    add_run(automatic_row(side="right"), run="run2", generation=2)
    current = study.current()
    left = only(current[current["side"] == "left"])
    assert (left["state"], left["counts"]) == ("moved", False)
    assert only(current[current["counts"]])["side"] == "right"


def test_a_mended_subject_takes_the_accepted_outline_along(study, row, automatic_row, add_run):
    with study.sitting("Ada") as sitting:
        sitting.accept(target_of(row), row["outline"])
    add_run(automatic_row(subject="P2"), run="run2", generation=2)
    held = only(study.current())
    assert (held["subject"], held["state"]) == ("P2", "accepted")


def test_a_structure_drawn_where_no_run_looked_belongs_to_the_pictures_subject(study, row):
    target = target_of({**row, "structure": "median_nerve", "site": "wrist"})
    with study.sitting("Ada") as sitting:
        drawn = sitting.outline(target, {"polygons": [WIDER]}, {"csa_mm2": 9.5}, parents=())
        sitting.accept(target, drawn.id)
    current = study.current()
    nerve = only(current[current["structure"] == "median_nerve"])
    assert (nerve["subject"], nerve["counts"], nerve["csa_mm2"]) == ("P1", True, 9.5)
    assert len(current) == 2


def test_the_fold_does_not_depend_on_the_order_of_files(study, automatic_row, add_run, tmp_path):
    rows = [automatic_row(repeat=n, thickness_mm=20.0 + n) for n in range(3)]
    add_run(*rows)
    for author, row in zip(("Ada", "Ben", "Cleo"), rows, strict=True):
        with study.sitting(author) as sitting:
            sitting.accept(target_of(row), row["outline"])
    files = sorted(study.people.iterdir())
    content = [file.read_bytes() for file in files]
    expected = study.current()
    for order in itertools.permutations(content):
        for file, lines in zip(files, order, strict=True):
            file.write_bytes(lines)
        assert study.current().equals(expected)


@given(steps=st.lists(st.sampled_from(["accept", "reject", "undo", "redo"]), max_size=12))
def test_undo_and_redo_follow_a_persons_steps_like_any_editor(steps):
    made: dict[str, Decision] = {}
    in_force, taken_back = ["automatic"], []  # what stood before each step, and undo lines

    def decide(kind, content, parent):
        decision = Decision(kind, Target("a" * 64), "Ada", str(len(made)), content, "Ada", "", (parent,))
        made[decision.id] = decision
        return decision.id

    head = "automatic"
    for step in steps:
        if step == "undo" and len(in_force) > 1:
            head = decide("undo", {"undoes": in_force[-1]}, head)
            taken_back.append((head, in_force.pop()))
        elif step == "redo" and taken_back:
            line, again = taken_back.pop()
            head = decide("undo", {"undoes": line}, head)
            in_force.append(again)
        elif step in ("accept", "reject"):
            content = {"outline": f"outline {len(made)}"} if step == "accept" else {"reason": "cut off"}
            head = decide(step, content, head)
            in_force.append(head)
            taken_back.clear()
    readings = History(made).readings()
    if made:
        assert readings[0].heads == (head,)
        assert readings[0].standing == (in_force[-1],)
