"""Numbers measured again from stored outlines; nothing is outlined."""

from __future__ import annotations

import json

import pytest

from tests.extract.test_archive import run
from usimg.extract import Labelling, extract_archive, measure_again, survey
from usimg.study import Study, Target, outline_of, roi_of, target_of
from usimg.study.manifest import read_manifest
from usimg.study.rulings import Rulings
from usimg.study.schema import read_parts


@pytest.fixture
def extracted(installed, make_dicom, archive, study):
    for n in range(2):
        make_dicom(archive / f"{n}.dcm", seed=n)
    run(archive, study)
    return study


NUMBERS = ["thickness_mm", "csa_mm2", "echo_intensity"]


def numbers(study):
    return study.current().set_index("outline").sort_index()[[*NUMBERS, "flags", "reason"]]


def test_the_same_outlines_give_the_same_numbers_and_ids(extracted):
    before = numbers(extracted)
    summary = measure_again(extracted)
    assert (summary.counts["measured"], summary.failed) == (2, 0)
    assert extracted.current()["run"].tolist() == [summary.run] * 2
    assert numbers(extracted).equals(before)


def test_a_persons_outline_is_measured_again_too(extracted):
    row = extracted.fold().rows.iloc[0].to_dict()
    roi = roi_of(row)
    smaller = outline_of(roi.with_polygons(roi.polygons[0][:, :] * 0.9))
    with extracted.sitting("Ada") as sitting:  # with numbers of an old protocol
        drawn = sitting.outline(target_of(row), smaller, {"thickness_mm": 99.0}, parents=row["heads"])
        sitting.accept(target_of(row), drawn.id, parents=(drawn.id,))
    measure_again(extracted)
    held = extracted.current().set_index("outline").loc[drawn.id]
    assert held["state"] == "corrected"
    assert held["thickness_mm"] != 99.0
    assert held["csa_mm2"] == pytest.approx(0.81 * row["csa_mm2"])
    assert len(extracted.current()) == 2


def test_a_scan_that_is_gone_keeps_its_numbers_and_is_listed(extracted, archive):
    before = numbers(extracted)
    (archive / "1.dcm").unlink()
    summary = measure_again(extracted)
    assert summary.failed == 1
    assert "old ones" in summary.problems[0][1]
    assert numbers(extracted).equals(before)


def test_another_usimg_lies_beside_until_it_is_chosen(extracted, monkeypatch):
    monkeypatch.setattr("usimg.__version__", "99.0")
    measure_again(extracted)
    held = extracted.fold()
    assert held.rows["usimg_version"].unique().tolist() != ["99.0"]
    extracted.choose(held.methods[1], author="Ada")
    assert extracted.fold().rows["usimg_version"].unique().tolist() == ["99.0"]
    assert len(read_parts(extracted.automatic, geometry=False)[0]) == 4


def test_a_protocol_that_measures_otherwise_gives_new_numbers_and_extract_has_nothing_left_to_do(
    extracted, archive
):
    settings = extracted.root / "study.toml"
    settings.write_text(settings.read_text().replace('"generic"', '"own.toml"'))
    (extracted.root / "own.toml").write_text(
        'name = "own"\nsegmenter = "square"\n[thickness.biceps_brachii]\nrule = "max_vertical"\n'
    )
    study = Study.open(extracted.root)
    measure_again(study)
    rows = study.fold(geometry=False).rows
    assert set(rows["thickness_rule"]) == {"max_vertical"}
    assert set(rows["protocol"]) == {"own"}
    labelled = survey(archive, Labelling("biceps_brachii", subjects=study.subjects))
    assert extract_archive(labelled, study, dry_run=True).counts["to_do"] == 0


def test_a_scale_that_a_person_gave_is_taken_the_next_time(extracted):
    (row, _) = extracted.fold(geometry=False).rows.to_dict("records")
    with extracted.sitting("Ada") as sitting:
        Rulings([]).calibrate(sitting, Target(row["scan"]), 0.2, 0.2)
    measure_again(extracted)
    after = extracted.fold(geometry=False).rows.set_index("outline").loc[row["outline"]]
    assert after["thickness_mm"] == pytest.approx(2 * row["thickness_mm"])
    assert after["calibration_source"] == "person"


def test_a_picture_taken_for_doppler_is_measured_when_the_manifest_says_b_mode_and_stays_so(
    installed, make_dicom, archive, study, tmp_path
):
    make_dicom(archive / "a.dcm", ImageType=["ORIGINAL", "PRIMARY", "MSK", "0008"])
    run(archive, study)
    (refused,) = study.current().to_dict("records")
    assert refused["status"] == "failed"
    assert "kind b_mode in the manifest" in refused["reason"]

    labels = tmp_path / "labels.csv"
    labels.write_text("file,structure,kind\na.dcm,biceps_brachii,b_mode\n")
    said = Labelling(manifest=read_manifest(labels))
    summary = run(archive, study, labelling=said)
    (row,) = study.current().to_dict("records")
    assert (row["status"], row["kind"]) == ("measured", "b_mode")
    assert any("a person says b_mode, usimg took it for spectral_doppler" in flag for flag in row["flags"])
    record = json.loads((study.runs / f"{summary.run}.json").read_text())
    assert record["parameters"]["kinds_given"] == ["b_mode"]

    measure_again(study)
    (again,) = study.current().to_dict("records")
    assert list(again["flags"]) == list(row["flags"])
    for name in ("status", "kind", "thickness_mm", "work"):
        assert again[name] == row[name]
    assert run(archive, study, labelling=said).counts["done_before"] == 1
