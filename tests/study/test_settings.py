"""Which grey levels may be averaged: the settings key of rows."""

from __future__ import annotations

import pytest

from usimg.study.settings import differences, is_known, without_names
from usimg.study.tables import wide

KNOWN = {
    "maker": "Acme", "model": "A1", "probe": "L12", "preset": "MSK", "gain_db": 50.0, "depth_mm": 40.0,
    "dynamic_range_db": 60.0, "grey_map": "E",
}  # fmt: skip


@pytest.fixture
def repeats(study, automatic_row, add_run):
    """Two repeats, the second with other settings; what they come to."""

    def _repeats(**other):
        rows = [automatic_row(**KNOWN), automatic_row(**KNOWN | other, repeat=2, scan="b" * 64)]
        add_run(*rows)
        return study.current()

    return _repeats


def features(current):
    return set(wide(current).long["feature"])


def test_one_key_is_averaged_and_depths_within_the_tolerance_are_one(repeats):
    current = repeats(depth_mm=40.8)
    assert current["settings"].nunique() == 1
    assert is_known(current["settings"].iloc[0])
    assert {"thickness_mm", "echo_intensity"} <= features(current)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"depth_mm": 45.0}, "depth 40 mm or depth 45 mm"),
        ({"gain_db": 51.0}, "gain 50 dB or gain 51 dB"),
        ({"gain_db": None}, "gain 50 dB or gain ?"),
        ({"probe": "L18"}, "probe L12 or probe L18"),
    ],
)
def test_repeats_with_other_settings_give_lengths_and_no_echo_intensity(repeats, other, said):
    current = repeats(**other)
    assert "thickness_mm" in features(current)
    assert "echo_intensity" not in features(current)
    left_out = wide(current).left_out
    assert f"repeats with different settings: {said}" in set(left_out["reason"])


def test_what_is_unknown_is_marked_and_what_a_laboratory_declares_fills_it_in(study, repeats):
    current = repeats(gain_db=None, grey_map=None)
    (key,) = {key for key in current["settings"] if not is_known(key)}
    assert "gain ?" in key
    (study.root / "devices.csv").write_text(
        "maker;model;gain_db;map;by\nAcme;A1;50;E;Dr Roe\n", encoding="utf-8"
    )
    declared = study.current()["settings"]
    assert all(map(is_known, declared))
    assert any("gain 50 dB (declared)" in key for key in declared)
    # What is declared is not what a tag says, until it is the same.
    assert (
        differences(sorted(set(declared))) == "gain 50 dB or gain 50 dB (declared); map E or map E (declared)"
    )


def test_a_line_for_some_days_holds_on_those_days_only(study, automatic_row, add_run):
    from datetime import date

    from usimg.study.days import moved_day

    days = [moved_day(when, "P1", study.secret) for when in (date(2025, 1, 5), date(2026, 1, 5))]
    unknown = KNOWN | {"gain_db": None}
    add_run(*(automatic_row(**unknown, day=day, visit="", scan=f"{day:064x}") for day in days))
    (study.root / "devices.csv").write_text(
        "model,from,to,gain_db,by\nA1,2026-01-01,2026-12-31,55,Dr Roe\n", encoding="utf-8"
    )
    current = study.current().set_index("visit")["settings"]
    assert "gain ?" in current["v1"]
    assert "gain 55 dB (declared)" in current["v2"]


def test_a_preset_is_kept_by_a_code_and_shown_by_name_once_it_is_declared(study, automatic_row, add_run):
    row = without_names(automatic_row(**KNOWN | {"preset": "MSK  Doe"}), study.secret)
    assert "Doe" not in row["preset"]
    add_run(row)
    assert "Doe" not in study.current()["settings"].iloc[0]
    (study.root / "devices.csv").write_text("model,preset,by\nA1,MSK Doe,Dr Roe\n", encoding="utf-8")
    assert "preset MSK Doe" in study.current()["settings"].iloc[0]
