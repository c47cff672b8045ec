"""Visits keep their order and distances, and lose their dates."""

from __future__ import annotations

from datetime import date, timedelta

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from usimg.study.days import age_by_tags, date_of, moved_day, named, since_first, without_date

KEY = b"k" * 32
DATES = st.dates(date(1990, 1, 1), date(2060, 1, 1))


@given(when=DATES, subject=st.text(max_size=8))
def test_only_who_has_the_key_can_have_a_date_back(when, subject):
    number = moved_day(when, subject, KEY)
    assert date_of(number, subject, KEY) == when
    assert date_of(number, subject, b"another") != when


@given(when=DATES, days=st.integers(0, 5000))
def test_the_distance_of_two_visits_is_kept(when, days):
    later = moved_day(when + timedelta(days=days), "P1", KEY)
    assert later - moved_day(when, "P1", KEY) == days


@pytest.mark.parametrize(
    ("visit", "taken", "kept"),
    [("2026-02-03", "", ""), ("3.2.2026", "20260204", ""), ("baseline", "20260203", "baseline")],
)
def test_a_visit_that_is_a_date_is_kept_as_a_number(visit, taken, kept):
    row = without_date({"subject": "P1", "visit": visit}, taken, None, KEY)
    assert row["visit"] == kept
    assert date_of(row["day"], "P1", KEY) == date(2026, 2, 3)
    assert without_date({"subject": "P1", "visit": ""}, "", None, KEY)["day"] is None


def test_visits_that_nobody_named_are_named_by_the_order_of_their_days():
    rows = pd.DataFrame(
        [("P1", "", 40), ("P1", "", 10), ("P1", "", 10), ("P1", "first", 5), ("P2", "", 7), ("P3", "", None)],
        columns=["subject", "visit", "day"],
    ).astype({"visit": "string", "day": "Int32"})
    assert named(rows)["visit"].tolist() == ["v3", "v2", "v2", "first", "v1", ""]
    assert since_first(rows).tolist()[:5] == [35, 5, 5, 0, 0]


@pytest.mark.parametrize(
    ("birth", "stated", "taken", "age"),
    [
        ("19600203", None, "20260805", 66.5),
        ("19600203", "070Y", "20260203", 66.0),
        (None, "018M", "20260203", 1.5),
        (None, None, "20260203", None),
        ("20270101", None, "20260203", None),
        ("garbage", "old", "20260203", None),
    ],
)
def test_the_age_is_that_of_the_date_of_birth_else_of_the_tag(birth, stated, taken, age):
    assert age_by_tags(birth, stated, taken) == age
