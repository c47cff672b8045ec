"""What Excel, R, DuckDB and REDCap get to read."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import duckdb
import openpyxl
import pandas as pd
import pytest

from usimg.study import outline_of, roi_of, target_of
from usimg.study.exports import export, tables_of
from usimg.study.redcap import HEADER, MOST_LETTERS

COLUMN = "biceps_brachii__mid_arm__left__thickness_mm"


@pytest.fixture
def repeats(study, automatic_row, add_run):
    rows = [
        automatic_row(repeat=n, scan=f"{n:064x}", thickness_mm=20.5 + n, subject="007", device="=1+1")
        for n in (1, 2)
    ]
    add_run(*rows)
    return rows


def lines(path, **options):
    with path.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file, **options))


def test_the_workbook_has_ids_as_text_a_dictionary_and_sources(study, repeats):
    export(study, excel=True)
    book = openpyxl.load_workbook(study.exports / "study.xlsx")
    patients = book["patients"]
    names = [cell.value for cell in patients[1]]
    cell = patients.cell(2, names.index("subject") + 1)
    assert (cell.value, cell.data_type, cell.number_format) == ("007", "s", "@")
    assert patients.cell(2, names.index(COLUMN) + 1).value == 22.0
    device = [cell.value for cell in book["measurements"][1]].index("device") + 1
    assert book["measurements"].cell(2, device).data_type == "s"  # and not a formula
    said = {row[0]: row[1:] for row in book["dictionary"].iter_rows(values_only=True)}
    assert set(names) <= set(said)
    assert said[COLUMN][:2] == ("Biceps brachii, mid arm, left: thickness", "mm")
    assert COLUMN in [row[4] for row in book["sources"].iter_rows(values_only=True)]
    assert "adjudicated" in str(list(book["about"].iter_rows(values_only=True)))


def test_every_value_of_a_patient_row_names_the_measurements_it_was_made_of(study, repeats):
    export(study)
    ids = [row["measurement_id"] for row in lines(study.exports / "measurements.csv")]
    (source,) = [row for row in lines(study.exports / "sources.csv") if row["column"] == COLUMN]
    assert sorted(source["inputs"].split()) == sorted(ids)
    assert (source["n"], source["n_automatic"]) == ("2", "2")
    assert re.fullmatch("V[A-Z2-7]{11}", source["value_id"])


def test_ids_stay_until_what_they_were_made_of_changes(study, repeats):
    before = tables_of(study).patients.long.set_index("column")["value_id"]
    assert tables_of(study).patients.long.set_index("column")["value_id"].equals(before)
    with study.sitting("Ada") as sitting:
        sitting.accept(target_of(repeats[0]), repeats[0]["outline"])
    after = tables_of(study).patients.long.set_index("column")["value_id"]
    assert after[COLUMN] != before[COLUMN]


def test_a_german_csv_has_semicolons_commas_and_a_mark_that_excel_knows(study, repeats):
    export(study, locale="de")
    path = study.exports / "wide.csv"
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    (row,) = lines(path, delimiter=";")
    assert row[COLUMN] == "22"
    rows = lines(study.exports / "measurements.csv", delimiter=";")
    assert [row["thickness_mm"] for row in rows] == ["21,5", "22,5"]
    assert rows[0]["device"] == "'=1+1"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1"])
def test_texts_that_a_spreadsheet_would_run_are_disarmed_and_numbers_never(
    study, automatic_row, add_run, text
):
    add_run(automatic_row(subject=text, echo_intensity=-1.5))
    export(study)
    (row,) = lines(study.exports / "measurements.csv")
    assert row["subject"] == f"'{text}"
    assert row["echo_intensity"] == "-1.5"


def test_a_file_that_excel_holds_open_gets_a_numbered_sibling(study, repeats, monkeypatch):
    replace = Path.replace

    def as_on_windows(self, target):
        if Path(target).name == "wide.csv":
            raise PermissionError(13, "used by another process")
        return replace(self, target)

    export(study)
    monkeypatch.setattr(Path, "replace", as_on_windows)
    notes = export(study).notes
    assert len(notes) == 1
    assert "close it in Excel" in notes[0]
    assert lines(study.exports / "wide (2).csv") == lines(study.exports / "wide.csv")


def test_redcap_gets_names_it_takes_and_a_dictionary_of_all_of_them(study, repeats):
    export(study, redcap=True)
    (row,) = lines(study.exports / "redcap_import.csv")
    dictionary = lines(study.exports / "redcap_dictionary.csv")
    assert tuple(dictionary[0]) == HEADER
    fields = [line["Variable / Field Name"] for line in dictionary]
    assert set(row) - {"redcap_repeat_instrument", "redcap_repeat_instance"} == set(fields)
    assert all(re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", f) and len(f) <= MOST_LETTERS for f in fields)
    assert (row["record_id"], row["redcap_repeat_instance"], row["usimg_visit"]) == ("007", "1", "1")
    assert row["biceps_brachii_mid_arm_left_thickness_mm"] == "22"
    assert "biceps_brachii_mid_arm_left_thickness_mm=V" in row["usimg_sources"]


QUERIES = [
    """SELECT subject, visit, avg(thickness_mm) AS thickness_mm FROM 'exports/current.parquet'
    WHERE counts AND structure = 'biceps_brachii' GROUP BY ALL ORDER BY ALL""",
    """SELECT structure, state, count(*) AS n, round(avg(confidence), 2) AS confidence
    FROM 'exports/current.parquet' GROUP BY ALL ORDER BY n DESC""",
    """SELECT reason, count(DISTINCT scan) AS scans FROM 'exports/current.parquet'
    WHERE NOT counts AND reason <> '' GROUP BY ALL ORDER BY scans DESC""",
]


def test_the_queries_of_the_readme_run_on_the_parquet(study, repeats, automatic_row, add_run, monkeypatch):
    add_run(automatic_row(scan="f" * 64, status="failed", reason="cut short"), run="run2")
    export(study)
    monkeypatch.chdir(study.root)
    thickness, states, reasons = (duckdb.sql(query).fetchall() for query in QUERIES)
    assert thickness == [("007", "1", 22.0)]
    assert states == [("biceps_brachii", "automatic", 2, 0.9), ("biceps_brachii", "failed", 1, 0.9)]
    assert reasons == [("cut short", 1)]


def test_current_parquet_holds_the_outline_that_holds(study, repeats, automatic_row, add_run):
    drawn = [[0.0, 0.0], [0.0, 9.0], [9.0, 9.0]]
    add_run(automatic_row(scan="e" * 64), automatic_row(scan="d" * 64), run="run2")
    with study.sitting("Ada") as sitting:
        one, two = repeats
        sitting.accept(target_of(one), one["outline"])
        made = sitting.outline(target_of(two), {"polygons": [drawn]}, {}, parents=(two["outline"],))
        sitting.accept(target_of(two), made.id, parents=(made.id,))
        sitting.reject(target_of(automatic_row(scan="e" * 64)), "cut off", parents=())
    export(study)
    written = pd.read_parquet(study.exports / "current.parquet").set_index("scan")
    held = study.fold().rows.set_index("scan")
    assert sorted(written["state"]) == ["accepted", "automatic", "corrected", "rejected"]
    for scan, row in held.iterrows():
        assert outline_of(roi_of(written.loc[scan])) == outline_of(roi_of(row))
        assert written.loc[scan, "state"] == row["state"]


def test_the_long_table_of_pandas_is_that_of_the_csv(study, repeats):
    export(study)
    held = pd.read_csv(study.exports / "measurements.csv", dtype={"subject": str})
    assert held["thickness_mm"].tolist() == study.current()["thickness_mm"].tolist()
    assert held["subject"].tolist() == ["007", "007"]
