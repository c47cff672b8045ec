"""Text that was typed into a picture proposes what it shows; whatever else is written there is not kept."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest

import usimg
from usimg import anatomy
from usimg.extract.burned import TextLine, by_text, proposal_of, text_lines, written
from usimg.extract.index import index
from usimg.simulate.screen import draw_text
from usimg.study.recognition import Words


@pytest.fixture
def tesseract(require):
    require("tesseract", package="tesseract-ocr")
    require("module:pytesseract", package="the extra ocr")


@pytest.fixture
def typed_on(make_dicom, archive):
    """A scan with its field in the middle and lines of text above it."""

    def _typed_on(*lines, name="a.dcm"):
        path = make_dicom(archive / name)
        rng = np.random.default_rng(0)
        screen = np.zeros((480, 640, 3), np.uint8)
        screen[120:440, 60:580] = rng.rayleigh(45, (320, 520)).clip(0, 254).astype(np.uint8)[..., None]
        for number, line in enumerate(lines):
            draw_text(screen, line, 20 + 40 * number, 40, (230, 230, 230), 2)
        ds = pydicom.dcmread(path)
        ds.Rows, ds.Columns, ds.PixelData = 480, 640, screen[..., 0].tobytes()
        region = ds.SequenceOfUltrasoundRegions[0]
        region.RegionLocationMinX0, region.RegionLocationMaxX1 = 60, 579
        region.RegionLocationMinY0, region.RegionLocationMaxY1 = 120, 439
        ds.save_as(path)
        return path

    return _typed_on


def line(text, confidence=0.95):
    return TextLine(tuple((word, confidence) for word in text.split()))


def test_typed_text_names_structure_and_side_and_the_patients_name_is_not_evidence(tesseract, typed_on):
    frame = usimg.read(typed_on("DOE JANE 1234", "RT BICEPS BRACHII")).frames[0]
    said = by_text(frame)
    assert (said.structure, said.side, said.by) == ("biceps_brachii", "right", "text")
    assert "DOE" not in said.evidence.upper()
    assert said.confidence > 0.6


def test_tissue_is_not_read(sample_dicoms):
    path = next(path for path in sorted(sample_dicoms.rglob("*.dcm")) if usimg.read(path).frames)
    frame = usimg.read(path).frames[0]
    tissue = frame.scan_area & ~frame.overlays
    assert (written(frame)[tissue] > 0).mean() < 0.05


def test_an_index_proposes_what_text_names_and_measures_nothing_by_it(tesseract, typed_on, archive):
    typed_on("LINKS M. SOLEUS")
    (picture,) = index(archive, read_text=True).pictures
    assert not picture.label.says_what
    assert (picture.shows.structure, picture.shows.side, picture.recognised_by) == ("soleus", "left", "text")
    (picture,) = index(archive).pictures
    assert not picture.recognised_by


def test_text_and_file_name_that_disagree_propose_nothing(tesseract, typed_on, archive):
    typed_on("LEFT SOLEUS", name="gastrocnemius.dcm")
    (picture,) = index(archive, read_text=True).pictures
    assert not picture.recognised_by


@pytest.mark.parametrize(
    ("lines", "what"),
    [
        ([line("BICEPS BRACHII"), line("TIBIALIS ANTERIOR")], None),  # which one?
        ([line("BICEPS", 0.4)], None),  # hardly read
        ([line("TA")], None),  # an abbreviation among the screen's many
        ([line("OA VORN LT")], "upper_arm"),  # the laboratory's own words
        ([line("MEDIAN NERVE WRIST"), line("LEFT RIGHT")], "median_nerve_wrist"),
    ],
)
def test_only_what_is_plain_is_proposed(lines, what):
    said = proposal_of(lines, Words(names={anatomy.normalise("OA vorn"): "upper_arm"}))
    assert (said.what if said else None) == what
    assert said is None or said.side == ("left" if what == "upper_arm" else "")


def test_text_in_real_pictures_is_read(tesseract, shared_data):
    frame = usimg.read(shared_data / "us_dicom" / "ge_node_j2k.dcm").frames[0]
    read = " ".join(found.text for found in text_lines(written(frame)))
    assert "LYMPH NODE" in read
