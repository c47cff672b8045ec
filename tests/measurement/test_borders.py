"""Correcting one layer moves its neighbour's border and the sums; what does not touch it stays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import usimg
from usimg.measurement.borders import follow, view_shown
from usimg.measurement.thickness import edges_of, rows_at, thickness
from usimg.roi import Roi
from usimg.simulate import upper_arm

DEPTH = 400
COLUMNS = np.arange(20.0, 381.0, 4.0)


def layer(structure: str, top: float, bottom: float, *, columns=COLUMNS, **fields) -> Roi:
    wave = 6.0 * np.sin(columns / 50.0)
    upper, lower = np.column_stack([top + wave, columns]), np.column_stack([bottom + wave, columns])
    return Roi(
        structure=structure, polygon=np.concatenate([upper, lower[::-1]]), upper=upper, lower=lower,
        side="left", **fields,
    )  # fmt: skip


def the_arm() -> list[Roi]:
    """Fat, biceps, brachialis and both together; 6 px of fascia between the layers."""
    return [
        layer("subcutaneous_fat", 10, 60),
        layer("biceps_brachii", 66, 180),
        layer("brachialis", 186, 300),
        layer("biceps_brachialis", 66, 300),
    ]


FAT, BICEPS, BRACHIALIS, BOTH = range(4)


def with_lower_moved(roi: Roi, bump: np.ndarray) -> Roi:
    lower = roi.lower + np.column_stack([bump, np.zeros_like(bump)])
    return roi.with_polygons(np.concatenate([roi.upper, lower[::-1]]))


def with_upper_moved(roi: Roi, bump: np.ndarray) -> Roi:
    upper = roi.upper + np.column_stack([bump, np.zeros_like(bump)])
    return roi.with_polygons(np.concatenate([upper, roi.lower[::-1]]))


def bump(height: float, at: float = 200.0, width: float = 60.0) -> np.ndarray:
    return height * np.maximum(0.0, 1.0 - np.abs(COLUMNS - at) / width)


def mean_thickness(roi: Roi) -> float:
    return thickness(*edges_of(roi.polygons[0]), (1.0, 1.0), "mean_vertical")


def test_the_muscle_below_loses_what_the_muscle_above_gains():
    rois = the_arm()
    now = with_lower_moved(rois[BICEPS], bump(12))
    along = follow(rois, {BICEPS: now}, DEPTH).rois
    assert set(along) == {BRACHIALIS}
    gained = mean_thickness(now) - mean_thickness(rois[BICEPS])
    assert mean_thickness(along[BRACHIALIS]) == pytest.approx(
        mean_thickness(rois[BRACHIALIS]) - gained, abs=1e-3
    )


def test_the_sum_runs_from_the_first_upper_to_the_last_lower_edge():
    rois = the_arm()
    now = with_upper_moved(rois[BICEPS], bump(-3))
    along = follow(rois, {BICEPS: now}, DEPTH).rois
    assert set(along) == {FAT, BOTH}
    upper, _ = edges_of(along[BOTH].polygons[0])
    assert rows_at(upper, COLUMNS) == pytest.approx(rows_at(edges_of(now.polygons[0])[0], COLUMNS), abs=0.01)
    deeper = follow(rois, {BRACHIALIS: with_lower_moved(rois[BRACHIALIS], bump(8))}, DEPTH).rois
    assert set(deeper) == {BOTH}
    assert mean_thickness(deeper[BOTH]) - mean_thickness(rois[BOTH]) == pytest.approx(
        mean_thickness(with_lower_moved(rois[BRACHIALIS], bump(8))) - mean_thickness(rois[BRACHIALIS]),
        abs=1e-3,
    )


def test_moving_the_sum_moves_the_muscle_whose_edge_it_is_and_the_layer_beyond():
    rois = the_arm()
    along = follow(rois, {BOTH: with_upper_moved(rois[BOTH], bump(5))}, DEPTH).rois
    assert set(along) == {FAT, BICEPS}


def test_the_fascia_keeps_its_thickness():
    rois = the_arm()
    now = with_lower_moved(rois[BICEPS], bump(12))
    upper = follow(rois, {BICEPS: now}, DEPTH).rois[BRACHIALIS].upper
    fascia = rows_at(upper, COLUMNS) - rows_at(edges_of(now.polygons[0])[1], COLUMNS)
    assert fascia == pytest.approx(np.full(len(COLUMNS), 6.0), abs=0.01)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.floats(-15, 15), st.floats(60, 340)), min_size=1, max_size=8))
def test_there_and_back_again_leaves_every_outline_where_it_was(bumps):
    rois = the_arm()
    state = dict(enumerate(rois))
    for height, at in bumps:
        for sign in (1.0, -1.0):
            now = with_lower_moved(
                layer("biceps_brachii", 66, 180), bump(height, at) if sign > 0 else 0.0 * bump(1)
            )
            before = [state[k] for k in range(4)]
            state |= {BICEPS: now, **follow(before, {BICEPS: now}, DEPTH).rois}
    for at in (BRACHIALIS, BOTH):
        assert mean_thickness(state[at]) == pytest.approx(mean_thickness(rois[at]), abs=0.02)
    assert len(state[BRACHIALIS].polygons[0]) < 4 * len(rois[BRACHIALIS].polygons[0])


def test_what_shares_no_border_stays():
    rois = [*the_arm(), Roi(polygon=[[50, 50], [50, 60], [60, 60]], structure="median_nerve", side="left")]
    other_side = layer("brachialis", 186, 300)
    rois.append(other_side.with_polygons(*other_side.polygons, side="right"))
    along = follow(rois, {BICEPS: with_lower_moved(rois[BICEPS], bump(9))}, DEPTH).rois
    assert set(along) == {BRACHIALIS}
    far = [layer("biceps_brachii", 66, 100), layer("brachialis", 186, 300)]
    assert not follow(far, {0: with_lower_moved(far[0], bump(9))}, DEPTH).rois
    assert not follow(rois, {}, DEPTH).rois


def test_a_border_that_would_cross_the_other_edge_is_not_dragged_through_it():
    rois = the_arm()
    followed = follow(rois, {BICEPS: with_lower_moved(rois[BICEPS], bump(130))}, DEPTH)
    assert followed.refused == (BRACHIALIS,)
    assert not followed.rois


def test_a_layer_seen_over_part_of_the_width_moves_the_other_over_that_part():
    narrow = np.arange(100.0, 201.0, 4.0)
    rois = [layer("biceps_brachii", 66, 180, columns=narrow), layer("brachialis", 186, 300)]
    lower = rois[0].lower + np.array([10.0, 0.0])
    now = rois[0].with_polygons(np.concatenate([rois[0].upper, lower[::-1]]))
    upper = follow(rois, {0: now}, DEPTH).rois[1].upper
    moved = rows_at(upper, COLUMNS) - rows_at(rois[1].upper, COLUMNS)
    assert moved == pytest.approx(np.full(len(COLUMNS), 10.0), abs=0.01)


def test_the_view_is_known_by_what_it_shows():
    assert view_shown(["subcutaneous_fat", "biceps_brachii", "brachialis"]).name == "upper_arm"
    assert view_shown(["rectus_femoris", "quadriceps_rf_vi"]).name == "anterior_thigh"
    assert view_shown(["median_nerve", "ulnar_nerve"]) is None


def test_the_sum_is_its_parts_and_the_fascia_between_them_on_a_phantom_after_a_correction(frame_of):
    phantom = upper_arm(3)
    frame = frame_of(phantom.image, phantom.spacing)
    rois = usimg.segment(frame, "upper_arm")
    names = [roi.structure for roi in rois]
    biceps, brachialis, both = (names.index(n) for n in ("biceps_brachii", "brachialis", "biceps_brachialis"))
    lower = rois[biceps].lower + np.array([6.0, 0.0])
    now = rois[biceps].with_polygons(np.concatenate([rois[biceps].upper, lower[::-1]]))
    along = follow(rois, {biceps: now}, frame.shape[0]).rois
    after = {k: along.get(k, roi) for k, roi in enumerate(rois)} | {biceps: now}
    before = usimg.measure(frame, rois)["thickness_mm"]
    table = usimg.measure(frame, list(after.values()))["thickness_mm"]
    assert both not in along
    assert table[biceps] - before[biceps] == pytest.approx(6.0 * phantom.spacing[0], abs=0.01)
    assert table[brachialis] - before[brachialis] == pytest.approx(-6.0 * phantom.spacing[0], abs=0.01)
