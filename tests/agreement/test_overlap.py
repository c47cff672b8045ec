"""Dice and Hausdorff distance of two outlines against closed forms."""

import numpy as np
import pytest

import usimg
from usimg.agreement.overlap import overlap


def disc(radius, centre=(100.0, 100.0)):
    angle = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    return usimg.Roi(polygon=np.array(centre) + radius * np.column_stack([np.sin(angle), np.cos(angle)]))


def test_the_same_outline_overlaps_fully():
    found = overlap(disc(30), disc(30), (0.1, 0.1))
    assert (found.dice, found.hausdorff95_mm, found.identical) == (1.0, 0.0, True)


def test_a_disc_in_a_disc():
    found = overlap(disc(30), disc(40), (0.1, 0.1))
    assert found.dice == pytest.approx(2 * 900 / (900 + 1600), abs=0.005)
    assert found.hausdorff95_mm == pytest.approx(1.0, abs=0.02)
    assert not found.identical


def test_outlines_apart_do_not_overlap():
    assert overlap(disc(20), disc(20, (100, 200)), (0.1, 0.1)).dice == 0.0


def test_distance_is_in_millimetres_of_each_direction():
    down = overlap(disc(30), disc(30, (110, 100)), (0.2, 0.1)).hausdorff95_mm
    across = overlap(disc(30), disc(30, (100, 110)), (0.2, 0.1)).hausdorff95_mm
    assert down > 1.5 * across


def test_distance_is_missing_without_a_scale():
    found = overlap(disc(30), disc(40), None)
    assert np.isnan(found.hausdorff95_mm)
    assert found.dice > 0


def test_a_caliper_line_has_no_overlap():
    line = usimg.Roi(line=np.array([[0.0, 0], [10, 0]]))
    assert overlap(line, disc(10), (0.1, 0.1)) is None


def test_an_outlier_does_not_decide_the_distance():
    spiked = disc(30).polygon.copy()
    spiked[0] += [0.0, 40.0]
    found = overlap(disc(30), usimg.Roi(polygon=spiked), (0.1, 0.1))
    assert found.hausdorff95_mm < 4.0
