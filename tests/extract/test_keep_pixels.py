"""Kept scan areas stand in for scans that are gone, and carry nothing of the patient."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from tests.extract.test_archive import BICEPS, run
from usimg.errors import PixelsRefused, StudyRefused
from usimg.extract import measure_again
from usimg.report import extract_report
from usimg.study.pixels import open_scan

NUMBERS = ["thickness_mm", "csa_mm2", "echo_intensity", "echo_intensity_sd", "echo_intensity_protocol"]


@pytest.fixture
def kept(installed, make_dicom, archive, study):
    make_dicom(archive / "zzmarker.dcm", frames=3)
    run(archive, study, keep_pixels=True)
    return study


def test_what_was_measured_is_measured_alike_when_the_scan_is_gone(kept, archive):
    before = kept.current()
    shutil.rmtree(archive)
    summary = measure_again(kept)
    assert summary.failed == 0
    after = kept.current()
    assert after[NUMBERS].equals(before[NUMBERS])
    assert after["outline"].tolist() == before["outline"].tolist()
    page = extract_report(kept, kept.exports / "report.html").read_text(encoding="utf-8")
    assert "data:image" in page


def test_only_tissue_is_kept_and_no_tag(kept, archive):
    scan = open_scan(kept, kept.current()["scan"].iloc[0])
    original, identity = scan.frames[1].gray.copy(), scan.id
    shutil.rmtree(archive)
    again = open_scan(kept, identity)
    frame = again.frames[1]
    tissue = frame.scan_area & ~frame.overlays
    assert again.id == identity
    assert np.array_equal(frame.gray[tissue], original[tissue])
    assert not frame.gray[~tissue].any()
    assert frame.calibration.spacing == (0.1, 0.1)
    for path in (kept.root / "pixels").iterdir():
        assert b"zzmarker" not in path.read_bytes().lower()
        assert b"JANE" not in path.read_bytes()


def test_a_frame_that_was_not_kept_is_refused_by_name(kept, archive):
    scan = kept.current()["scan"].iloc[0]
    shutil.rmtree(archive)
    with pytest.raises(PixelsRefused, match="frame 1 was kept, not frame 2"):
        _ = open_scan(kept, scan).frames[2].gray
    with pytest.raises(StudyRefused):
        open_scan(kept, "f" * 64)


def test_scans_that_were_measured_without_are_done_again_once(installed, make_dicom, archive, study):
    make_dicom(archive / "a.dcm")
    run(archive, study)
    assert run(archive, study, keep_pixels=True, labelling=BICEPS).counts["scans"] == 1
    assert run(archive, study, keep_pixels=True).counts["to_do"] == 0
