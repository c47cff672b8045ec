"""What counts, and patient rows."""

from __future__ import annotations

import pytest

from usimg.study import target_of
from usimg.study.tables import wide

COLUMN = "biceps_brachii__mid_arm__left__thickness_mm"
COUNT = "biceps_brachii__mid_arm__left__n_{}"


def test_repeats_are_averaged_and_said_how_they_came_about(study, automatic_row, add_run):
    rows = [automatic_row(repeat=n, thickness_mm=t) for n, t in ((1, 20.0), (2, 22.0), (3, 27.0))]
    add_run(*rows)
    with study.sitting("Ada") as sitting:
        sitting.accept(target_of(rows[0]), rows[0]["outline"])
        drawn = sitting.outline(
            target_of(rows[1]),
            {"polygons": []},
            {"thickness_mm": 24.0, "thickness_rule": "mean_vertical"},
            parents=(rows[1]["outline"],),
        )
        sitting.accept(target_of(rows[1]), drawn.id, parents=(drawn.id,))
    table = study.wide()
    assert table[COLUMN].tolist() == [pytest.approx((20.0 + 24.0 + 27.0) / 3)]
    assert [table[COUNT.format(s)][0] for s in ("automatic", "accepted", "corrected")] == [1, 1, 1]


@pytest.mark.parametrize("repeats", [(None, None), (1, 1), (1, None)])
def test_measurements_that_nothing_tells_apart_are_not_averaged(study, automatic_row, add_run, repeats):
    add_run(*[automatic_row(repeat=n, scan=s * 64) for n, s in zip(repeats, "ab", strict=True)])
    outcome = wide(study.current())
    assert COLUMN not in outcome.table
    assert outcome.left_out["reason"].str.contains("nothing tells apart").all()


def test_sides_sites_visits_and_persons_are_never_averaged(study, automatic_row, add_run):
    changes = [{}, {"side": "right"}, {"site": "elbow"}, {"visit": "2"}, {"subject": "P2"}]
    add_run(*[automatic_row(scan=str(i) * 64, thickness_mm=20.0 + i, **c) for i, c in enumerate(changes)])
    table = study.wide().set_index(["subject", "visit"])
    assert table.loc[("P1", "1"), COLUMN] == 20.0
    assert table.loc[("P1", "1"), COLUMN.replace("left", "right")] == 21.0
    assert table.loc[("P1", "1"), COLUMN.replace("mid_arm", "elbow")] == 22.0
    assert table.loc[("P1", "2"), COLUMN] == 23.0
    assert table.loc[("P2", "1"), COLUMN] == 24.0


def test_repeats_measured_by_different_rules_are_not_averaged(study, automatic_row, add_run):
    add_run(automatic_row(repeat=1), automatic_row(repeat=2, thickness_rule="mid_vertical", scan="b" * 64))
    outcome = wide(study.current())
    assert COLUMN not in outcome.table
    assert outcome.table[COLUMN.replace("thickness_mm", "echo_intensity")].tolist() == [60.0]
    assert outcome.left_out["feature"].tolist() == ["thickness_mm"]


def test_unvalidated_automatic_values_count_only_when_asked(study, automatic_row, add_run):
    add_run(automatic_row(validated=False))
    assert study.wide().empty
    assert study.wide(include_unvalidated=True)[COLUMN].tolist() == [20.0]


@pytest.mark.parametrize("confidence", [0.49, None])
def test_a_doubtful_automatic_outline_never_counts(study, automatic_row, add_run, confidence):
    add_run(automatic_row(confidence=confidence))
    assert study.wide(include_unvalidated=True).empty


def test_a_value_without_a_subject_is_left_out_with_its_reason(study, automatic_row, add_run):
    add_run(automatic_row(subject=""))
    outcome = wide(study.current())
    assert outcome.table.empty
    assert "no subject" in outcome.left_out["reason"][0]


def test_a_patient_row_has_no_number_in_pixels(study, automatic_row, add_run):
    add_run(automatic_row(thickness_px=400.0, csa_px2=9000.0))
    assert not [name for name in study.wide().columns if "_px" in name]


def test_the_schema_holds_every_column_of_a_measurement_and_no_other():
    from usimg.measurement import COLUMNS
    from usimg.study.schema import FEATURES, SCHEMA

    renamed = {"scale_source": "calibration_source"}
    identity = ("structure", "site", "side", "plane", "region", "method")
    assert [renamed.get(name, name) for name in COLUMNS if renamed.get(name, name) not in SCHEMA.names] == []
    origin = ("row_mm", "col_mm", "scale_source", "confidence", "validated", "flags", "reason")
    assert [name for name in COLUMNS if name not in (*identity, *origin)] == list(FEATURES)
