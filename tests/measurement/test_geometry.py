"""Area and perimeter of polygons: closed forms, and nothing that a shift, a flip or a scale may change."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usimg.measurement import area, clip_to_frame, perimeter, roundness

SPACING = (0.1, 0.04)


def ellipse(row, col, half_rows, half_cols, n=720):
    t = np.linspace(0.0, 2.0 * np.pi, n, endpoint=False)
    return np.c_[row + half_rows * np.sin(t), col + half_cols * np.cos(t)]


@st.composite
def stars(draw):
    """Simple polygons of 3 to 40 vertices, each seen from one point inside."""
    n = draw(st.integers(3, 40))
    radii = draw(st.lists(st.floats(2.0, 60.0), min_size=n, max_size=n))
    turn = draw(st.floats(0.0, 6.28))
    angles = turn + np.arange(n) * 2.0 * np.pi / n
    return np.c_[150 + radii * np.sin(angles), 200 + radii * np.cos(angles)]


def test_a_circle_has_the_area_and_length_of_a_circle_whatever_the_pixels():
    # Round in mm: 8 mm across rows of 0.1 mm and columns of 0.04 mm.
    circle = ellipse(100, 150, 4.0 / 0.1, 4.0 / 0.04)
    assert area([circle], SPACING) == pytest.approx(math.pi * 16.0, rel=1e-4)
    assert perimeter([circle], SPACING) == pytest.approx(math.pi * 8.0, rel=1e-4)
    assert roundness(area([circle], SPACING), perimeter([circle], SPACING)) == pytest.approx(1.0, rel=1e-4)


def test_an_ellipse_has_the_area_of_an_ellipse():
    assert area([ellipse(50, 60, 30, 20)], SPACING) == pytest.approx(math.pi * 3.0 * 0.8, rel=1e-4)


def test_a_square_from_50_to_250_has_40000_square_pixels():
    square = np.array([[50, 50], [50, 250], [250, 250], [250, 50]], float)
    assert area([square]) == 40_000.0
    assert perimeter([square]) == 800.0


def test_a_ring_in_two_halves_has_the_area_of_both():
    t = np.linspace(0.0, np.pi, 400)
    half = np.r_[np.c_[40 * np.sin(t), 40 * np.cos(t)], np.c_[20 * np.sin(t), 20 * np.cos(t)][::-1]] + 100
    other = np.r_[np.c_[-40 * np.sin(t), 40 * np.cos(t)], np.c_[-20 * np.sin(t), 20 * np.cos(t)][::-1]] + 100
    assert area([half, other]) == pytest.approx(math.pi * (1600 - 400), rel=1e-4)


@settings(deadline=None)
@given(stars(), st.floats(-900.0, 900.0), st.floats(-900.0, 900.0))
def test_area_and_perimeter_are_unchanged_by_a_shift(star, rows, cols):
    moved = star + np.array([rows, cols])
    assert area([moved]) == pytest.approx(area([star]), rel=1e-9)
    assert perimeter([moved]) == pytest.approx(perimeter([star]), rel=1e-9)


@settings(deadline=None)
@given(stars())
def test_area_and_perimeter_are_unchanged_by_a_flip_and_by_the_way_round(star):
    for other in (star * (1, -1), star * (-1, 1), star[::-1], np.roll(star, 2, axis=0)):
        assert area([other], SPACING) == pytest.approx(area([star], SPACING), rel=1e-9)
        assert perimeter([other], SPACING) == pytest.approx(perimeter([star], SPACING), rel=1e-9)


@settings(deadline=None)
@given(stars(), st.floats(0.01, 20.0), st.floats(0.01, 20.0))
def test_a_picture_stored_with_other_pixels_has_the_same_mm(star, rows, cols):
    finer = star * (rows, cols)
    spacing = (SPACING[0] / rows, SPACING[1] / cols)
    assert area([finer], spacing) == pytest.approx(area([star], SPACING), rel=1e-9)
    assert perimeter([finer], spacing) == pytest.approx(perimeter([star], SPACING), rel=1e-9)


@settings(deadline=None)
@given(stars())
def test_clipping_keeps_what_is_on_the_picture_and_nothing_else(star):
    """A polygon's parts left and right of a border, each clipped away in turn, add up to it."""
    shape = (300, 400)
    inside = clip_to_frame(star, shape)
    assert area([inside]) == pytest.approx(area([star]), rel=1e-9)
    moved = star - (150, 0)  # its upper part now lies above the picture
    kept = clip_to_frame(moved, shape)
    mirrored = clip_to_frame(moved * (-1, 1) - (1, 0), shape)  # about the border at row -0.5
    total = sum(area([p]) for p in (kept, mirrored) if len(p))
    assert total == pytest.approx(area([star]), rel=1e-6)


def test_an_outline_beside_the_picture_is_clipped_to_nothing():
    assert clip_to_frame(ellipse(-100, 50, 20, 20), (300, 400)).shape == (0, 2)
