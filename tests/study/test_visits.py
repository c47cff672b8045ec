"""What a visit lacks, who signed it, and what is known of the person; no date."""

from __future__ import annotations

from datetime import date

import pytest

from usimg.study import target_of
from usimg.study.days import moved_day
from usimg.study.rulings import Rulings
from usimg.study.signing import sign
from usimg.study.tables import current_of
from usimg.study.visits import visits_of

PROTOCOL = """\
name = "arm"
[[measure]]
structure = "biceps_brachii"
sides = ["left", "right"]
repeats = 2
"""


@pytest.fixture
def arm(study):
    (study.root / "arm.toml").write_text(PROTOCOL)
    settings = study.root / "study.toml"
    settings.write_text(settings.read_text().replace('"generic"', '"arm.toml"'))
    return type(study).open(study.root)


def lines(study):
    held = study.fold(geometry=False)
    return visits_of(study, held, current_of(study, held)).to_dict("records")


def test_a_rejected_capture_is_missing_and_what_was_not_done_says_why(arm, automatic_row, add_run):
    rows = [automatic_row(repeat=n, scan=f"{n:064x}") for n in (1, 2)]
    add_run(*rows)
    (visit,) = lines(arm)
    assert (visit["missing"], visit["complete"]) == ("biceps_brachii right: 0 of 2", "no")
    with arm.sitting("Ada") as sitting:
        sitting.reject(target_of(rows[0]), "cut off", parents=[rows[0]["outline"]])
        Rulings([]).not_done(sitting, "P1", "1", "biceps_brachii", "cast", side="right")
    (visit,) = lines(arm)
    assert visit["missing"] == "biceps_brachii left: 1 of 2"
    assert visit["not_done"] == "biceps_brachii right: 0 of 2: cast"


def test_a_protocol_that_asks_for_nothing_calls_no_visit_complete(study, automatic_row, add_run):
    add_run(automatic_row())
    (visit,) = lines(study)
    assert (visit["complete"], visit["missing"], visit["pictures"]) == ("", "", 1)


def test_signatures_stand_beside_the_visit(study, automatic_row, add_run):
    row = automatic_row()
    add_run(row)
    sign(study, "P1", "1", author="Dr Roe")
    (visit,) = lines(study)
    assert (visit["signed_by"], visit["signature"]) == ("Dr Roe", "holds")
    with study.sitting("Ada") as sitting:
        sitting.reject(target_of(row), "cut off", parents=[row["outline"]])
    (visit,) = lines(study)
    assert (visit["signed_by"], visit["signature"]) == ("", "void: 1 measurements count no longer")


def test_ages_come_from_subjects_csv_before_the_tags_and_no_date_comes_out(study, automatic_row, add_run):
    days = {subject: moved_day(date(2026, 8, 5), subject, study.secret) for subject in ("P1", "P2")}
    add_run(
        automatic_row(visit="", day=days["P1"], age_years=60.0),
        automatic_row(subject="P2", visit="", day=days["P2"], age_years=60.0, scan="b" * 64),
    )
    (study.private / "subjects.csv").write_text(
        "alias,id,sex,birth_date,onset_date\nX,P1,f,1960-02-03,2024-08-05\n", encoding="utf-8"
    )
    study = type(study).open(study.root)
    one, other = lines(study)
    assert (one["age_years"], one["sex"], one["years_since_onset"]) == (66.5, "female", 2.0)
    assert (other["age_years"], other["visit"]) == (60.0, "v1")
    assert "2026" not in str([one, other])


def test_a_signature_follows_its_day_when_an_earlier_visit_comes_to_light(study, automatic_row, add_run):
    days = [moved_day(when, "P1", study.secret) for when in (date(2025, 1, 5), date(2026, 1, 5))]
    add_run(automatic_row(visit="", day=days[1]))
    sign(study, "P1", "v1", author="Dr Roe")
    add_run(automatic_row(visit="", day=days[0], scan="b" * 64), run="run2")
    first, second = lines(study)
    assert (first["signature"], second["visit"], second["signature"]) == ("", "v2", "holds")


def test_a_signature_does_not_slip_to_a_named_visit_of_the_same_day(study, automatic_row, add_run):
    day = moved_day(date(2026, 1, 5), "P1", study.secret)
    add_run(automatic_row(visit="", day=day), automatic_row(visit="1", day=day, scan="b" * 64))
    sign(study, "P1", "v1", author="Dr Roe")
    assert {line["visit"]: line["signature"] for line in lines(study)} == {"1": "", "v1": "holds"}
