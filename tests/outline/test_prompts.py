"""Boxes and clicks: nerves, vessels, and every way in which a prompt can be wrong."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage.draw import polygon2mask
from skimage.measure import label, regionprops

import usimg
from usimg.errors import OutlineRefused
from usimg.outline import rims

SHAPE = (200, 300)


@pytest.fixture(scope="module")
def speckle(pictures):
    """A grey frame with a bright ring of radius 30 about (100, 150)."""
    rng = np.random.default_rng(0)
    row, col = np.mgrid[: SHAPE[0], : SHAPE[1]]
    distance = np.hypot(row - 100, col - 150)
    gray = 70 + 15 * rng.standard_normal(SHAPE) + 110 * np.exp(-(((distance - 28) / 3) ** 2))
    gray[distance < 25] -= 25
    return pictures.frame_of(np.clip(gray, 0, 255))


def dice(polygon, truth):
    mine = polygon2mask(truth.shape, polygon)
    return 2 * (mine & truth).sum() / (mine.sum() + truth.sum())


def area(polygon):
    row, col = polygon.T
    return 0.5 * abs(np.dot(row, np.roll(col, 1)) - np.dot(col, np.roll(row, 1)))


def test_a_bare_nerve_is_outlined_outside_its_rim_and_a_named_one_inside(speckle):
    box = [(66, 116, 134, 184)]
    (bare,) = usimg.segment(speckle, "nerve", boxes=box)
    (named,) = usimg.segment(speckle, "median_nerve", boxes=box)
    assert (bare.trace_rule, named.trace_rule) == ("outside_rim", "inside_rim")
    assert bare.alternatives[0].trace_rule == "inside_rim"
    np.testing.assert_array_equal(bare.alternatives[0].polygon, named.polygon)
    np.testing.assert_array_equal(named.alternatives[0].polygon, bare.polygon)
    assert 0.5 * area(bare.polygon) < area(named.polygon) < 0.95 * area(bare.polygon)


def test_the_inside_rim_lies_on_the_rims_inner_shoulder(speckle):
    (roi,) = usimg.segment(speckle, "median_nerve", boxes=[(66, 116, 134, 184)])
    radius = np.hypot(*(roi.polygon - [100, 150]).T)
    # The ring peaks at 28 and its inner flank is steepest 2 px inside (3 px / sqrt 2).
    assert np.median(radius) == pytest.approx(25.9, abs=1.5)


def test_prompts_are_answered_one_by_one_in_order(speckle):
    seeds = [(100, 150), (np.nan, 3), (100, 160)]
    boxes = [(60, 110, 140, 190), (500, 500, 600, 600)]
    rois = usimg.segment(speckle, "nerve", seeds=seeds, boxes=boxes)
    assert [roi.polygon is None for roi in rois] == [False, True, False, False, True]
    assert all(roi.structure == "nerve" for roi in rois)


@pytest.mark.parametrize(
    ("box", "reason"),
    [
        ((10, 10, 10, 50), "no area"),
        ((50, 50, 50, 50), "no area"),
        ((-90, -90, -10, -10), "outside the frame"),
        ((10, 400, 50, 500), "outside the frame"),
        ((10, 10, float("nan"), 50), "not a number"),
        ((10, 10, float("inf"), 50), "not a number"),
        ((10, 10, 12, 12), "smaller than"),
    ],
)
@pytest.mark.parametrize("structure", ["nerve", "muscle"])
def test_a_useless_box_gives_a_failed_outline_that_says_why(speckle, box, reason, structure):
    (roi,) = usimg.segment(speckle, structure, boxes=[box])
    assert roi.polygon is None
    assert roi.confidence == 0.0
    assert reason in roi.flags[0]


def test_a_box_over_the_border_is_clipped_and_the_outline_stays_in_the_frame(speckle):
    (roi,) = usimg.segment(speckle, "nerve", boxes=[(-40, -40, 60, 60)])
    assert roi.polygon.min() >= -0.5
    assert any("cut by the border" in flag for flag in roi.flags) or roi.polygon.max() <= 60.5


def test_a_box_drawn_from_any_corner_is_the_same_box(speckle):
    one, two = usimg.segment(speckle, "nerve", boxes=[(60, 110, 140, 190), (140, 190, 60, 110)])
    np.testing.assert_array_equal(one.polygon, two.polygon)


@pytest.mark.parametrize("segmenter", ["classical", "nerve-network"])
def test_a_second_point_on_the_border_gives_the_size(two_rings, segmenter):
    """Two rings, radius 18 and 45, about one middle: a click could mean either."""

    def reach(radius):
        seeds = [((100, 150), (100 + radius * np.sin(1.0), 150 + radius * np.cos(1.0)))]
        (roi,) = usimg.segment(two_rings, "nerve", seeds=seeds, segmenter=segmenter)
        assert not any("size was guessed" in flag for flag in roi.flags)
        return np.sqrt(area(roi.polygon) / np.pi)

    assert reach(18) == pytest.approx(19, rel=0.35)
    assert reach(45) == pytest.approx(46, rel=0.25)


@pytest.fixture(scope="module")
def two_rings(pictures):
    row, col = np.mgrid[: SHAPE[0], : SHAPE[1]]
    distance = np.hypot(row - 100, col - 150)
    gray = 70 + 15 * np.random.default_rng(0).standard_normal(SHAPE)
    for radius in (17, 44):
        gray += 110 * np.exp(-(((distance - radius) / 3) ** 2))
    return pictures.frame_of(np.clip(gray, 0, 255))


@pytest.mark.parametrize(
    ("edge", "reason"),
    [((100.5, 150), "within 2 px of the first"), ((100, 900), "second point"), ((np.nan, 3), "second point")],
)
def test_a_second_point_that_gives_no_size_is_a_reason(speckle, edge, reason):
    rois = usimg.segment(speckle, "nerve", seeds=[(100, 150), ((100, 150), edge)])
    assert [roi.polygon is None for roi in rois] == [False, True]
    assert reason in rois[1].flags[0]


@pytest.mark.parametrize(
    "prompts",
    [
        {"seeds": [((1, 2), (3, 4), (5, 6))]},
        {"seeds": [((1, 2), (3,))]},
        {"boxes": [(1, 2, 3)]},
        {"boxes": [1, 2, 3, 4]},
        {"seeds": [(1, 2, 3)]},
        {"seeds": "ab"},
        {"boxes": 5},
    ],
)
def test_prompts_of_a_wrong_form_are_refused(speckle, prompts):
    with pytest.raises(OutlineRefused):
        usimg.segment(speckle, "nerve", **prompts)


def test_no_prompts_and_empty_prompts_are_different_questions(speckle):
    assert usimg.segment(speckle, "nerve", seeds=[]) == []
    assert usimg.segment(speckle, "muscle", boxes=[]) == []


numbers = st.floats(-400, 400) | st.sampled_from([float("nan"), float("inf"), -0.5, 199.5])


@settings(max_examples=40, deadline=None)
@given(box=st.tuples(numbers, numbers, numbers, numbers), structure=st.sampled_from(["nerve", "vessel"]))
def test_any_four_numbers_are_answered_by_one_outline_in_the_frame_or_a_reason(pictures, box, structure):
    noise = np.random.default_rng(1).integers(0, 255, SHAPE)
    (roi,) = usimg.segment(pictures.frame_of(noise), structure, boxes=[box])
    if roi.polygon is None:
        assert roi.flags
        assert roi.confidence == 0.0
    else:
        assert (roi.polygon >= -0.5).all()
        assert (roi.polygon <= np.array(SHAPE) - 0.5).all()


def test_a_phantom_nerve_in_a_box_agrees_with_its_truth(wrist, pictures):
    (nerve,) = (s for s in wrist.sections if s.structure == "median_nerve")
    (r0, c0), (r1, c1) = nerve.outside_rim.min(axis=0), nerve.outside_rim.max(axis=0)
    frame = pictures.phantom_frame(wrist)
    (bare,) = usimg.segment(frame, "nerve", boxes=[(r0, c0, r1, c1)])
    (named,) = usimg.segment(frame, "median_nerve", boxes=[(r0, c0, r1, c1)])
    assert dice(bare.polygon, polygon2mask(frame.shape, nerve.outside_rim)) > 0.9
    assert dice(named.polygon, polygon2mask(frame.shape, nerve.inside_rim)) > 0.85


def test_real_nerves_and_vessels_agree_with_the_expert_better_than_the_boxes_ellipse(shared_data):
    """A part of the training pictures: fitted on these, so this is no figure, but a floor."""
    home, rng = shared_data / "nerve_vessel", np.random.default_rng(3)
    with (home / "manifest.csv").open() as table:
        rows = [r for r in csv.DictReader(table) if r["split"] == "train" and r["usable"] == "yes"]
    gain = {"nerve": [], "vessel": []}
    for row in rows[::6]:
        mask = np.asarray(Image.open(home / row["mask"]))
        frame = usimg.read(home / row["file"]).frames[0]
        for structure, value in (("nerve", 1), ("vessel", 2)):
            parts = label(mask == value)
            for part in regionprops(parts):
                if part.area < 150:
                    continue
                r0, c0, r1, c1 = part.bbox
                sides = np.array([r1 - r0, c1 - c0, r1 - r0, c1 - c0])
                box = tuple(np.array(part.bbox) - 0.5 + rng.normal(0, 0.05, 4) * sides)
                (roi,) = usimg.segment(frame, structure, boxes=[box])
                truth = parts == part.label
                gain[structure].append(
                    (dice(roi.polygon, truth), dice(rims.ellipse_polygon(box), truth)),
                )
    for structure, least in (("nerve", 0.84), ("vessel", 0.88)):
        ours, ellipse = np.mean(gain[structure], axis=0)
        assert ours > least, structure
        assert ours > ellipse, structure
