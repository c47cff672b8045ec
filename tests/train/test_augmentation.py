"""Augmentation may change anything but the agreement of picture and truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usimg.outline.network import INPUT_SHAPE
from usimg.train.appearance import change
from usimg.train.layout import as_it_is, piecewise, place
from usimg.train.recipe import NARROW, WIDE
from usimg.train.targets import target

from .conftest import layered


def clean(seed):
    """A picture without speckle: black, white bands, grey muscle."""
    example = layered(seed)
    row = np.arange(example.pane.gray.shape[0])[:, None]
    truth = example.truth
    gray = np.select([row < truth[0], row < truth[1], row < truth[2], row < truth[3]], [0, 255, 100, 255], 0)
    return replace(example, pane=replace(example.pane, gray=gray.astype(np.float32)))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_edges_move_with_the_pixels_whatever_the_layout(seed):
    placed = place(clean(seed % 50), WIDE, np.random.default_rng(seed))
    rows = INPUT_SHAPE[0]
    for col in range(4, INPUT_SHAPE[1], 9):
        upper, lower = placed.edges[1, col], placed.edges[2, col]
        # The muscle is grey from edge to edge (but for the blur of a stretched pixel), the band above white.
        margin = max(3.0, 0.03 * (lower - upper))
        inside = placed.gray[int(np.ceil(upper + margin)) : int(np.floor(lower - margin)) + 1, col]
        assert len(inside) == 0 or np.abs(inside - 100).max() < 4
        thick = placed.edges[1, col] - placed.edges[0, col]
        above = int(np.round(upper - thick / 2))
        if 0 <= above < rows and thick > 3:
            assert placed.gray[above, col] > 200


def test_nothing_changed_keeps_the_edges_where_they_were():
    example = layered(3)
    placed = as_it_is(example)
    rows, cols = example.pane.gray.shape
    at = np.clip(
        np.round((np.arange(INPUT_SHAPE[1]) + 0.5) * cols / INPUT_SHAPE[1] - 0.5).astype(int), 0, cols - 1
    )
    expected = (example.truth[:, at] + 0.5) * INPUT_SHAPE[0] / rows - 0.5
    assert np.abs(placed.edges - expected).max() < 0.5


def test_layers_take_thicknesses_that_no_picture_had():
    example = layered(3)
    rows = INPUT_SHAPE[0]
    above, muscle = [], []
    for seed in range(200):
        edges = place(example, WIDE, np.random.default_rng(seed)).edges
        above.append(float(np.nanmean(edges[1])) / rows)
        muscle.append(float(np.nanmean(edges[2] - edges[1])) / rows)
    assert min(above) < 0.05
    assert max(above) > 0.4
    assert min(muscle) < 0.15
    assert max(muscle) > 0.75


def test_the_same_seed_gives_the_same_picture():
    first, second = (
        change(place(layered(1), WIDE, rng), WIDE, rng)
        for rng in (np.random.default_rng(5) for _ in range(2))
    )
    assert np.array_equal(first.gray, second.gray)
    assert np.array_equal(first.edges, second.edges, equal_nan=True)


@pytest.mark.parametrize("recipe", [WIDE, NARROW])
def test_changed_pictures_stay_pictures(recipe):
    for seed in range(30):
        rng = np.random.default_rng(seed)
        placed = change(place(layered(seed), recipe, rng), recipe, rng)
        assert placed.gray.shape == INPUT_SHAPE
        assert np.isfinite(placed.gray).all()
        assert 0 <= placed.gray.min() <= placed.gray.max() <= 255
        assert (placed.gray[~placed.usable] == 0).all()
        known = np.isfinite(placed.edges).all(axis=0)
        inner = placed.edges[1:3, known]
        assert ((inner > -0.5) & (inner < INPUT_SHAPE[0] - 0.5)).all()


def test_an_appearance_changes_grey_and_leaves_edges_inside_the_field_alone():
    recipe = replace(WIDE, crop=0.0, sector=0.0)
    placed = place(layered(2), NARROW, np.random.default_rng(0))
    changed = change(placed, recipe, np.random.default_rng(1))
    seen = np.isfinite(changed.edges).all(axis=0)
    assert seen.any()
    assert np.array_equal(changed.edges[:, seen], placed.edges[:, seen])


def test_a_map_between_knots_and_its_inverse_cancel():
    rng = np.random.default_rng(0)
    knots, values = (np.cumsum(rng.uniform(0.05, 0.3, (5, 7)), axis=0) for _ in range(2))
    x = rng.uniform(0, 1, (11, 7))
    assert np.allclose(piecewise(piecewise(x, knots, values), values, knots), x)


def test_a_target_shares_a_pixel_between_its_layers():
    edges = np.tile(np.array([[20.0], [24.25], [100.0], [104.0]], np.float32), (1, INPUT_SHAPE[1]))
    truth = target(edges)
    assert np.allclose(truth.layers.sum(axis=0), 1.0)
    assert truth.layers[1, 24, 0] == pytest.approx(0.75)
    assert truth.layers[2, 24, 0] == pytest.approx(0.25)
    assert truth.begins.sum(axis=0) == pytest.approx(1.0)
    centre = (truth.begins[:, 0] * np.arange(INPUT_SHAPE[0])).sum()
    assert centre == pytest.approx(24.25, abs=0.05)
