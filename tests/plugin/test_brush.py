"""The brush moves what lies under it, by at most as far as it went, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from usimg.measurement import area
from usimg_napari.brush import push

SQUARE = np.array([[20.0, 20.0], [20.0, 120.0], [120.0, 120.0], [120.0, 20.0]])


def test_a_push_from_inside_makes_the_outline_larger_and_from_outside_smaller():
    out = push(SQUARE, (25, 70), (15, 70), 20)
    into = push(SQUARE, (15, 70), (25, 70), 20)
    assert area([out]) > area([SQUARE]) > area([into])
    assert out[:, 0].min() == pytest.approx(20 - 10, abs=2.5)


def test_a_brush_beside_the_border_changes_nothing_at_all():
    assert push(SQUARE, (70, 70), (75, 70), 20) is SQUARE


@given(st.floats(0, 360), st.floats(1, 25), st.floats(8, 30))
def test_what_is_not_under_the_brush_stays(angle, length, radius):
    start = np.array([20.0, 70.0])
    stop = start + length * np.array([np.sin(np.radians(angle)), np.cos(np.radians(angle))])
    pushed = push(SQUARE, start, stop, radius)
    far = np.hypot(*(pushed - (start + stop) / 2).T) > radius + length
    on_the_square = np.isclose(pushed, 20).any(axis=1) | np.isclose(pushed, 120).any(axis=1)
    assert on_the_square[far].all()
    assert np.abs(area([pushed]) - area([SQUARE])) <= 2 * radius * length + 1e-6


def test_a_stroke_in_one_go_or_in_many_moves_ends_alike():
    at_once = push(SQUARE, (20, 40), (20, 90), 15)
    by_steps = SQUARE
    for col in range(40, 90, 2):
        by_steps = push(by_steps, (20, col), (20, col + 2), 15)
    assert area([at_once]) == pytest.approx(area([by_steps]), rel=0.02)


def test_vertices_stay_bounded_however_long_one_pushes():
    ring = SQUARE
    for turn in range(200):
        ring = push(ring, (20 + turn % 3, 70), (21 - turn % 3, 70), 15)
    assert len(ring) < 400
