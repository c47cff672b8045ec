"""Thickness: closed forms, what may not change it, and refusal where the edges do not make a layer."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usimg.errors import OutlineRefused
from usimg.measurement import area, edges_of, thickness, thickness_profile, thicknesses

SPACING = (0.08, 0.05)
COLUMNS = np.linspace(20.0, 380.0, 61)


def edge(rows, columns=COLUMNS):
    return np.c_[np.broadcast_to(rows, columns.shape), columns]


def closed(upper, lower):
    return np.r_[upper, lower[::-1]]


@st.composite
def layers(draw):
    """A gently waved layer, tilted by up to 15 degrees, 20 to 120 px thick."""
    tilt = draw(st.floats(-0.26, 0.26))
    wave = draw(st.floats(0.0, 4.0)) * np.sin(COLUMNS / draw(st.floats(40.0, 120.0)))
    thick = draw(st.floats(20.0, 100.0)) + draw(st.floats(-0.05, 0.05)) * (COLUMNS - 200)
    upper = 150 + tilt * (COLUMNS - 200) + wave
    return edge(upper), edge(upper + thick)


@pytest.mark.parametrize("rule", list(thicknesses(edge(10.0), edge(60.0), SPACING)))
def test_between_two_level_edges_every_rule_gives_their_distance(rule):
    assert thickness(edge(100.0), edge(300.0), SPACING, rule) == pytest.approx(200 * 0.08, rel=1e-12)


@pytest.mark.parametrize("degrees", [-20, -5, 10, 25])
def test_in_a_tilted_layer_a_perpendicular_is_the_vertical_times_the_cosine(degrees):
    """Tilted in mm, not in px: the pixels are not square."""
    slope_px = math.tan(math.radians(degrees)) * SPACING[1] / SPACING[0]
    upper = edge(200 + slope_px * (COLUMNS - 200))
    found = thicknesses(upper, upper + np.array([40, 0]), SPACING)
    for position in ("mean", "mid", "max"):
        assert found[f"{position}_vertical"] == pytest.approx(3.2, rel=1e-12)
        upright = found[f"{position}_perpendicular"]
        assert upright == pytest.approx(3.2 * math.cos(math.radians(degrees)), rel=1e-6)


def test_in_a_wedge_mean_middle_and_maximum_are_what_a_ruler_says():
    found = thicknesses(edge(100.0), edge(np.interp(COLUMNS, [20, 380], [120, 160])), SPACING)
    assert found["mean_vertical"] == pytest.approx(40 * 0.08, rel=1e-12)
    assert found["mid_vertical"] == pytest.approx(40 * 0.08, rel=1e-12)
    assert found["max_vertical"] == pytest.approx(60 * 0.08, rel=1e-12)


def test_a_circle_is_as_thick_as_its_diameter_and_its_mean_is_its_area_by_its_width():
    t = np.linspace(0, 2 * np.pi, 720, endpoint=False)
    circle = np.c_[150 + 5 / 0.08 * np.sin(t), 200 + 5 / 0.05 * np.cos(t)]
    found = thicknesses(*edges_of(circle), SPACING)
    assert found["max_vertical"] == pytest.approx(10.0, rel=1e-4)
    assert found["max_perpendicular"] == pytest.approx(10.0, rel=1e-3)
    assert found["mean_vertical"] == pytest.approx(area([circle], SPACING) / 10.0, rel=1e-4)


@settings(deadline=None)
@given(layers())
def test_the_edges_of_a_closed_outline_are_those_it_was_closed_from(layer):
    upper, lower = layer
    for start in (0, 17, 70, 121):
        for outline in (closed(upper, lower), closed(upper, lower)[::-1]):
            found = edges_of(np.roll(outline, start, axis=0))
            assert np.array_equal(found[0], upper)
            assert np.array_equal(found[1], lower)


def test_an_end_drawn_with_several_vertices_belongs_to_neither_edge():
    upper, lower = edge(100.0), edge(180.0)
    ends = [np.array([[120.0, 380.0], [150.0, 380.0]]), np.array([[150.0, 20.0], [130.0, 20.0]])]
    found = edges_of(np.r_[upper, ends[0], lower[::-1], ends[1]])
    assert np.array_equal(found[0], upper)
    assert np.array_equal(found[1], lower)


@settings(deadline=None)
@given(layers(), st.floats(-100.0, 300.0), st.floats(-300.0, 300.0))
def test_thickness_is_unchanged_by_a_shift(layer, rows, columns):
    before = thicknesses(*layer, SPACING)
    after = thicknesses(*(e + np.array([rows, columns]) for e in layer), SPACING)
    assert after == pytest.approx(before, rel=1e-6)


@settings(deadline=None)
@given(layers())
def test_thickness_is_unchanged_by_a_horizontal_flip(layer):
    mirrored = [np.c_[e[:, 0], 400 - e[:, 1]][::-1] for e in layer]
    assert thicknesses(*mirrored, SPACING) == pytest.approx(thicknesses(*layer, SPACING), rel=1e-5)


@settings(deadline=None)
@given(layers())
def test_thickness_is_unchanged_when_the_picture_is_turned_upside_down(layer):
    upper, lower = layer
    turned = (500, 0) + lower * (-1, 1), (500, 0) + upper * (-1, 1)
    assert thicknesses(*turned, SPACING) == pytest.approx(thicknesses(*layer, SPACING), rel=1e-5)


@settings(deadline=None)
@given(layers(), st.floats(0.2, 5.0), st.floats(0.2, 5.0))
def test_a_picture_stored_with_other_pixels_has_the_same_thickness_in_mm(layer, rows, columns):
    finer = [e * (rows, columns) for e in layer]
    spacing = (SPACING[0] / rows, SPACING[1] / columns)
    assert thicknesses(*finer, spacing) == pytest.approx(thicknesses(*layer, SPACING), rel=1e-5)


@settings(deadline=None)
@given(layers(), st.floats(1.1, 3.0))
def test_thickness_grows_with_the_pixel(layer, factor):
    larger = thicknesses(*layer, (SPACING[0] * factor, SPACING[1] * factor))
    before = thicknesses(*layer, SPACING)
    assert larger == pytest.approx({rule: factor * mm for rule, mm in before.items()}, rel=1e-5)


@settings(deadline=None)
@given(layers())
def test_more_vertices_on_the_same_edges_change_nothing(layer):
    columns = np.linspace(20.0, 380.0, 361)
    denser = [edge(np.interp(columns, e[:, 1], e[:, 0]), columns) for e in layer]
    before, after = thicknesses(*layer, SPACING), thicknesses(*denser, SPACING)
    assert after["mean_vertical"] == pytest.approx(before["mean_vertical"], rel=1e-9)


def test_the_profile_runs_over_the_columns_both_edges_have():
    upper, lower = edge(100.0, np.array([10.5, 200.0])), edge(150.0, np.array([50.0, 240.2]))
    columns, mm = thickness_profile(upper, lower, SPACING)
    assert (columns[0], columns[-1]) == (50.0, 200.0)
    assert np.allclose(np.diff(columns), 1.0)
    assert np.allclose(mm, 50 * 0.08)


def test_an_edge_that_runs_back_over_itself_counts_once_in_the_middle_of_the_fold():
    folded = np.array([[100, 0], [100, 60], [104, 40], [100, 50], [100, 100]], float)
    found = thicknesses(folded, edge(150.0, np.array([0.0, 100.0])), (1.0, 1.0))
    assert found["max_vertical"] == 50.0
    assert 48.0 <= found["mean_vertical"] <= 50.0


def test_a_scribble_of_20000_vertices_is_measured_in_bounded_memory():
    """Every column against every piece at once would take gigabytes."""
    rng = np.random.default_rng(0)
    columns = np.linspace(0.0, 500.0, 10_000) + rng.normal(0.0, 1.0, 10_000)
    upper, lower = (
        np.c_[100 + rng.normal(0, 1, 10_000), columns],
        np.c_[200 + rng.normal(0, 1, 10_000), columns],
    )
    outline = np.r_[upper, lower[::-1]]
    assert thicknesses(*edges_of(outline), SPACING)["mean_vertical"] == pytest.approx(8.0, abs=0.1)


def test_edges_without_a_common_column_are_refused():
    with pytest.raises(OutlineRefused, match="no column in common"):
        thicknesses(edge(1.0, np.array([0.0, 10.0])), edge(5.0, np.array([20.0, 30.0])), SPACING)


def test_edges_that_cross_are_refused_and_edges_that_touch_are_not():
    with pytest.raises(OutlineRefused, match="runs below the lower"):
        thicknesses(edge(np.linspace(90, 110, 61)), edge(100.0), SPACING)
    assert thicknesses(edge(np.linspace(90, 100.3, 61)), edge(100.0), SPACING)[
        "max_vertical"
    ] == pytest.approx(0.8)


def test_an_outline_without_width_is_refused():
    with pytest.raises(OutlineRefused, match="no width"):
        edges_of(np.array([[0, 5], [10, 5], [20, 5]], float))
