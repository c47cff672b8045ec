"""Outlines to shapes and back."""

from __future__ import annotations

import numpy as np
import pytest

from usimg import Roi
from usimg.errors import OutlineRefused
from usimg_napari.convert import Part, parts, redrawn
from usimg_napari.handles import all_handles

TRIANGLE = np.array([[10.0, 10.0], [10.0, 30.0], [30.0, 20.0]])


def test_a_nerve_in_two_parts_is_two_shapes_of_one_owner_and_comes_back_as_one_outline():
    nerve = Roi(polygons=(TRIANGLE, TRIANGLE + 40), structure="ulnar_nerve")
    shapes = parts(3, nerve)
    assert [shape.owner for shape in shapes] == [3, 3]
    back = redrawn(nerve, shapes, author="A")
    assert [polygon.tolist() for polygon in back.polygons] == [TRIANGLE.tolist(), (TRIANGLE + 40).tolist()]
    assert (back.structure, back.method, back.confidence) == ("ulnar_nerve", "drawn by A", 1.0)


def test_a_caliper_is_a_line_and_stays_one():
    caliper = Roi(line=[[10, 20], [50, 21]])
    (shape,) = parts(0, caliper)
    assert shape.kind == "line"
    moved = redrawn(caliper, [Part(0, shape.handled.bent(shape.vertices + 1), "line")], author="A")
    assert moved.line is not None
    assert moved.line.tolist() == [[11, 21], [51, 22]]
    assert not moved.polygons


def test_an_outline_that_was_not_found_has_no_shape():
    assert parts(0, Roi()) == []


def test_two_vertices_are_not_an_outline():
    with pytest.raises(OutlineRefused):
        redrawn(Roi(polygon=TRIANGLE), [Part(0, all_handles(TRIANGLE[:2]))], author="A")
