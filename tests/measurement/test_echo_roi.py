"""The protocol's region stays clear of fascia by its margin, and keeps the width and depth it was given."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usimg.anatomy import EchoRoi
from usimg.measurement import area, echo_region

SPACING = (0.08, 0.05)
BAND = np.array([[100, 20], [100, 380], [200, 380], [200, 20]], float)


def ellipse(half_rows_mm, half_cols_mm, n=360):
    t = np.linspace(0, 2 * np.pi, n, endpoint=False)
    return np.c_[150 + half_rows_mm / SPACING[0] * np.sin(t), 200 + half_cols_mm / SPACING[1] * np.cos(t)]


def distance_mm(points, outline):
    """From each point to the nearest place of a closed outline."""
    a, b = outline * SPACING, np.roll(outline, -1, axis=0) * SPACING
    p = points[:, None] * SPACING
    along = np.clip(((p - a) * (b - a)).sum(-1) / ((b - a) ** 2).sum(-1), 0, 1)[..., None]
    return np.sqrt(((p - a - along * (b - a)) ** 2).sum(-1)).min(axis=1)


def test_without_margin_or_share_it_is_the_outline_itself():
    (region,) = echo_region([BAND], EchoRoi(), None)
    assert region is BAND


def test_of_a_band_the_margin_is_taken_off_on_all_sides_in_mm():
    (region,) = echo_region([BAND], EchoRoi(margin_mm=0.8), SPACING)
    assert region.min(axis=0) == pytest.approx([110, 36])
    assert region.max(axis=0) == pytest.approx([190, 364])


def test_of_a_circle_a_smaller_circle_is_left():
    (region,) = echo_region([ellipse(5.0, 5.0)], EchoRoi(margin_mm=1.0), SPACING)
    assert area([region], SPACING) == pytest.approx(math.pi * 16.0, rel=0.005)


@settings(deadline=None, max_examples=40)
@given(st.floats(1.5, 8.0), st.floats(1.5, 8.0), st.floats(0.2, 1.2))
def test_no_point_of_the_region_is_nearer_to_the_outline_than_the_margin(half_rows, half_cols, margin):
    outline = ellipse(half_rows, half_cols)
    (region,) = echo_region([outline], EchoRoi(margin_mm=margin), SPACING)
    assert distance_mm(region, outline).min() > margin - 0.015  # mm; a pixel is 0.05
    assert area([region]) < area([outline])


def test_a_notch_in_the_fascia_is_kept_clear_of_too():
    """The margin is a distance, not a shift down: beside a spike of fascia it holds sideways."""
    x = np.linspace(0, 400, 401)
    upper = np.c_[100 + 60 * np.exp(-(((x - 200) / 6) ** 2)), x]
    lower = np.c_[np.full(401, 220.0), x]
    region = echo_region([np.r_[upper, lower[::-1]]], EchoRoi(margin_mm=0.6), SPACING)
    assert distance_mm(np.concatenate(region), upper).min() > 0.6 - 0.02


def test_the_central_width_is_a_share_of_the_width_about_its_middle():
    (region,) = echo_region([BAND], EchoRoi(central_width=0.5), None)
    assert region[:, 1].min() == pytest.approx(110)
    assert region[:, 1].max() == pytest.approx(290)
    assert area([region]) == pytest.approx(0.5 * area([BAND]))


def test_the_upper_third_is_the_upper_third():
    (region,) = echo_region([BAND], EchoRoi(depth=(0.0, 1 / 3)), None)
    assert region[:, 0].min() == pytest.approx(100)
    assert region[:, 0].max() == pytest.approx(100 + 100 / 3)


def test_the_layers_own_edges_count_before_the_chains_of_its_outline():
    upper, lower = np.array([[110.0, 30.0], [110.0, 370.0]]), np.array([[190.0, 30.0], [190.0, 370.0]])
    (region,) = echo_region([BAND], EchoRoi(margin_mm=0.08), SPACING, edges=(upper, lower))
    assert region[:, 0].min() == pytest.approx(111)
    assert region[:, 0].max() == pytest.approx(189)


def test_a_waist_thinner_than_twice_the_margin_leaves_two_regions():
    x = np.linspace(0, 400, 401)
    upper = np.c_[100 + 45 * np.exp(-(((x - 200) / 50) ** 2)), x]
    lower = np.c_[200 - 45 * np.exp(-(((x - 200) / 50) ** 2)), x]
    regions = echo_region([np.r_[upper, lower[::-1]]], EchoRoi(margin_mm=0.8), SPACING)
    assert len(regions) == 2
    assert regions[0][:, 1].max() < 200 < regions[1][:, 1].min()


def test_a_structure_thinner_than_twice_the_margin_everywhere_leaves_nothing():
    assert echo_region([ellipse(0.4, 4.0)], EchoRoi(margin_mm=0.5), SPACING) == ()


def test_each_part_of_an_outline_has_its_own_region():
    regions = echo_region([BAND, BAND + np.array([200, 0])], EchoRoi(margin_mm=0.4), SPACING)
    assert [round(r[:, 0].min()) for r in regions] == [105, 305]


def test_a_margin_in_mm_without_a_scale_is_refused():
    with pytest.raises(ValueError, match="needs a scale"):
        echo_region([BAND], EchoRoi(margin_mm=0.5), None)
