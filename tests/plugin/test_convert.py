"""Outlines to shapes and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from usimg import Roi
from usimg.errors import OutlineRefused
from usimg_napari.convert import HANDLE_TOLERANCE_PX, handles, parts, redrawn


def circle(radius: float, count: int) -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.column_stack([100 + radius * np.sin(angle), 100 + radius * np.cos(angle)])


def area(polygon: np.ndarray) -> float:
    r, c = polygon.T
    return 0.5 * abs(float(np.dot(r, np.roll(c, -1)) - np.dot(c, np.roll(r, -1))))


def test_a_nerve_in_two_parts_is_two_shapes_of_one_owner_and_comes_back_as_one_outline():
    nerve = Roi(polygons=(circle(10, 8), circle(10, 8) + 40), structure="ulnar_nerve", method="drawn by B")
    muscle = Roi(polygon=circle(30, 9), method="drawn by B")
    shapes = parts([muscle, nerve])
    assert [shape.owner for shape in shapes] == [0, 1, 1]
    back = redrawn(nerve, [shape.vertices for shape in shapes if shape.owner == 1], author="A")
    for after, before in zip(back.polygons, nerve.polygons, strict=True):
        assert after == pytest.approx(before, abs=1e-4)
    assert (back.structure, back.method, back.confidence) == ("ulnar_nerve", "drawn by A", 1.0)


def test_a_caliper_is_a_line_and_stays_one():
    caliper = Roi(line=[[10, 20], [50, 21]])
    (shape,) = parts([caliper])
    assert shape.kind == "line"
    moved = redrawn(caliper, [shape.vertices + 1], author="A")
    assert moved.line is not None
    assert moved.line.tolist() == [[11, 21], [51, 22]]
    assert not moved.polygons


def test_an_outline_that_was_not_found_has_no_shape():
    assert parts([Roi(), Roi(polygon=circle(5, 5))])[0].owner == 1


def test_two_vertices_are_not_an_outline():
    with pytest.raises(OutlineRefused):
        redrawn(Roi(polygon=circle(5, 5)), [circle(5, 2)], author="A")


def test_a_machines_thousand_vertices_become_few_enough_to_take_hold_of():
    dense = circle(80, 1000)
    assert len(handles(dense)) <= 100
    assert area(handles(dense)) == pytest.approx(area(dense), rel=0.005)


def test_a_persons_vertices_are_shown_as_they_were_set_even_on_a_straight_edge():
    with_extra = np.insert(circle(50, 12), 1, circle(50, 12)[:2].mean(axis=0), axis=0)
    (shape,) = parts([Roi(polygon=with_extra, method="drawn by A")])
    assert shape.vertices == pytest.approx(with_extra, abs=1e-4)


@given(
    st.lists(st.tuples(st.floats(-50, 50), st.floats(-50, 50)), min_size=3, max_size=60),
)
def test_handles_are_vertices_of_the_outline_and_no_vertex_lies_farther_off_than_said(points):
    polygon = np.array(points)
    kept = handles(polygon)
    assert len(kept) >= 3
    assert all((polygon == vertex).all(axis=1).any() for vertex in kept)
    ends = np.roll(kept, -1, axis=0)
    for point in polygon:
        along = ends - kept
        length = (along**2).sum(axis=1)
        share = np.clip(((point - kept) * along).sum(axis=1) / np.where(length == 0, 1, length), 0, 1)
        off = np.hypot(*(point - (kept + share[:, None] * along)).T).min()
        assert off <= HANDLE_TOLERANCE_PX + 1e-9
