"""An outline is checked at the door, and stays what it was."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import usimg
from usimg.errors import OutlineRefused

TRIANGLE = [[0, 0], [0, 10], [10, 10]]


def test_one_polygon_and_a_list_of_one_are_the_same():
    one = usimg.Roi(polygon=TRIANGLE)
    many = usimg.Roi(polygons=(TRIANGLE,))
    assert np.array_equal(one.polygon, many.polygon)
    assert len(one.polygons) == len(many.polygons) == 1


def test_a_failed_prompt_has_no_polygon_and_says_why():
    roi = usimg.Roi(structure="nerve", confidence=0.0, flags=("the box lies outside the picture",))
    assert roi.polygon is None
    assert roi.points.shape == (0, 2)


@pytest.mark.parametrize(
    "polygon", [[[0, 0], [1, 1]], [[0, 0, 0]] * 3, [[0, 0], [0, np.nan], [1, 1]], "abc", [], [[[0, 0]]]]
)
def test_what_is_no_outline_is_refused_in_words(polygon):
    with pytest.raises(OutlineRefused):
        usimg.Roi(polygon=polygon)


def test_a_caliper_has_two_ends():
    assert usimg.Roi(line=[[0, 0], [10, 0]]).points.shape == (2, 2)
    with pytest.raises(OutlineRefused, match="two ends"):
        usimg.Roi(line=TRIANGLE)


def test_outlines_cannot_be_changed_behind_ones_back():
    drawn = np.array(TRIANGLE, float)
    roi = usimg.Roi(polygon=drawn)
    drawn[0] = 99
    assert roi.polygon[0, 0] == 0
    with pytest.raises(ValueError, match="read-only"):
        roi.polygon[0] = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        roi.structure = "nerve"


def test_replacing_only_the_polygon_is_refused_because_the_parts_would_disagree():
    roi = usimg.Roi(polygon=TRIANGLE)
    with pytest.raises(OutlineRefused, match="with_polygons"):
        dataclasses.replace(roi, polygon=[[0, 0], [0, 20], [20, 20]])


def test_a_moved_outline_forgets_the_edges_that_belonged_to_the_old_one():
    roi = usimg.Roi(polygon=TRIANGLE, upper=[[0, 0], [0, 10]], lower=[[10, 0], [10, 10]], side="left")
    moved = roi.with_polygons([[0, 0], [0, 20], [20, 20]], method="Kim")
    assert moved.upper is None
    assert moved.lower is None
    assert (moved.side, moved.method) == ("left", "Kim")


@pytest.mark.parametrize(
    ("confidence", "validated", "trusted"), [(0.5, True, True), (0.49, True, False), (1, False, False)]
)
def test_trusted_means_likely_right_and_validated(confidence, validated, trusted):
    assert usimg.Roi(polygon=TRIANGLE, confidence=confidence, validated=validated).trusted is trusted


def test_confidence_is_a_probability():
    with pytest.raises(OutlineRefused, match="probability"):
        usimg.Roi(polygon=TRIANGLE, confidence=1.2)
