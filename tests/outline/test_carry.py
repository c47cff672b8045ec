"""An outline goes along with the tissue from frame to frame, and does not drift away over a clip."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from usimg.errors import OutlineRefused
from usimg.measurement import area
from usimg.outline.carry import carry
from usimg.roi import Roi
from usimg.scan import Frame, Kind, Picture, Pixels
from usimg.simulate import upper_arm


class Source:
    def __init__(self, gray):
        self.gray = gray

    def pixels(self, index):
        return Pixels(self.gray, None, "stored grey", "array")

    def sha256(self):
        return "0" * 64


def frame_of(gray) -> Frame:
    gray = np.clip(gray, 0, 255).astype(np.uint8)
    picture = Picture(Kind("b_mode"), np.ones(gray.shape, bool), np.zeros(gray.shape, bool))
    return Frame("clip.dcm", 0, gray.shape, Source(gray), lambda _: picture)


def circle(radius: float, row: float, col: float, count: int = 48):
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.column_stack([row + radius * np.sin(angle), col + radius * np.cos(angle)])


@pytest.fixture(scope="module")
def nerve():
    """A dark disc in speckle that moves as one with its surroundings."""
    rows, cols = np.mgrid[:260, :320]
    tissue = np.random.default_rng(1).normal(0, 25, (260, 320))
    tissue = ndimage.gaussian_filter(tissue, 1.5) * 3 + 120
    return np.where(np.hypot(rows - 120, cols - 150) < 40, tissue * 0.4, tissue)


def test_a_nerve_that_slides_is_followed_to_half_a_pixel(nerve):
    start = Roi(polygon=circle(40, 120, 150), structure="median_nerve")
    for shift in ((3.0, 0.0), (-2.0, 4.0), (0.0, -5.0)):
        later = ndimage.shift(nerve, shift, order=1, mode="nearest")
        found = carry(frame_of(nerve), frame_of(later), start)
        middle = found.polygons[0].mean(axis=0)
        assert middle == pytest.approx(np.array([120, 150]) + shift, abs=0.7)
        assert area(found.polygons) == pytest.approx(area(start.polygons), rel=0.03)


def test_over_twenty_frames_there_and_back_it_does_not_drift(nerve):
    roi = Roi(polygon=circle(40, 120, 150), structure="median_nerve")
    before = frame_of(nerve)
    for step in range(1, 21):
        offset = 10.0 * np.sin(np.pi * step / 20)
        now = frame_of(ndimage.shift(nerve, (offset, 0.5 * offset), order=1, mode="nearest"))
        roi = carry(before, now, roi)
        before = now
    assert roi.polygons[0].mean(axis=0) == pytest.approx([120, 150], abs=1.5)
    assert area(roi.polygons) == pytest.approx(np.pi * 40**2, rel=0.05)


def test_a_muscle_that_thickens_is_measured_thicker():
    phantom = upper_arm(3)
    layer = phantom.layer("biceps_brachii")
    roi = Roi(
        polygon=layer.polygon, upper=layer.upper, lower=layer.lower, structure="biceps_brachii", side="left"
    )
    rows = phantom.image.shape[0]
    before = frame_of(phantom.image)
    for stretch in np.linspace(1.0, 1.1, 6)[1:]:
        grown = ndimage.affine_transform(phantom.image.astype(float), [1 / stretch, 1.0], order=1)[:rows]
        now = frame_of(grown)
        roi = carry(before, now, roi)
        before = now
    true = 1.1 * np.mean(
        np.interp(layer.upper[:, 1], layer.lower[:, 1], layer.lower[:, 0]) - layer.upper[:, 0]
    )
    found = np.mean(roi.lower[:, 0] - np.interp(roi.lower[:, 1], roi.upper[:, 1], roi.upper[:, 0]))
    assert found == pytest.approx(true, rel=0.03)


def test_a_caliper_goes_along(nerve):
    line = Roi(line=[[80.0, 150.0], [160.0, 150.0]], structure="median_nerve")
    later = ndimage.shift(nerve, (4.0, 0.0), order=1, mode="nearest")
    assert carry(frame_of(nerve), frame_of(later), line).line == pytest.approx(
        line.line + np.array([4.0, 0.0]), abs=0.7
    )


def test_nothing_drawn_and_other_sizes_are_refused(nerve):
    with pytest.raises(OutlineRefused, match="no outline"):
        carry(frame_of(nerve), frame_of(nerve), Roi(structure="nerve"))
    with pytest.raises(OutlineRefused, match="size"):
        carry(frame_of(nerve), frame_of(nerve[:-10]), Roi(polygon=circle(9, 50, 50), structure="nerve"))
