"""What a table gives, and what it does not give with a reason."""

import numpy as np
import pandas as pd
import pytest

from usimg.agreement import compare
from usimg.agreement.table import read, tidy
from usimg.errors import StudyRefused
from usimg.simulate import reader_study


@pytest.fixture
def table():
    made = reader_study(20, readers=2, images=1, seed=1).table
    return made[made["measure"] == "thickness_mm"].reset_index(drop=True)


def reasons(table, between="readers"):
    found = compare(table, between)
    assert not found.estimates
    return [one.reason for one in found.excluded]


def test_one_reader_is_nothing_to_compare(table):
    assert reasons(table[table["reader"] == "reader A"]) == [
        "only one reader (reader A): nothing to compare with"
    ]


def test_one_patient_is_too_few(table):
    one = table[table["subject"] == table["subject"].iloc[0]]
    assert reasons(one) == ["1 patient has values of two readers; at least 3 are needed"]


def test_constant_values_say_nothing(table):
    assert reasons(table.assign(value=20.0)) == [
        "every value is 20: constant values say nothing of agreement"
    ]


def test_two_units_are_not_compared(table):
    mixed = table.assign(unit=np.where(table["reader"] == "reader A", "mm", "cm"))
    assert reasons(mixed) == ["values in cm and in mm; convert them to one unit"]


def test_two_rules_are_not_compared(table):
    mixed = table.assign(rule=np.where(table["reader"] == "reader A", "inside_rim", "outside_rim"))
    assert reasons(mixed) == ["measured by different rules (inside_rim, outside_rim); choose one"]


def test_grey_levels_of_two_devices_are_not_compared(table):
    mixed = table.assign(
        measure="echo_intensity", device=np.where(table["reader"] == "reader A", "GE", "Philips")
    )
    assert "bridge them first" in reasons(mixed)[0]
    lengths = mixed.assign(measure="thickness_mm")
    assert compare(lengths).estimates


def test_a_table_without_readers_says_so(table):
    assert reasons(table[table["reader"] == "reader A"].drop(columns="reader")) == [
        "column reader is empty: nothing says which reader a value is of"
    ]


def test_one_measurement_twice_is_refused_by_its_lines(table):
    with pytest.raises(StudyRefused, match="lines 0, 40 are one measurement twice"):
        compare(pd.concat([table, table.iloc[[0]]], ignore_index=True))


def test_muscles_are_never_pooled(table):
    both = pd.concat([table, table.assign(structure="tibialis_anterior", value=table["value"] + 8)])
    found = compare(both).estimates
    assert [one.comparison.structure for one in found] == ["rectus_femoris", "tibialis_anterior"]
    assert found[0].icc["ICC(2,1)"].value == pytest.approx(found[1].icc["ICC(2,1)"].value)


def test_two_sides_of_a_patient_are_two_comparisons(table):
    both = pd.concat([table, table.assign(side="right")])
    assert [one.comparison.side for one in compare(both).estimates] == ["left", "right"]


def test_one_side_of_each_patient_is_one_comparison(table):
    right = table["subject"].isin(sorted(set(table["subject"]))[:8])
    found = compare(table.assign(side=np.where(right, "right", "left"))).estimates
    assert [(one.comparison.side, one.patients) for one in found] == [("left or right", 20)]


def test_later_visits_are_left_out_and_counted(table):
    later = table.assign(visit="2", value=table["value"] - 3)
    found = compare(pd.concat([table.assign(visit="1"), later]))
    assert found.estimates[0].icc == compare(table).estimates[0].icc
    assert [(one.name, one.reason) for one in found.excluded] == [
        ("later visits", "40 values; between visits the patient changes")
    ]


def test_failed_outlines_are_counted_and_given_with_and_without(table):
    table.loc[0, "value"] = np.nan
    bad = table.index[3]
    marked = table.assign(failed="")
    marked.loc[bad, ["failed", "value"]] = ["yes", 5.0]
    counted, without = compare(marked).estimates
    assert (counted.failures, without.failures) == ("counted", "left out")
    assert counted.icc["ICC(2,1)"].value < without.icc["ICC(2,1)"].value
    assert (counted.patients, counted.incomplete, without.patients) == (19, 1, 18)
    assert sum(level.failed for level in without.levels) == 1
    assert sum(level.marked for level in without.levels) == 1


def test_a_failure_is_a_miss_where_failures_count(table):
    table.loc[[0, 2], "value"] = np.nan
    close = compare(table).estimates[0].close
    assert (close.pairs, close.failures) == (18, 2)
    assert close.with_failures == pytest.approx(close.measured * 18 / 20)


def test_readers_who_start_from_one_outline_are_a_comparison_of_their_own(table):
    started = table.assign(start="automatic", edited="no")
    started["value"] = started.groupby("subject")["value"].transform("first")
    scratch = table.assign(start="scratch")
    drawn, automatic = compare(pd.concat([started, scratch])).estimates
    assert (automatic.comparison.start, drawn.comparison.start) == ("automatic", "scratch")
    assert automatic.icc["ICC(2,1)"].value == 1.0
    assert all(level.unedited == 1.0 for level in automatic.levels)
    assert any("not independent" in note and "100%" in note for note in automatic.notes)
    assert not any("independent" in note for note in drawn.notes)


def test_repeats_are_compared_within_each_reader():
    found = compare(reader_study(20, readers=2, images=3, seed=1).table, "repeats").estimates
    assert {one.comparison.reader for one in found} == {"reader A", "reader B"}
    assert all(len(one.pairs) == 3 for one in found)


def test_a_reader_who_read_twice_has_an_error_of_his_own():
    rng = np.random.default_rng(0)
    rows = [
        {
            "subject": f"S{n}",
            "measure": "csa_mm2",
            "reader": "A",
            "reading": str(r),
            "value": size + rng.normal(0, 0.4),
        }
        for n, size in enumerate(rng.normal(10, 2, 40))
        for r in (1, 2)
    ]
    estimate = compare(pd.DataFrame(rows), "readings").estimates[0]
    assert estimate.errors[0].kind == "re-reading, same reader"
    assert estimate.errors[0].sem.low < 0.4 < estimate.errors[0].sem.high


def test_readers_who_read_twice_are_compared_by_their_first_reading(table):
    second = table.assign(reading="2", value=table["value"] + 1.0)
    both = compare(pd.concat([table.assign(reading="1"), second], ignore_index=True)).estimates[0]
    once = compare(table).estimates[0]
    assert both.icc["ICC(2,1)"].value == pytest.approx(once.icc["ICC(2,1)"].value)
    assert both.pairs[0].n_pairs == once.pairs[0].n_pairs


def test_an_operator_adds_to_the_error_of_a_re_scan():
    rng = np.random.default_rng(0)
    rows = [
        {
            "subject": f"S{n}",
            "measure": "thickness_mm",
            "operator": who,
            "value": size + bias + rng.normal(0, 0.5),
        }
        for n, size in enumerate(rng.normal(22, 4, 40))
        for who, bias in (("o1", 0.0), ("o2", 1.0))
    ]
    found = compare(pd.DataFrame(rows), "operators")
    error = found.estimates[0].errors[0]
    assert error.kind == "re-scan, another operator"
    assert error.sem.value == pytest.approx(np.sqrt(0.5 + 0.25), rel=0.15)
    assert found.what_was_repeated == "Patients were scanned again."


def test_an_unknown_comparison_is_refused_with_the_known_ones(table):
    with pytest.raises(StudyRefused, match="readers, readings, repeats"):
        compare(table, "colours")


def test_a_csv_of_a_german_excel_is_read(tmp_path, table):
    path = tmp_path / "t.csv"
    text = table.to_csv(index=False, sep=";", decimal=",")
    path.write_bytes(text.encode("cp1252"))
    assert read(path)["value"].to_numpy() == pytest.approx(table["value"].to_numpy())


def test_a_cell_that_is_no_number_names_its_line(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("subject,measure,value\nP1,csa_mm2,10\nP2,csa_mm2,ten\n")
    with pytest.raises(StudyRefused, match=r"t\.csv line 3, column value"):
        read(path)


def test_a_flag_that_is_neither_yes_nor_no_is_refused(table):
    with pytest.raises(StudyRefused, match="column failed: 'maybe' is neither yes nor no"):
        tidy(table.assign(failed="maybe"))
