"""The ruler beside a picture: the true scale, or none; never another."""

from __future__ import annotations

import csv
import zipfile
from pathlib import Path

import numpy as np
import pytest

import usimg
from usimg.picture.ruler import read_rulers, scale_of

# px per cm, by the region table or (pancreas) by marks and caliper (../shared/data manifests).
REAL = {
    "us_dicom/philips_pancreas_nocal_jls.dcm": 39.79,
    "us_dicom/mindray_follicle_rle.dcm": 68.91,
    "us_dicom/philips_cx50_rle_palette.dcm": 38.13,
    "nerve_dicom/esaote_elbow_long.dcm": 162.34,
}


@pytest.fixture(scope="module")
def phantom(sample_dicoms):
    """A sample's grey levels and scan area, its scale in px per cm, and the columns of its ruler."""
    frame = usimg.read(sample_dicoms / "IM_0001.dcm").frames[0]
    return frame.gray, frame.scan_area, 10.0 / frame.calibration.row_mm


def px_per_cm(gray, area):
    reading = read_rulers(gray, area)
    return [10.0 * reading.depth.period_px / mm for mm in reading.meanings_mm]


@pytest.mark.parametrize(("name", "truth"), REAL.items())
def test_the_marks_of_real_scans_give_their_scale(shared_data, name, truth):
    row_mm, col_mm, _ = scale_of(usimg.read(shared_data / name).frames[0])
    assert 10 / row_mm == pytest.approx(truth, rel=0.003)
    assert 10 / col_mm == pytest.approx(truth, rel=0.003)


def test_the_marks_of_a_package_s_scans_give_their_scale(tmp_path):
    folder = Path(pytest.importorskip("deid_data").__file__).parent / "data" / "ultrasounds"
    with zipfile.ZipFile(folder / "GREYSCALE_CINE.zip") as packed:
        packed.extract("GREYSCALE_CINE.dcm", tmp_path)
    scans = {folder / "GREYSCALE_IMAGE.dcm": 154.07, tmp_path / "GREYSCALE_CINE.dcm": 120.37}
    for path, truth in scans.items():
        assert 10 / scale_of(usimg.read(path).frames[0])[0] == pytest.approx(truth, rel=0.003)


def test_printed_rulers_of_muscle_pictures_give_the_published_scale_or_none(shared_data):
    folder = shared_data / "dltrack_apo"
    rows = [
        row
        for row in csv.DictReader((folder / "manifest.csv").read_text().splitlines())
        if row["split"] == "train" and row["px_per_cm"]
    ][::20]
    read = 0
    for row in rows:
        frame = usimg.read(folder / row["file"]).frames[0]
        try:
            found = 10 / scale_of(frame)[0]
        except usimg.UsimgError:
            found = 10 / scale_of(frame, mark_mm=5.0 if row["device_group"].startswith("C") else 10.0)[0]
        else:
            read += 1
        assert found == pytest.approx(float(row["px_per_cm"]), rel=0.004), row["file"]
    assert read >= 1


def test_the_marks_of_a_phantom_give_its_scale_wherever_they_stand(sample_dicoms):
    for number in (1, 9, 13, 25, 33):  # on either side, every 5 and every 2 mm, around a fan, unequal pixels
        frame = usimg.read(next(sample_dicoms.glob(f"IM_{number:04d}*"))).frames[0]
        assert scale_of(frame)[0] == pytest.approx(frame.calibration.row_mm, rel=0.003)


@pytest.mark.parametrize("seed", range(6))
def test_missing_and_faint_marks_give_the_same_scale_or_none(phantom, seed):
    gray, area, truth = phantom
    rng = np.random.default_rng(seed)
    changed = gray.copy()
    right = np.flatnonzero(area.any(axis=0)).max() + 1
    ruler = changed[:, right:]
    ruler[:] = (ruler * rng.uniform(0.15, 1.0)).astype(np.uint8)
    for row in np.flatnonzero((ruler[:, 4:8] > 0).any(axis=1)):
        if rng.random() < 0.25:
            ruler[row] = 0
    noise = rng.integers(0, int(rng.integers(1, 12)), changed[:, right:].shape)
    changed[:, right:] = np.clip(changed[:, right:].astype(int) + noise, 0, 255)
    reading = read_rulers(changed, area)
    if len(reading.meanings_mm) == 1:
        assert px_per_cm(changed, area)[0] == pytest.approx(truth, rel=0.005)


def test_a_picture_without_a_ruler_is_refused_in_words(phantom):
    gray, area, _ = phantom
    assert read_rulers(np.where(area, gray, 0).astype(np.uint8), area).depth is None


def test_marks_that_can_mean_two_things_are_left_to_a_person(phantom):
    _, area, _ = phantom
    gray = np.zeros(area.shape, np.uint8)
    gray[60:440:76, 560:566] = 200  # all alike; the field is 26 or 53 mm wide
    assert read_rulers(gray, area).meanings_mm == (10.0, 5.0)


def test_the_ruler_gives_a_scale_where_the_file_has_none(shared_data):
    path = shared_data / "us_dicom" / "philips_pancreas_nocal_jls.dcm"
    calibration = usimg.read(path, calibrate="ruler").frames[0].calibration
    assert calibration.source == "ruler"
    # the caliper in the picture: printed 1.43 cm
    assert 57.14 * calibration.row_mm / 10 == pytest.approx(1.43, abs=0.01)


def test_the_ruler_checks_a_scale_that_the_file_states(sample_dicoms, tmp_path):
    import pydicom

    path = sample_dicoms / "IM_0001.dcm"
    checked = usimg.read(path, calibrate="ruler")
    assert checked.frames[0].calibration.source == "region"
    assert any("ruler agrees" in note for note in checked.notes)
    wrong = pydicom.dcmread(path)
    wrong.SequenceOfUltrasoundRegions[0].PhysicalDeltaY *= 2
    wrong.SequenceOfUltrasoundRegions[0].PhysicalDeltaX *= 2
    wrong.save_as(tmp_path / "wrong.dcm")
    frame = usimg.read(tmp_path / "wrong.dcm", calibrate="ruler").frames[0]
    assert frame.calibration is None
    assert "its ruler" in frame.calibration_reason


def test_panes_with_rulers_of_their_own_are_refused(sample_dicoms):
    with pytest.raises(usimg.UsimgError, match="several pictures"):
        scale_of(usimg.read(sample_dicoms / "IM_0037.dcm").frames[0])


def test_another_way_to_calibrate_is_refused_with_those_there_are(sample_dicoms):
    for asked in ("tape", "ruler:-1", "ruler:x"):
        with pytest.raises(usimg.UsimgError, match="ruler:10"):
            usimg.read(sample_dicoms / "IM_0001.dcm", calibrate=asked)
