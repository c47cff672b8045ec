"""Tables as people keep them: in CSV of any flavour, or in Excel."""

from __future__ import annotations

import zipfile
from datetime import date, datetime

import openpyxl
import pytest

from usimg.errors import StudyRefused
from usimg.study.delimited import day, number, read_table
from usimg.study.manifest import read_manifest
from usimg.study.workbook import write_workbook


@pytest.fixture
def workbook(tmp_path):
    def _workbook(*rows):
        book = openpyxl.Workbook()
        for row in rows:
            book.active.append(row)
        book.save(tmp_path / "table.xlsx")
        return tmp_path / "table.xlsx"

    return _workbook


@pytest.mark.parametrize(
    ("text", "meant"),
    [("2026-02-03", (2026, 2, 3)), ("03.02.2026", (2026, 2, 3)), ("3. 2. 2026", (2026, 2, 3)),
     ("20260203", (2026, 2, 3))],
)  # fmt: skip
def test_iso_and_german_dates_are_understood(text, meant):
    assert day(text) == date(*meant)


@pytest.mark.parametrize("text", ["03/02/2026", "3.2.26", "31.02.2026", "soon", ""])
def test_a_date_that_could_be_two_or_none_is_refused(text):
    with pytest.raises(ValueError, match=r"ambiguous|no date|no day"):
        day(text)


@pytest.mark.parametrize(
    ("text", "value"), [("0,592", 0.592), ("12,5", 12.5), ("1,2345", 1.2345), ("1.234", 1.234), ("-3", -3.0)]
)
def test_a_decimal_comma_is_understood_where_it_can_be_nothing_else(text, value):
    assert number(text) == value


def test_a_comma_that_could_part_thousands_is_refused_unless_the_file_says_otherwise(tmp_path):
    with pytest.raises(ValueError, match=r"ambiguous: 1.234 or 1234"):
        number("1,234")
    (tmp_path / "german.csv").write_text("name;size\na;1,234\n")
    ((_, row),) = read_table(tmp_path / "german.csv", required=("name",)).rows
    assert number(row["size"]) == 1.234
    (tmp_path / "english.csv").write_text('name,size\na,"1,234"\n')
    ((_, row),) = read_table(tmp_path / "english.csv", required=("name",)).rows
    with pytest.raises(ValueError, match="ambiguous"):
        number(row["size"])


@pytest.mark.parametrize(
    ("raw", "took"),
    [
        ("alias;id\nMüller;P1\n".encode("cp1252"), "semicolons, Windows text"),
        ("\ufeffalias,id\nMüller,P1\n".encode(), "commas, UTF-8"),
        ("alias\tid\nMüller\tP1\n".encode(), "tabs, UTF-8"),
    ],
)
def test_what_was_taken_is_said(tmp_path, raw, took):
    (tmp_path / "s.csv").write_bytes(raw)
    table = read_table(tmp_path / "s.csv", required=("alias", "id"))
    assert table.rows == ((2, {"alias": "Müller", "id": "P1"}),)
    assert took in table.took


def test_a_workbook_gives_the_text_that_a_person_sees(workbook):
    path = workbook(["File", "Visit", "Repeat", "row mm"], ["a.dcm", datetime(2026, 2, 3), 2.0, 0.0592])
    assert read_table(path, required=("file",)).rows == (
        (2, {"file": "a.dcm", "visit": "2026-02-03", "repeat": "2", "row_mm": "0.0592"}),
    )


def test_a_manifest_kept_in_excel_reads_as_one_in_csv(workbook):
    path = workbook(["file", "view", "side", "state"], ["a.dcm", "Oberarm", "L", "contracted"], [None] * 4)
    (label,) = read_manifest(path).labels("a.dcm")
    assert (label.view, label.side, label.state) == ("upper_arm", "left", "contracted")


def test_what_is_no_workbook_or_unpacks_to_a_bomb_is_refused(tmp_path):
    (tmp_path / "a.xlsx").write_text("file,view")
    with pytest.raises(StudyRefused, match="no Excel workbook"):
        read_table(tmp_path / "a.xlsx", required=("file",))
    with zipfile.ZipFile(tmp_path / "b.xlsx", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as bomb:
        for number in range(3):
            bomb.writestr(f"xl/{number}.xml", b"\0" * 100_000_000)
    with pytest.raises(StudyRefused, match="unpacks to 300 MB"):
        read_table(tmp_path / "b.xlsx", required=("file",))


def test_a_written_workbook_offers_lists_runs_no_formula_and_reads_back(tmp_path):
    path = tmp_path / "w.xlsx"
    rows = [["=1+1.dcm", "upper_arm", ""], ["0012", "", "left"]]
    write_workbook(
        path, ["file", "view", "side"], rows, choices={"side": ["left", "right"]}, widths={"file": 30}
    )
    assert [list(r.values()) for _, r in read_table(path, required=("file",)).rows] == rows
    sheet = openpyxl.load_workbook(path)["labels"]
    assert [str(rule.sqref) for rule in sheet.data_validations.dataValidation] == ["C2:C203"]


def test_a_line_may_exclude_a_file_with_a_reason(tmp_path):
    (tmp_path / "m.csv").write_text("file,exclude,reason\na.dcm,ja,twin with calipers\n")
    (label,) = read_manifest(tmp_path / "m.csv").labels("a.dcm")
    assert (label.exclude, label.reason) == (True, "twin with calipers")
