"""Whose grey levels may be compared: unknown never equals unknown."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from usimg.errors import StudyRefused
from usimg.scan import Header
from usimg.study.devices import Setting, Settings, combinations, read_devices, settings_of

KNOWN = Settings(
    *(Setting(text, "tag") for text in ("Acme", "A1", "L12", "MSK")),
    gain_db=Setting(50.0, "declared"),
    depth_mm=Setting(40.0, "picture"),
    dynamic_range_db=Setting(60.0, "declared"),
    map=Setting("2", "declared"),
)
ACME = Header(manufacturer="Acme", model="A1", probe="L12")


@pytest.fixture
def devices(tmp_path):
    def _devices(text: str):
        (tmp_path / "devices.csv").write_text(text, encoding="utf-8")
        return read_devices(tmp_path / "devices.csv")

    return _devices


def test_equal_known_settings_are_comparable_and_one_unknown_makes_them_not():
    assert KNOWN.differences(KNOWN) == []
    unknown = replace(KNOWN, map=Setting())
    assert unknown.differences(unknown) == ["map is not known"]


def test_depth_has_a_tolerance_and_gain_has_none():
    assert KNOWN.differences(replace(KNOWN, depth_mm=Setting(40.9, "picture"))) == []
    assert "depth_mm differs" in KNOWN.differences(replace(KNOWN, depth_mm=Setting(41.1, "picture")))[0]
    assert "gain_db differs" in KNOWN.differences(replace(KNOWN, gain_db=Setting(50.5, "declared")))[0]


def test_combinations_are_counted_and_what_lacks_something_compares_with_nothing():
    found = (
        [KNOWN] * 3
        + [replace(KNOWN, depth_mm=Setting(40.4, "picture"))]
        + [replace(KNOWN, preset=Setting())] * 2
    )
    counted = combinations(found)
    assert [(c.count, c.comparable) for c in counted] == [(4, True), (2, False)]


def test_combinations_do_not_depend_on_the_order_of_pictures():
    depths = (40.0, 40.3, 40.6)
    found = [replace(KNOWN, depth_mm=Setting(d, "picture"), dynamic_range_db=Setting(r, "declared"))
             for d in depths for r in (60.0, 70.0)]  # fmt: skip
    assert [c.count for c in combinations(found)] == [c.count for c in combinations(found[::-1])] == [3, 3]


def test_what_is_declared_is_marked_and_never_replaces_a_tag(devices):
    declared = devices("model;preset;gain_db;by\nA1;Muscle;50,5;AB\n")
    settings = settings_of(replace(ACME, protocol_name="Nerve"), None, declared)
    assert str(settings.preset) == "Nerve"
    assert str(settings.gain_db) == "50.5 (declared)"


def test_a_line_holds_for_its_probe_and_its_days_only(devices):
    declared = devices("model,probe,from,to,gain_db,by\na1,l12,01.02.2026,2026-02-28,50,AB\n")

    def gain(when, probe="L12"):
        return settings_of(replace(ACME, probe=probe), None, declared, when).gain_db.value

    assert gain(date(2026, 2, 1)) == gain(date(2026, 2, 28)) == 50.0
    assert gain(date(2026, 3, 1)) is gain(None) is gain(date(2026, 2, 1), probe="C5") is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("model,gain_db,by\nA1,loud,AB\n", "line 2, column gain_db"),
        ("model,from,by\nA1,02/03/2026,AB\n", "line 2, column from.*ambiguous"),
        ("model,gain_db\nA1,50\n", "line 2, column by: who declares"),
        ("model,from,to\nA1,2026-02-01,2026-01-01\n", "line 2, column to"),
        ("model\n\"\"\nx\n", ""),
    ],
)  # fmt: skip
def test_a_bad_cell_is_named_by_line_and_column(devices, text, said):
    if not said:
        assert len(devices(text)) == 1
        return
    with pytest.raises(StudyRefused, match=said):
        devices(text)


def test_two_lines_that_declare_different_values_of_one_picture_are_refused(devices):
    declared = devices("model,gain_db,by\nA1,50,AB\nA1,52,CD\n")
    with pytest.raises(StudyRefused, match=r"line 3, column gain_db: another line says 50"):
        settings_of(ACME, None, declared)
