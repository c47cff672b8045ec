"""What is written: page, tables, figures."""

import csv
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from usimg.agreement import compare
from usimg.simulate import reader_study


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("agreement")
    found = compare(reader_study(15, readers=2, sessions=2, images=2, failed=0.02, seed=1).table, "readers")
    return found, found.report(folder, command="usimg agreement TABLE")


def test_the_page_says_what_was_repeated_and_fills_in_its_methods(written):
    _, page = written
    html = page.read_text()
    assert "re-reading of stored images" in html
    assert "Agreement was assessed in 15 patients between 2 readers" in html
    assert "MDC95 (re-reading)" in html
    assert "MDC95 (re-scan, sessions)" in html
    assert "<script" not in html


def test_a_page_of_sessions_says_that_patients_were_scanned_again(tmp_path):
    found = compare(reader_study(15, readers=1, sessions=2, seed=1).table, "sessions")
    html = found.report(tmp_path).read_text()
    assert "re-scan of patients" in html
    assert "Patients were scanned again." in html


def test_tables_hold_the_numbers(written):
    found, page = written
    with (page.parent / "errors.csv").open() as file:
        rows = list(csv.DictReader(file))
    first = found.estimates[0].errors[0]
    assert (rows[0]["error"], float(rows[0]["sem"])) == ("re-reading", pytest.approx(first.sem.value))
    assert {path.name for path in page.parent.glob("*.csv")} == {
        f"{name}.csv" for name in ("agreement", "errors", "pairs", "components", "averages", "levels")
    }


def test_figures_are_drawings_of_their_own(written):
    found, page = written
    figures = sorted((page.parent / "figures").glob("*.svg"))
    assert len(figures) == 2
    points = ET.parse(figures[0]).getroot().findall("{http://www.w3.org/2000/svg}circle")  # noqa: S314  our own
    assert len(points) == found.estimates[0].pairs[0].n_pairs


def test_names_are_escaped_on_the_page(tmp_path):
    table = reader_study(12, seed=1).table
    table["reader"] = table["reader"].replace("reader A", "<b>A</b>")
    html = compare(table).report(tmp_path).read_text()
    assert "<b>A</b>" not in html
    assert "&lt;b&gt;A&lt;/b&gt;" in html


def test_a_comparison_without_numbers_still_says_why(tmp_path):
    table = reader_study(12, readers=1, seed=1).table
    html = compare(table).report(tmp_path).read_text()
    assert "Nothing could be compared" in html
    assert "only one reader (reader A)" in html


def test_many_exact_zeros_do_not_make_an_endless_interval():
    table = reader_study(20, readers=2, seed=1).table
    table = table[table["measure"] == "thickness_mm"].copy()
    same = table["subject"].isin(sorted(set(table["subject"]))[:14])
    table.loc[same, "value"] = table[same].groupby("subject")["value"].transform("first")
    estimate = compare(table).estimates[0]
    sem, part = estimate.errors[0].sem, estimate.components[-1].variance
    assert 0 < sem.low < sem.value < sem.high < 3 * sem.value
    assert part.low < part.value < part.high < 6 * part.value


def test_identical_readers_make_a_page(tmp_path):
    table = reader_study(12, readers=2, seed=1).table
    table["value"] = table.groupby(["subject", "measure"])["value"].transform("first")
    found = compare(table)
    assert np.isnan(found.estimates[0].icc["ICC(2,1)"].low)
    assert "all values agree exactly" in found.report(tmp_path).read_text()
