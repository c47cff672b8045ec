"""Snapping moves what was drawn by eye onto the edge beside it, and nothing that has none."""

from __future__ import annotations

import numpy as np
import pytest

import usimg
from usimg.errors import OutlineRefused
from usimg.measurement import area
from usimg.outline.snap import snap
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
    gray = np.asarray(gray, dtype=np.uint8)
    picture = Picture(Kind("b_mode"), np.ones(gray.shape, bool), np.zeros(gray.shape, bool))
    return Frame("scan.dcm", 0, gray.shape, Source(gray), lambda _: picture)


def disc(radius: float, *, inside: int, outside: int, speckle: float = 12.0):
    rows, cols = np.mgrid[:240, :300]
    away = np.hypot(rows - 120, cols - 150)
    noise = np.random.default_rng(0).normal(0.0, speckle, away.shape)
    return np.clip(np.where(away < radius, inside, outside) + noise, 0, 255)


def circle(radius: float, row: float = 120, col: float = 150, count: int = 24):
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.column_stack([row + radius * np.sin(angle), col + radius * np.cos(angle)])


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("drawn", [46.0, 54.0])
def test_a_nerve_drawn_too_small_or_too_large_goes_to_its_rim_whichever_way_round(drawn, backwards):
    frame = frame_of(disc(50, inside=40, outside=150))
    ring = circle(drawn, 121, 149)
    found = snap(frame, Roi(polygon=ring[::-1] if backwards else ring, structure="median_nerve"))
    assert area(found.polygons) == pytest.approx(np.pi * 50**2, rel=0.02)


def test_the_trace_rule_says_on_which_side_of_the_rim_it_lies():
    """Bright ring from 40 to 50 px: inside it lies the nerve of the anatomy list, outside the bare name's."""
    rows, cols = np.mgrid[:240, :300]
    away = np.hypot(rows - 120, cols - 150)
    gray = np.where((away > 40) & (away < 50), 200, 60)
    inside = snap(frame_of(gray), Roi(polygon=circle(43), structure="median_nerve"))
    outside = snap(frame_of(gray), Roi(polygon=circle(47), structure="nerve"))
    assert area(inside.polygons) == pytest.approx(np.pi * 40**2, rel=0.03)
    assert area(outside.polygons) == pytest.approx(np.pi * 50**2, rel=0.03)


def test_on_an_even_picture_an_outline_stays_where_it_was_drawn():
    found = snap(
        frame_of(np.full((240, 300), 90)), Roi(polygon=circle(40, count=96), structure="median_nerve")
    )
    assert area(found.polygons) == pytest.approx(np.pi * 40**2, rel=0.01)


def test_a_layer_drawn_a_millimetre_off_goes_back_to_where_the_edges_are():
    phantom = upper_arm(3)
    frame = frame_of(phantom.image)
    truth = phantom.layer("biceps_brachii")
    off = 0.8 / phantom.spacing[0]
    for up, down in ((off, -off), (-off, off), (off, off)):
        upper, lower = truth.upper + np.array([up, 0.0]), truth.lower + np.array([down, 0.0])
        drawn = Roi(
            polygon=np.concatenate([upper, lower[::-1]]), upper=upper, lower=lower, structure="biceps_brachii"
        )
        found = snap(frame, drawn)
        miss = [
            np.abs(edge[:, 0] - np.interp(edge[:, 1], true[:, 1], true[:, 0])).mean() * phantom.spacing[0]
            for edge, true in ((found.upper, truth.upper), (found.lower, truth.lower))
        ]
        assert max(miss) < 0.25


def test_parts_and_caliper_are_kept():
    gray = np.minimum(disc(30, inside=40, outside=150), np.roll(disc(30, inside=40, outside=150), 80, axis=1))
    two = Roi(
        polygons=(circle(28), circle(28, col=230)),
        line=[[100, 100], [140, 100]],
        structure="median_nerve",
        side="left",
    )
    found = snap(frame_of(gray), two)
    assert len(found.polygons) == 2
    assert np.array_equal(found.line, two.line)
    assert found.side == "left"


def test_a_caliper_alone_and_an_outline_outside_the_tissue_are_refused():
    frame = frame_of(disc(50, inside=40, outside=150))
    with pytest.raises(OutlineRefused, match="caliper"):
        snap(frame, Roi(line=[[0, 0], [10, 10]], structure="median_nerve"))
    with pytest.raises(OutlineRefused, match="outside"):
        snap(frame, Roi(polygon=circle(10, -40, -40), structure="median_nerve"))


def test_snapping_twice_is_snapping_once_and_the_machine_is_not_touched():
    phantom = upper_arm(1)
    frame = frame_of(phantom.image)
    roi = next(r for r in usimg.segment(frame, "upper_arm") if r.structure == "biceps_brachii")
    before = roi.upper.copy()
    once = snap(frame, roi)
    twice = snap(frame, once)
    assert np.array_equal(roi.upper, before)
    assert np.abs(twice.upper - once.upper).mean() < 0.5
