"""The truth that comes with a phantom is true of its picture."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from usimg import simulate
from usimg.simulate.field import Display, Field, scan_convert
from usimg.simulate.sections import Oval, fascicles
from usimg.simulate.stage import Setup

SMALL = Setup(shape=(300, 400))
MUSCLES = (
    simulate.upper_arm,
    simulate.anterior_thigh,
    simulate.anterior_lower_leg,
    simulate.posterior_lower_leg,
    simulate.hand_dorsal,
    simulate.muscle,
)
NERVES = (simulate.median_nerve_wrist, simulate.median_nerve_forearm)


@cache
def made(scene) -> simulate.Phantom:
    """One phantom a view, shared by the tests that only look at it."""
    return scene(1)


def shoelace_mm2(polygon: np.ndarray, spacing: tuple[float, float]) -> float:
    y, x = polygon[:, 0] * spacing[0], polygon[:, 1] * spacing[1]
    return 0.5 * abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))


@pytest.mark.parametrize("scene", NERVES)
@pytest.mark.parametrize("aspect", [1.0, 1.25])
def test_the_area_of_a_nerve_is_that_of_its_contour(scene, aspect: float) -> None:
    phantom = scene(2, area_mm2=9.5, setup=Setup(shape=(300, 400), pixel_aspect=aspect))
    (nerve,) = phantom.sections
    assert nerve.inside_mm2 == pytest.approx(9.5, rel=1e-9)
    # 720 chords instead of the curve cost 2 pi^2 / (3 n^2), some 1e-5.
    assert shoelace_mm2(nerve.inside_rim, phantom.spacing) == pytest.approx(nerve.inside_mm2, rel=1e-4)
    assert shoelace_mm2(nerve.outside_rim, phantom.spacing) == pytest.approx(nerve.outside_mm2, rel=1e-4)


@given(
    a=st.floats(0.5, 8.0),
    b=st.floats(0.5, 8.0),
    tilt=st.floats(-90.0, 90.0),
    waves=st.tuples(st.floats(-0.1, 0.1), st.floats(-0.1, 0.1)),
)
def test_the_closed_form_of_an_ovals_area_holds(a: float, b: float, tilt: float, waves) -> None:
    oval = Oval(1.0, 2.0, a, b, tilt, ((2, waves[0], 0.0), (3, 0.0, waves[1])))
    x, z = oval.contour()
    assert shoelace_mm2(np.stack([z, x], axis=1), (1.0, 1.0)) == pytest.approx(oval.area_mm2, rel=3e-4)


def test_fascicles_lie_inside_the_nerve_and_apart() -> None:
    oval = Oval(0.0, 5.0, 2.4, 1.2, 8.0)
    circles = fascicles(oval, 12, np.random.default_rng(1))
    assert (oval.ratio(circles[:, 0], circles[:, 1])[0] < 1.0).all()
    apart = np.hypot(*(circles[:, None, :2] - circles[None, :, :2]).transpose(2, 0, 1))
    touching = apart + 1e9 * np.eye(12) - circles[:, None, 2] - circles[None, :, 2]
    assert touching.min() > -0.05


@pytest.mark.parametrize("scene", MUSCLES)
def test_thickness_is_the_mean_vertical_distance_of_the_edges(scene) -> None:
    phantom = made(scene)
    for layer in phantom.layers:
        assert (layer.upper[:, 1] == layer.lower[:, 1]).all()
        assert (np.diff(layer.upper[:, 1]) == 1.0).all()
        rows = (layer.lower - layer.upper)[:, 0].mean()
        assert rows * phantom.spacing[0] == pytest.approx(layer.thickness_mm, abs=1e-9)


@pytest.mark.parametrize("scene", MUSCLES)
def test_edges_lie_where_the_picture_turns_from_fascia_to_muscle(scene) -> None:
    phantom = made(scene)
    muscle = phantom.layers[1]
    for edge, inward in ((muscle.upper, 1.0), (muscle.lower, -1.0)):
        offsets = np.arange(-9.0, 14.01, 0.25)
        rows = edge[None, :, 0] + inward * offsets[:, None]
        cols = np.broadcast_to(edge[None, :, 1], rows.shape)
        profile = ndimage.map_coordinates(phantom.image.astype(float), [rows, cols], order=1).mean(axis=1)
        half = (profile[offsets < 1.0].max() + profile[offsets > 6.0].mean()) / 2.0
        last_bright = offsets[np.flatnonzero(profile > half)[-1]]
        assert abs(last_bright) <= 1.25


@pytest.mark.parametrize("scene", MUSCLES + NERVES)
def test_labels_are_the_pixels_inside_the_edges(scene) -> None:
    phantom = made(scene)
    for layer in phantom.layers:
        if layer.structure not in phantom.label_names:
            continue  # several compartments as one
        counted = phantom.labels == phantom.label_names.index(layer.structure) + 1
        # Sum of heights, one a column; a level edge may round every column the same way, by half a pixel.
        area = float((layer.lower - layer.upper)[:, 0].sum())
        assert counted.sum() == pytest.approx(area, abs=0.6 * len(layer.upper))
        # sections painted over a layer (a nerve in the fascia) would change its mean; none lies in one
        assert phantom.image[counted].mean() == pytest.approx(layer.echo_intensity, abs=1e-9)
    for section in phantom.sections:
        counted = phantom.labels == phantom.label_names.index(section.structure) + 1
        assert counted.sum() == pytest.approx(shoelace_mm2(section.inside_rim, (1.0, 1.0)), rel=0.01)


def test_two_muscles_as_one_reach_from_the_first_to_the_last_edge() -> None:
    phantom = made(simulate.anterior_thigh)
    both = phantom.layer("quadriceps_rf_vi")
    assert np.array_equal(both.upper, phantom.layer("rectus_femoris").upper)
    assert np.array_equal(both.lower, phantom.layer("vastus_intermedius").lower)


def test_the_same_seed_makes_the_same_phantom_and_another_does_not() -> None:
    first, again, other = (simulate.upper_arm(seed, setup=SMALL) for seed in (7, 7, 8))
    assert np.array_equal(first.image, again.image)
    assert not np.array_equal(first.image, other.image)


def test_thickness_in_mm_does_not_depend_on_how_the_picture_is_shown() -> None:
    square, wide = (
        simulate.muscle(2, setup=Setup(shape=(300, 400), pixel_aspect=a)).layer("muscle") for a in (1.0, 1.3)
    )
    assert square.thickness_mm == pytest.approx(wide.thickness_mm, rel=0.005)


FIELDS = (Field.linear(40.0, 38.0), Field.trapezoid(40.0, 38.0, 12.0), Field.curved(70.0, 50.0, 28.0))


@pytest.mark.parametrize("field", FIELDS)
@given(line=st.floats(-1.0, 1.0), along=st.floats(0.0, 40.0))
def test_a_point_on_a_beam_is_found_on_that_beam(field: Field, line: float, along: float) -> None:
    x, z = field.points(np.array(line), np.array(along))
    back = field.beam(x, z)
    assert float(back[0]) == pytest.approx(line, abs=1e-9)
    assert float(back[1]) == pytest.approx(along, abs=1e-9)


@pytest.mark.parametrize("field", FIELDS)
def test_scan_conversion_puts_a_depth_at_its_depth(field: Field) -> None:
    display = Display.fitted(field, (400, 500), (20, 20, 380, 480))
    samples = 800
    ramp = np.linspace(0.0, field.depth_mm, samples)[:, None] * np.ones((1, 200))
    picture, area = scan_convert(ramp, field, display)
    r0, c0, r1, c1 = display.box
    outside = area.copy()
    outside[r0:r1, c0:c1] = False
    assert not outside.any()
    column = round(display.middle)
    x, z = display.to_mm(np.arange(r0, r1, dtype=float), np.full(r1 - r0, float(column)))
    expected = field.beam(x, z)[1]
    inside = area[r0:r1, column]
    assert np.abs(picture[r0:r1, column] - expected)[inside].max() < 1e-6


@cache
def sector() -> simulate.Phantom:
    scanner = simulate.Scanner(frequency_mhz=5.0, focus_mm=35.0)
    return simulate.anterior_thigh(1, setup=Setup(shape=(300, 400), field=FIELDS[2], scanner=scanner))


def test_a_linear_field_fills_its_box_and_a_sector_does_not() -> None:
    linear = made(simulate.muscle)
    r0, c0, r1, c1 = linear.display.box
    assert linear.scan_area[r0:r1, c0:c1].all()
    curved = sector()
    r0, c0, r1, c1 = curved.display.box
    assert 0.5 < curved.scan_area[r0:r1, c0:c1].mean() < 0.85
    assert not curved.image[~curved.scan_area].any()


def test_under_a_curved_probe_skin_follows_its_face() -> None:
    curved = sector()
    fat = curved.layer("subcutaneous_fat").upper
    middle, end = fat[len(fat) // 2], fat[0]
    assert middle[0] > end[0] + 5.0


def test_a_layer_below_a_shallow_field_is_no_part_of_the_truth():
    shallow = simulate.posterior_lower_leg(0, setup=Setup(field=Field.linear(20.0, 40.0)))
    assert "soleus" not in {layer.structure for layer in shallow.layers}
    assert shallow.layers
