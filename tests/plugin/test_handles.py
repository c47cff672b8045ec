"""Few vertices to take hold of; what is measured stays whole, and changes where it was dragged."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from usimg_napari.handles import FEW, TOLERANCE_PX, Handled, with_handles


def circle(radius: float = 80.0, count: int = 1000) -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.column_stack([100 + radius * np.sin(angle), 100 + radius * np.cos(angle)])


def area(polygon: np.ndarray) -> float:
    r, c = polygon.T
    return 0.5 * abs(float(np.dot(r, np.roll(c, -1)) - np.dot(c, np.roll(r, -1))))


def off(points: np.ndarray, polygon: np.ndarray) -> float:
    """Largest distance of points from a closed polygon's line."""
    along = np.roll(polygon, -1, axis=0) - polygon
    length = (along**2).sum(axis=1)
    share = ((points[:, None] - polygon) * along).sum(axis=2) / np.where(length == 0, 1, length)
    nearest = polygon + np.clip(share, 0, 1)[..., None] * along
    return float(np.linalg.norm(points[:, None] - nearest, axis=2).min(axis=1).max())


def after(handled: Handled, change) -> Handled:
    vertices = handled.vertices.copy()
    return handled.bent(change(vertices))


def moved(index: int, by: tuple[float, float]):
    def change(vertices):
        vertices[index] += np.float32(by)
        return vertices

    return change


def test_a_machines_thousand_vertices_become_few_enough_to_take_hold_of():
    assert len(with_handles(circle()).vertices) <= 60


def test_a_handful_of_vertices_are_all_handles():
    assert len(with_handles(circle(count=FEW)).vertices) == FEW


def test_what_is_measured_is_the_whole_outline_however_few_the_handles():
    assert area(with_handles(circle()).ring) == pytest.approx(area(circle()), rel=1e-12)


def test_handles_that_were_not_moved_change_nothing_to_the_last_bit():
    handled = with_handles(circle() + 1 / 3)
    assert np.array_equal(handled.bent(handled.vertices.copy()).ring, handled.ring)


def test_a_moved_handle_takes_its_surroundings_along_and_nothing_beyond_the_next_handles():
    handled = with_handles(circle())
    bent = after(handled, moved(5, (4.0, 0.0)))
    change = np.abs(bent.ring - handled.ring).max(axis=1)
    before, here, behind = handled.at[4], handled.at[5], handled.at[6]
    assert change[here] == pytest.approx(4.0)
    assert (np.diff(change[before : here + 1]) >= 0).all()
    assert not change[:before].any()
    assert not change[behind + 1 :].any()


def test_moving_all_handles_alike_moves_the_outline():
    handled = with_handles(circle())
    bent = handled.bent(handled.vertices + np.float32([3.0, -2.0]))
    assert bent.ring == pytest.approx(handled.ring + np.array([3.0, -2.0]), abs=1e-4)


def test_a_drag_and_a_drag_back_is_no_change():
    handled = with_handles(circle())
    there = after(handled, moved(7, (9.0, -3.0)))
    assert there.bent(handled.vertices).ring == pytest.approx(handled.ring, abs=1e-4)


@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_an_inserted_handle_bends_the_outline_to_the_click_and_can_be_removed_again(place):
    handled = with_handles(circle())
    count = len(handled.vertices)
    at = {"first": 1, "middle": count // 2, "last": count}[place]
    chord = (handled.vertices[at - 1] + handled.vertices[at % count]) / 2
    more = handled.bent(np.insert(handled.vertices, at, chord, axis=0))
    assert len(more.vertices) == count + 1
    assert off(chord[None].astype(float), more.ring) < 1e-4
    assert np.array_equal(more.ring[more.at].astype(np.float32), more.vertices)
    dragged = after(more, moved(at, (2.0, 2.0)))
    assert dragged.ring[dragged.at[at]] == pytest.approx(chord + 2.0, abs=1e-4)
    fewer = dragged.bent(np.delete(dragged.vertices, at, axis=0))
    assert np.array_equal(fewer.vertices, handled.vertices)


def test_without_a_handle_the_outline_runs_straight_between_its_neighbours():
    handled = with_handles(circle())
    for at in (0, 5, len(handled.vertices) - 1):
        fewer = handled.bent(np.delete(handled.vertices, at, axis=0))
        chord = handled.ring[handled.at[[at - 1, (at + 1) % len(handled.at)]]]
        # A third of the way along the chord lies on the outline now.
        assert off((chord[:1] * 2 + chord[1:]) / 3, fewer.ring) < 1e-9
        assert area(fewer.ring) < area(handled.ring)
        assert np.array_equal(fewer.ring[fewer.at].astype(np.float32), fewer.vertices)


def test_other_vertices_altogether_are_the_outline():
    other = np.array([[0.0, 0.0], [0.0, 9.0], [9.0, 9.0], [9.0, 0.0]])
    assert np.array_equal(with_handles(circle()).bent(other).ring, other)


@given(st.lists(st.tuples(st.floats(-50, 50), st.floats(-50, 50)), min_size=FEW + 1, max_size=90))
def test_the_line_through_the_handles_keeps_to_what_is_measured(points):
    handled = with_handles(np.array(points))
    assert len(handled.vertices) >= 3
    assert np.array_equal(handled.ring[handled.at].astype(np.float32), handled.vertices)
    assert off(handled.ring, handled.ring[handled.at]) <= TOLERANCE_PX + 1e-9
