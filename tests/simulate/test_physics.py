"""What the picture must do because sound does it."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from usimg import simulate
from usimg.simulate.acoustics import Echoes, Scanner, compress, envelope, point_spread
from usimg.simulate.field import Field
from usimg.simulate.sections import Oval, paint_vessel
from usimg.simulate.stage import Person, Setup, Stage
from usimg.simulate.tissue import paint_bone

SAMPLE_MM, LINE_MM = 0.04, 0.08
PLAIN = Scanner(looks=1, noise_db=-300.0, clutter_db=-300.0, focus_mm=12.0)
SMALL = Setup(shape=(300, 400))


def uniform_echoes(shape: tuple[int, int], level_db: float = 0.0) -> Echoes:
    """Random scatterers of one strength, whose losses the time gain just makes good."""
    zeros = np.zeros(shape)
    attenuation = np.full(shape, PLAIN.tgc_db_per_mm)
    return Echoes(zeros + level_db, attenuation, zeros, zeros.astype(complex), zeros)


@cache
def uniform_envelope(scanner: Scanner = PLAIN, *, samples: int = 900, lines: int = 700) -> np.ndarray:
    rng = np.random.default_rng(5)
    return envelope(uniform_echoes((samples, lines)), SAMPLE_MM, np.full(samples, LINE_MM), scanner, rng)


def half_width(field: np.ndarray, axis: int) -> float:
    """Lag, in px, at which the autocorrelation along an axis has fallen to one half."""
    field = field - field.mean()
    spectrum = np.abs(np.fft.fft(field, axis=axis)) ** 2
    correlation = np.fft.ifft(spectrum, axis=axis).real.mean(axis=1 - axis)
    correlation = correlation[:60] / correlation[0]
    return float(np.interp(-0.5, -correlation, np.arange(60)))


def test_speckle_before_compression_is_rayleigh() -> None:
    amplitude = uniform_envelope()
    # sqrt(pi / (4 - pi)) = 1.913
    assert amplitude.mean() / amplitude.std() == pytest.approx(np.sqrt(np.pi / (4 - np.pi)), rel=0.02)
    ordered = np.sort(amplitude.ravel() / np.sqrt((amplitude**2).mean()))
    share = (np.arange(ordered.size) + 0.5) / ordered.size
    assert np.abs(1.0 - np.exp(-(ordered**2)) - share).max() < 0.02


def test_speckle_of_level_zero_has_unit_power_at_every_depth() -> None:
    power = (uniform_envelope() ** 2).mean(axis=1).reshape(9, 100).mean(axis=1)
    assert power == pytest.approx(np.ones(9), rel=0.12)


def test_compounding_smooths_speckle() -> None:
    one, four = uniform_envelope(), uniform_envelope(replace(PLAIN, looks=4))
    assert four.mean() / four.std() == pytest.approx(2.0 * one.mean() / one.std(), rel=0.05)


def test_speckle_is_narrowest_at_the_focus_and_widens_below_it() -> None:
    amplitude = uniform_envelope(samples=1000)
    widths = [half_width(amplitude[r - 60 : r + 60], axis=1) for r in (300, 500, 700, 900)]
    assert widths == sorted(widths)
    assert widths[-1] > 1.3 * widths[0]


def test_speckle_is_about_a_wavelength_long_at_every_depth() -> None:
    amplitude = uniform_envelope()
    near, far = (half_width(amplitude[rows], axis=0) * SAMPLE_MM for rows in (slice(0, 300), slice(600, 900)))
    assert near == pytest.approx(far, rel=0.1)
    assert 0.4 * PLAIN.wavelength_mm < near < PLAIN.wavelength_mm


def test_an_even_field_passes_pulse_and_beam_unchanged() -> None:
    even = np.full((200, 150), 2.0 - 1.0j)
    seen = point_spread(even, SAMPLE_MM, np.full(200, LINE_MM), PLAIN)
    assert np.abs(seen - even).max() < 1e-9


def test_doubling_the_amplitude_adds_the_same_grey_everywhere() -> None:
    scanner = Scanner(gamma=1.0, dynamic_range_db=60.0)
    amplitude = np.array([0.01, 0.05, 0.2])
    step = compress(2.0 * amplitude, scanner) - compress(amplitude, scanner)
    assert step == pytest.approx(np.full(3, 255.0 * 20.0 * np.log10(2.0) / 60.0))


def test_grey_levels_end_at_black_and_white() -> None:
    assert compress(np.array([0.0, 1e-9, 1.0, 50.0]), Scanner()).tolist() == [0.0, 0.0, 255.0, 255.0]


def stage() -> Stage:
    return Stage.set(3, Person(), SMALL, Field.linear(36.0, 36.0), Scanner(focus_mm=15.0))


def developed(scene: Stage) -> simulate.Phantom:
    from usimg.simulate.phantom import develop

    return develop(scene, "", "transverse")


def test_bone_shines_and_casts_a_shadow() -> None:
    scene = stage()
    paint_bone(scene.canvas, lambda x: np.full_like(x, 15.0), scene.rng, where=lambda x: np.abs(x) < 7.0)
    phantom = developed(scene)
    x, z = phantom.display.grid_mm()
    cortex = (np.abs(x) < 6.0) & (z > 15.0) & (z < 15.4)
    below, beside = (np.abs(x) < 5.0) & (z > 20.0) & (z < 30.0), (np.abs(x) > 11.0) & (z > 20.0) & (z < 30.0)
    area = phantom.scan_area
    assert phantom.image[cortex & area].mean() > 180
    assert phantom.image[below & area].mean() < 0.25 * phantom.image[beside & area].mean()


def test_a_vessel_is_dark_and_brightens_what_lies_behind() -> None:
    plain, with_vessel = stage(), stage()
    paint_vessel(with_vessel.canvas, Oval(0.0, 12.0, 4.0, 3.0), with_vessel.rng)
    x, z = plain.display.grid_mm()
    lumen = np.hypot(x / 3.0, (z - 12.0) / 2.2) < 1.0
    behind = (np.abs(x) < 2.0) & (z > 17.0) & (z < 23.0)
    without, phantom = developed(plain), developed(with_vessel)
    assert phantom.image[lumen].mean() < 0.4 * without.image[lumen].mean()
    assert phantom.image[behind].mean() > without.image[behind].mean() + 8.0


@pytest.mark.parametrize("scene", [simulate.upper_arm, simulate.posterior_lower_leg])
def test_disease_thins_and_brightens_the_muscle(scene) -> None:
    muscles = [scene(4, person=Person(severity=s), setup=SMALL).layers[1] for s in (0.0, 0.5, 1.0)]
    thickness, grey = [m.thickness_mm for m in muscles], [m.echo_intensity for m in muscles]
    assert thickness == sorted(thickness, reverse=True)
    assert thickness[-1] < 0.7 * thickness[0]
    assert grey == sorted(grey)
    assert grey[-1] > grey[0] + 15.0


def test_the_echo_of_bone_is_lost_under_diseased_muscle() -> None:
    peaks = []
    for severity in (0.0, 1.0):
        phantom = simulate.upper_arm(6, person=Person(severity=severity), setup=SMALL)
        edge = phantom.layer("brachialis").lower
        top = edge[np.argsort(edge[:, 0])[:30]]
        rows, cols = np.rint(top).astype(int).T
        peaks.append(max(phantom.image[rows + k, cols].mean() for k in range(4)))
    assert peaks[1] < 0.75 * peaks[0]


def test_healthy_muscle_has_the_grey_levels_of_real_scans() -> None:
    # 33 training pictures of two Telemed scanners: mean 39-49, SD 28-36, 95th percentile 104-111.
    phantom = simulate.posterior_lower_leg(9)
    inside = phantom.image[phantom.labels == 2]
    assert 35 < inside.mean() < 70
    assert 20 < inside.std() < 40
    assert 80 < np.percentile(inside, 95) < 130
