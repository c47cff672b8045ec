"""The study's folder: made outside the source, and damaged files are said, not swallowed."""

from __future__ import annotations

import os
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from usimg.errors import StudyRefused
from usimg.study import Study
from usimg.study.private import Source, short
from usimg.study.schema import SCHEMA, SINCE_VERSION_2, SINCE_VERSION_3


def test_a_study_is_never_made_inside_the_source(tmp_path):
    archive = tmp_path / "archive"
    archive.mkdir()
    for inside in (archive, archive / "study", archive / "deep" / "study"):
        with pytest.raises(StudyRefused, match="outside"):
            Study.create(inside, source=archive)
    assert not list(archive.iterdir())


def test_a_folder_that_holds_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.docx").write_text("")
    with pytest.raises(StudyRefused, match="not empty"):
        Study.create(tmp_path)


def test_a_file_in_place_of_the_study_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StudyRefused, match="is a file"):
        Study.create(tmp_path / "file")


@pytest.mark.skipif(os.name != "posix", reason="rights of folders as POSIX has them")
def test_an_unwritable_folder_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    user = os.geteuid()
    try:
        if user == 0:  # root may write everywhere
            os.seteuid(65534)
        with pytest.raises(StudyRefused, match="cannot be made"):
            Study.create(tmp_path / "study")
    finally:
        os.seteuid(user)


def test_opening_what_is_no_study_says_how_to_make_one(tmp_path):
    with pytest.raises(StudyRefused, match="usimg extract"):
        Study.open(tmp_path)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("schema_version = 99", "update usimg"),
        ("schema_version = 'new'", "schema version"),
        ("schema_version =", "study.toml"),
        ("", "schema version"),
    ],
)
def test_settings_that_cannot_be_read_are_said(study, settings, said):
    (study.root / "study.toml").write_text(settings)
    with pytest.raises(StudyRefused, match=said):
        Study.open(study.root)


def test_a_truncated_part_is_reported_and_the_others_hold(study, automatic_row, add_run):
    add_run(automatic_row())
    add_run(automatic_row(scan="b" * 64), run="run2")
    part = study.automatic / "run2-0001.parquet"
    part.write_bytes(part.read_bytes()[:-100])
    held = study.fold()
    assert len(held.rows) == 1
    assert len(held.problems) == 1
    assert "run2-0001.parquet is damaged" in held.problems[0]


@pytest.mark.parametrize("content", [b"", b"PAR1", b"not parquet at all" * 10])
def test_a_part_that_is_no_parquet_is_reported(study, content):
    (study.automatic / "run1-0001.parquet").write_bytes(content)
    held = study.fold()
    assert held.rows.empty
    assert len(held.problems) == 1


@pytest.mark.parametrize("version", [1, 2])
def test_a_part_of_an_older_version_is_read_and_its_study_brought_forward(study, automatic_row, version):
    later = SINCE_VERSION_3 if version == 2 else (*SINCE_VERSION_2, *SINCE_VERSION_3)
    older = pa.schema([field for field in SCHEMA if field.name not in later])
    rows = [
        automatic_row(visit=visit, scan=f"{n:064x}")
        for n, visit in enumerate(["2026-02-03", "2025-02-03", "first"])
    ]
    pq.write_table(pa.Table.from_pylist(rows, schema=older), study.automatic / "run0-0001.parquet")
    settings = study.root / "study.toml"
    before = settings.read_text().replace("schema_version = 3", f"schema_version = {version}")
    settings.write_text(before + "# a note\n")
    held = Study.open(study.root)
    assert held.fold().problems == []
    current = held.current()
    assert current["thickness_mm"].tolist() == [20.0] * 3
    assert sorted(current["visit"]) == ["first", "v1", "v2"]  # and no date any more
    assert current.set_index("visit").loc["v2", "days_since_first"] == 365
    held.bring_forward()
    assert settings.read_text() == before.replace(f"version = {version}", "version = 3") + "# a note\n"


def test_half_written_parts_are_not_parts(study, automatic_row, add_run):
    add_run(automatic_row())
    (study.automatic / ".run2-0001.parquet.0a.tmp").write_bytes(b"PAR1")
    assert study.fold().problems == []


def test_an_empty_study_has_empty_tables(study):
    assert study.current().empty
    assert study.wide().columns.tolist() == ["subject", "visit"]


def test_subjects_have_a_keyed_hash_that_differs_between_studies(study, tmp_path):
    other = Study.create(tmp_path / "other")
    assert study.subjects.of_patient("DOE^JANE") == study.subjects.of_patient("Doe Jane")
    assert study.subjects.of_patient("1234") != other.subjects.of_patient("1234")
    assert "1234" not in study.subjects.of_patient("1234")
    assert study.subjects.of_patient(" ") == ""


def test_the_subjects_table_gives_study_ids(study):
    (study.private / "subjects.csv").write_text("alias;id\n1234;P07\nDoe, Jane;P07\n")
    subjects = Study.open(study.root).subjects
    assert subjects.of_patient("1234") == subjects.of_manifest("doe jane", None) == "P07"


def test_a_patients_name_in_a_manifest_is_hashed_and_a_study_id_is_not(study):
    assert study.subjects.of_manifest("P07", "Doe^Jane") == "P07"
    assert study.subjects.of_manifest("Doe, Jane", "DOE^JANE").startswith("s-")


def test_one_alias_with_two_ids_is_refused(study):
    (study.private / "subjects.csv").write_text("alias,id\n1234,P07\n1234,P08\n")
    with pytest.raises(StudyRefused, match="line 3"):
        _ = Study.open(study.root).subjects


def test_a_scan_is_found_where_it_lies_now(study, tmp_path):
    old, new = tmp_path / "old.dcm", tmp_path / "new.dcm"
    new.write_bytes(b"x")
    scan = "c" * 64
    study.sources.append("run1", [Source(scan, str(old), 1, 0, "")])
    with pytest.raises(StudyRefused, match="not there now"):
        study.source_path(scan)
    study.sources.append("run2", [Source(scan, str(new), 1, 0, "")])
    assert study.source_path(short(scan)) == new
    with pytest.raises(StudyRefused, match="knows no scan"):
        study.source_path("d" * 64)


def test_the_library_and_the_study_load_no_tables_until_asked():
    code = (
        "import sys, usimg.study\n"
        "heavy = {'pandas', 'pyarrow', 'duckdb', 'sklearn', 'skimage', 'numpy'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
