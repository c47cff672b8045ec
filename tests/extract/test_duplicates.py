"""Pictures that are one picture, and captures of one place that are not."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom import dcmread

from usimg.extract.duplicates import find_duplicates
from usimg.extract.index import index


@pytest.fixture
def speckle(make_dicom, archive):
    """``speckle(name, seed, draw)``: a picture of speckle, 200 x 200, on which ``draw`` may paint."""

    def _speckle(name: str, seed: int, draw=None, **tags: object):
        path = make_dicom(archive / name, seed=seed, **tags)
        ds = dcmread(path)
        pixels = np.random.default_rng(seed).rayleigh(40, (200, 200)).clip(20, 120).astype(np.uint8)
        pixels[:, :20] = pixels[:, -20:] = pixels[-20:] = 0
        if draw is not None:
            draw(pixels)
        ds.Rows = ds.Columns = 200
        region = ds.SequenceOfUltrasoundRegions[0]
        region.RegionLocationMinX0, region.RegionLocationMaxX1, region.RegionLocationMaxY1 = 20, 179, 179
        ds.PixelData = pixels.tobytes()
        ds.save_as(path, enforce_file_format=True)

    return _speckle


def calipers(pixels):
    for row in (60, 120):
        pixels[row - 6 : row + 7, 100] = pixels[row, 94:107] = 255
    pixels[70:112:6, 100] = 255


def text_below(pixels):
    pixels[185:195, 30:60] = 200


def pairs(archive):
    return [(d.keep, d.drop, d.why) for d in find_duplicates(index(archive))]


def test_repeated_captures_of_one_place_are_no_duplicates(speckle, archive):
    for seed in range(4):
        speckle(f"{seed}.dcm", seed)
    assert pairs(archive) == []


@pytest.mark.parametrize(("clean", "marked"), [("a.dcm", "b.dcm"), ("b.dcm", "a.dcm")])
def test_the_clean_frame_is_proposed_whatever_it_is_called(speckle, archive, clean, marked):
    speckle(clean, 1)
    speckle(marked, 1, calipers)
    speckle("c.dcm", 2)
    ((keep, drop, why),) = pairs(archive)
    assert (keep, drop) == (clean, marked)
    assert "marks drawn on it" in why


def test_the_same_field_with_other_text_beside_it_is_the_same_picture(speckle, archive):
    speckle("a.dcm", 1)
    speckle("b.dcm", 1, text_below)
    assert pairs(archive) == [("a.dcm", "b.dcm", "the same picture, pixel for pixel within its field")]


def test_a_twin_under_another_patients_id_is_found_too(speckle, archive):
    speckle("a.dcm", 1, patient="ONE")
    speckle("b.dcm", 1, calipers, patient="TWO")
    assert len(pairs(archive)) == 1


def test_of_three_copies_two_are_left_out_and_none_is_kept_for_one_that_is_left_out(speckle, archive):
    for name, draw in (("a.dcm", calipers), ("b.dcm", None), ("c.dcm", text_below)):
        speckle(name, 1, draw)
    found = pairs(archive)
    dropped = {drop for _, drop, _ in found}
    assert len(dropped) == 2
    assert "a.dcm" in dropped
    assert not dropped & {keep for keep, _, _ in found}


def test_an_unreadable_picture_is_nobodys_duplicate(speckle, archive):
    speckle("a.dcm", 1)
    (archive / "b.dcm").write_bytes((archive / "a.dcm").read_bytes()[:-9000])
    assert pairs(archive) == []
