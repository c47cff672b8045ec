"""The muscle network that travels with the package."""

from __future__ import annotations

from importlib.resources import files

import numpy as np
import pytest

import usimg
from usimg import simulate
from usimg.outline.layer_model import shipped
from usimg.outline.learned import NetworkSegmenter

from .conftest import frame_of, phantom_frame


@pytest.fixture(scope="module")
def network():
    return NetworkSegmenter()


def test_weights_are_small_checked_by_hash_and_come_with_a_card_that_names_data_and_licence():
    model = shipped("muscle")
    assert len(model.onnx) < 10_000_000
    card = (files("usimg.outline.weights") / "muscle.md").read_text("utf-8")
    assert model.sha256 in card
    assert "DL_Track" in card
    assert "Apache-2.0" in card


@pytest.mark.parametrize("seed", range(4))
def test_a_phantom_gastrocnemius_is_measured_to_three_percent(network, seed):
    phantom = simulate.posterior_lower_leg(seed=1000 + seed)
    truth = phantom.layer("gastrocnemius_medialis")
    roi = usimg.segment(phantom_frame(phantom), segmenter=network)[0]
    thickness = (roi.lower[:, 0] - roi.upper[:, 0]).mean()
    assert thickness == pytest.approx((truth.lower[:, 0] - truth.upper[:, 0]).mean(), rel=0.03)


def test_the_same_frame_gives_the_same_outline_bit_for_bit(network):
    frame = phantom_frame(simulate.muscle(seed=2))
    first, second = (usimg.segment(frame, segmenter=network)[0] for _ in range(2))
    assert np.array_equal(first.polygon, second.polygon)
    assert first.confidence == second.confidence


def test_a_mirrored_frame_gives_the_mirrored_outline(network):
    phantom = simulate.posterior_lower_leg(seed=5)
    plain = usimg.segment(frame_of(phantom.image), segmenter=network)[0]
    turned = usimg.segment(frame_of(phantom.image[:, ::-1]), segmenter=network)[0]
    thickness = [(roi.lower[:, 0] - roi.upper[:, 0]).mean() for roi in (plain, turned)]
    assert thickness[0] == pytest.approx(thickness[1], rel=0.01)


def test_noise_is_never_trusted(network):
    noise = np.random.default_rng(0).integers(0, 255, (400, 400)).astype(np.uint8)
    assert all(roi.confidence < 0.5 for roi in usimg.segment(frame_of(noise), segmenter=network))


def test_other_structures_and_prompts_are_left_to_the_built_in(network):
    phantom = simulate.muscle(seed=3)
    rows = phantom.layer("muscle").polygon[:, 0]
    click = (float(rows.mean()), phantom.image.shape[1] / 2)
    rois = usimg.segment(phantom_frame(phantom), seeds=[click], segmenter=network)
    assert len(rois) == 1
    assert not rois[0].method.startswith("network")
