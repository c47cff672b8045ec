"""Measured on its true outlines, a phantom has its true numbers, which its painter worked out for itself."""

from __future__ import annotations

import pytest

from usimg import simulate
from usimg.measurement import measure
from usimg.roi import Roi


@pytest.mark.parametrize("view", ["upper_arm", "anterior_thigh"])
def test_every_layer_of_a_phantom_has_its_true_thickness_and_echo_intensity(frame_of, view):
    phantom = getattr(simulate, view)(seed=3)
    frame = frame_of(phantom.image, phantom.spacing, scan_area=phantom.scan_area)
    rois = [
        Roi(structure=layer.structure, polygon=layer.polygon, upper=layer.upper, lower=layer.lower)
        for layer in phantom.layers
    ]
    table = measure(frame, rois)
    for row, layer in zip(table.itertuples(), phantom.layers, strict=True):
        assert row.thickness_mean_vertical_mm == pytest.approx(layer.thickness_mm, abs=0.02)
        assert row.thickness_mid_vertical_mm == pytest.approx(layer.thickness_centre_mm, abs=0.02)
        assert row.echo_intensity == pytest.approx(layer.echo_intensity, abs=0.1)
        assert "cut by the edge of the field" in row.reason


def test_a_phantoms_nerve_has_its_true_area_inside_and_outside_the_rim(frame_of):
    phantom = simulate.median_nerve_wrist(seed=3)
    frame = frame_of(phantom.image, phantom.spacing, scan_area=phantom.scan_area)
    (nerve,) = [s for s in phantom.sections if s.structure == "median_nerve"]
    inside = Roi(structure="median_nerve", polygon=nerve.inside_rim)
    outside = Roi(structure="nerve", polygon=nerve.outside_rim)
    table = measure(frame, [inside, outside])
    assert table.csa_mm2[0] == pytest.approx(nerve.inside_mm2, rel=1e-3)
    assert table.csa_mm2[1] == pytest.approx(nerve.outside_mm2, rel=1e-3)
    assert list(table.trace_rule) == ["inside_rim", "outside_rim"]
    assert table.echo_intensity[0] == pytest.approx(nerve.echo_intensity, abs=0.1)
