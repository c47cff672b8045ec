"""What is known of patients, and that no date of birth comes out."""

from __future__ import annotations

from datetime import date

import pytest

from usimg.errors import StudyRefused
from usimg.study.subjects import Person, covariates, read_people


@pytest.fixture
def people(tmp_path):
    def _people(text: str):
        (tmp_path / "subjects.csv").write_text(text, encoding="utf-8")
        return read_people(tmp_path / "subjects.csv")

    return _people


def test_facts_may_stand_in_any_line_of_a_subject(people):
    found = people(
        "alias;id;sex;birth_date;height_cm\nMüller^Eva;P1;w;;\nMueller, Eva;P1;;03.02.1960;171,5\n"
    )
    assert found["P1"] == Person("P1", "female", date(1960, 2, 3), height_cm=171.5)


@pytest.mark.parametrize(
    ("born", "visit", "age"),
    [
        ((1960, 2, 3), (2026, 2, 3), 66.0),
        ((1960, 2, 3), (2026, 3, 12), 66.1),
        ((2000, 2, 29), (2026, 8, 30), 26.5),
    ],
)
def test_age_at_a_visit_is_given_to_a_tenth_of_a_year(born, visit, age):
    assert Person("P1", birth_date=date(*born)).age(date(*visit)) == (age, "")


def test_a_year_of_birth_gives_an_age_that_says_how_exact_it_is():
    years, doubt = Person("P1", birth_year=1960).age(date(2026, 7, 1))
    assert (years, doubt) == (66.0, "from the year alone: right to half a year")


def test_without_a_birth_there_is_no_age_and_a_reason():
    assert Person("P1").age(date(2026, 1, 1)) == (None, "neither birth_date nor birth_year in subjects.csv")


def test_what_tables_get_holds_ages_and_no_date():
    person = Person("P1", "male", date(1960, 2, 3), height_cm=180.0, onset_date=date(2025, 2, 3))
    facts = covariates(person, "2026-02-03")
    assert facts == {
        "sex": "male", "age_years": 66.0, "height_cm": 180.0, "weight_kg": None, "years_since_onset": 1.0,
    }  # fmt: skip
    assert "1960" not in repr(person) + repr(facts)
    assert covariates(person, "baseline")["age_years"] is None


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("sex\na,P1,x", "column sex"),
        ("birth_date\na,P1,03/02/1960", "column birth_date.*ambiguous"),
        ("height_cm\na,P1,1.71", "column height_cm.*between 40 and 250"),
        ("birth_year\na,P1,60", "column birth_year"),
        ("sex\na,P1,f\nb,P1,m", "line 3, column sex: P1 has another sex further up"),
    ],
)
def test_what_cannot_be_or_contradicts_itself_is_refused(people, cell, said):
    with pytest.raises(StudyRefused, match=said):
        people(f"alias,id,{cell}\n")


def test_a_visit_before_the_birth_is_refused():
    with pytest.raises(StudyRefused, match="before the birth"):
        Person("P1", birth_date=date(2026, 1, 1)).age(date(2025, 1, 1))
