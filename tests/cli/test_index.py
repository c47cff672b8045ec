"""``usimg index`` as a user meets it."""

from __future__ import annotations

import json


def test_index_says_what_is_there_and_writes_a_page_into_the_study(
    usimg_command, make_dicom, archive, tmp_path
):
    make_dicom(archive / "a.dcm", SeriesDescription="biceps left", PatientID="ALS-007")
    make_dicom(archive / "b.dcm", seed=1, PatientID="als7", spacing_cm=None)
    said = usimg_command("index", archive, "--study", tmp_path / "study")
    assert said.code == 0
    assert "2 scans, 2 readable, 2 pictures: 1 with a scale, 1 recognised" in said.out
    assert "the same but for case, separators or leading zeros" in said.err
    assert (tmp_path / "study" / "exports" / "index.html").is_file()


def test_index_needs_no_study_and_json_is_for_scripts(usimg_command, make_dicom, archive):
    make_dicom(archive / "a.dcm")
    said = usimg_command("index", archive, "--json")
    facts = json.loads(said.out)
    assert (facts["pictures"], facts["page"]) == (1, None)


def test_index_of_a_folder_without_scans_says_so(usimg_command, archive):
    said = usimg_command("index", archive)
    assert said.code == 3
    assert "no scan found" in said.err


def test_index_reads_the_studys_protocol_words_and_devices(usimg_command, make_dicom, archive, tmp_path):
    make_dicom(archive / "a.dcm", SeriesDescription="QF sin", ManufacturerModelName="A1")
    study = tmp_path / "study"
    usimg_command("index", archive, "--study", study)
    settings = study / "study.toml"
    settings.write_text(settings.read_text().replace('"generic"', '"als-nmus"'))
    (study / "labels.toml").write_text('[names]\n"QF" = "anterior_thigh"\n[sides]\n"sin" = "left"\n')
    (study / "devices.csv").write_text("model;gain_db;by\nA1;50,5;AB\n")
    facts = json.loads(usimg_command("index", archive, "--study", study, "--json").out)
    assert facts["recognised"] == [{"shows": "anterior_thigh", "side": "left", "by": "tags", "pictures": 1}]
    assert "anterior_thigh left: 1 of 3" in facts["visits"][0]["missing"]
    assert facts["devices"][0]["gain_db"] == "50.5 (declared)"


def test_label_makes_a_sheet_that_extract_takes(usimg_command, installed, make_dicom, archive, tmp_path):
    make_dicom(archive / "oberarm_links.dcm")
    study = tmp_path / "study"
    said = usimg_command("index", archive, "--study", study, "--label")
    table = study / "private" / "labels.xlsx"
    assert f"--manifest {table}" in said.out
    assert table.with_suffix(".html").is_file()
    done = usimg_command(
        "extract", archive, "--study", study, "--manifest", table, "--segmenter", "square", "--json"
    )
    assert json.loads(done.out)["labelled"] == 1


def test_the_studys_own_manifest_holds_when_none_is_given(usimg_command, make_dicom, archive, tmp_path):
    make_dicom(archive / "a.dcm")
    study = tmp_path / "study"
    usimg_command("index", archive, "--study", study)
    (study / "private" / "manifest.csv").write_text("file;view;side\na.dcm;Oberarm;L\n")
    facts = json.loads(usimg_command("index", archive, "--study", study, "--json").out)
    assert facts["recognised"] == [{"shows": "upper_arm", "side": "left", "by": "manifest", "pictures": 1}]
