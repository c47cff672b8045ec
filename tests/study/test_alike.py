"""Ids that look like one person's, and neighbours in a list of numbers that do not."""

from __future__ import annotations

import pytest

from usimg.study.alike import Patient, alike

DAY = ("Acme A1", "20260203")


def seen(*ids, name=""):
    return [Patient(i, frozenset({name} if name else set())) for i in ids]


def pairs(patients):
    return [(a.one, a.other) for a in alike(patients)]


@pytest.mark.parametrize(
    ("one", "other", "why"),
    [
        ("P007", "p-7", "case, separators or leading zeros"),
        ("ALS0I2", "ALS012", "a letter for a digit"),
        ("ALS12", "ASL12", "two neighbours swapped"),
        ("ALS12", "AXS12", "one character differs"),
    ],
)
def test_a_misspelt_id_is_shown_with_how_it_differs(one, other, why):
    (found,) = alike(seen(one, other))
    assert {found.one, found.other} == {one, other}
    assert why in found.why


def test_numbers_in_a_row_are_not_all_alike():
    assert pairs(seen(*(f"P{n:03d}" for n in range(1, 10)))) == []


def test_swapped_digits_are_shown_where_one_of_the_two_has_few_pictures():
    assert pairs([Patient("ALS012", pictures=30), Patient("ALS021", pictures=2)]) == [("ALS012", "ALS021")]
    assert pairs([Patient("ALS012", pictures=30), Patient("ALS021", pictures=28)]) == []


def test_one_digit_with_one_name_is_one_person_and_with_two_names_two():
    named = [Patient("1234", frozenset({"DOE^JANE"})), Patient("1235", frozenset({"Doe, Jane"}))]
    assert pairs(named) == [("1234", "1235")]
    assert pairs([named[0], Patient("1235", frozenset({"ROE^RICHARD"}))]) == []


def test_pictures_of_one_id_among_those_of_another_on_one_device_are_a_sign():
    long = Patient("1234", sessions={DAY: ("100000", "103000")})
    inside = Patient("1235", sessions={DAY: ("101000", "101000")})
    after = Patient("1236", sessions={DAY: ("104000", "110000")})
    assert pairs([long, inside, after]) == [("1234", "1235")]


def test_one_name_under_quite_other_ids_is_shown_and_an_anonymisers_name_is_not():
    assert pairs([Patient("A9", frozenset({"DOE^JANE"})), Patient("4711", frozenset({"JANE DOE"}))]) == [
        ("4711", "A9")
    ]
    assert pairs(seen("A9", "B471", "C33", "D555", name="ANONYMOUS")) == []


def test_one_id_with_two_names_is_shown_and_a_misspelt_name_is_none():
    (found,) = alike([Patient("A9", frozenset({"DOE^JANE", "ROE^RICHARD"}))])
    assert (found.one, found.other, found.why) == ("A9", "", "one id with two names")
    assert alike([Patient("A9", frozenset({"MUELLER^JANE", "MÜLLER^JANE"}))]) == []


def test_pseudonyms_that_differ_by_a_number_are_two_names():
    assert pairs([Patient(f"S{n}", frozenset({f"Study patient {n}"})) for n in range(1, 4)]) == []


def test_a_reason_names_nobody():
    for found in alike([Patient("1234", frozenset({"DOE^JANE"})), Patient("1243", frozenset({"DOE^JANE"}))]):
        assert "1234" not in found.why
        assert "doe" not in found.why.casefold()


def test_of_hundreds_of_numbers_only_the_misspelt_one_is_shown_and_its_own_first():
    many = [Patient(f"P{n:04d}", pictures=20) for n in range(500)]
    found = pairs([*many, Patient("p123", pictures=1)])
    assert found[0] == ("P0123", "p123")
    assert all("p123" in pair for pair in found)
