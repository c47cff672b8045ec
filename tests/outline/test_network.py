"""From a network's answer to two edges: what is drawn when the answer is known."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from usimg.errors import FileRefused
from usimg.outline.layer_model import as_confidence, read_model
from usimg.outline.network import (
    INPUT_CHANNELS,
    INPUT_SHAPE,
    OUTPUT_CHANNELS,
    OUTPUT_COLS,
    Answer,
    edges,
    network_input,
    second_edges,
)

ROWS = INPUT_SHAPE[0]


def logits_of(upper, lower, *, sure=4.0, spread=1.2):
    """What a network would say of a muscle between two curves (row of each output column)."""
    row = np.arange(ROWS)[:, None]
    out = np.full((OUTPUT_CHANNELS, ROWS, OUTPUT_COLS), -sure, np.float32)
    bounds = [np.zeros(OUTPUT_COLS) - 1, upper - 5, upper, lower, lower + 5, np.full(OUTPUT_COLS, ROWS)]
    for layer in range(5):
        inside = (row >= bounds[layer]) & (row < bounds[layer + 1])
        out[layer] = np.where(inside, sure, -sure)
    out[5] = np.where(
        ((row >= upper - 5) & (row < upper)) | ((row >= lower) & (row < lower + 5)), sure, -sure
    )
    out[6] = -0.5 * ((row - upper) / spread) ** 2
    out[7] = -0.5 * ((row - lower) / spread) ** 2
    return out


def slanting(left, right):
    return np.linspace(left, right, OUTPUT_COLS)


def test_edges_follow_a_clear_answer_to_a_third_of_a_row():
    upper, lower = slanting(40.3, 61.7), slanting(150.6, 139.2)
    found = edges(Answer.of(logits_of(upper, lower)))
    # The first and last columns are smoothed against themselves.
    inner = slice(3, -3)
    assert np.abs(found.upper - upper)[inner].max() < 0.35
    assert np.abs(found.lower - lower)[inner].max() < 0.35


def test_edges_of_the_mirrored_answer_are_mirrored_edges():
    answer = Answer.of(logits_of(slanting(40, 60), slanting(150, 139)))
    plain, mirrored = edges(answer), edges(answer.mirrored())
    assert np.allclose(plain.upper[::-1], mirrored.upper, atol=0.51)
    assert np.allclose(plain.lower[::-1], mirrored.lower, atol=0.51)


def test_two_views_that_disagree_give_one_of_their_lines_and_never_one_between():
    upper = slanting(30, 30)
    one = Answer.of(logits_of(upper, slanting(120, 120), sure=3.0))
    other = Answer.of(logits_of(upper, slanting(180, 180), sure=3.0))
    lower = edges(one.averaged(other)).lower
    assert np.minimum(np.abs(lower - 120), np.abs(lower - 180)).max() < 2


def test_edges_never_cross():
    confused = logits_of(slanting(100, 100), slanting(140, 140))
    # The edge channels are swapped: "begins" lies below "ends".
    confused[[6, 7]] = confused[[7, 6]]
    confused[:5] = 0.0
    found = edges(Answer.of(confused))
    assert (found.lower > found.upper).all()


def test_the_second_choice_is_another_line():
    answer = Answer.of(logits_of(slanting(40, 40), slanting(120, 120)))
    doubtful = Answer.of(logits_of(slanting(40, 40), slanting(180, 180)))
    both = answer.averaged(answer).averaged(doubtful)
    best = edges(both)
    _, second = second_edges(both, best)
    assert {round(float(best.lower.mean()), -1), round(float(second.lower.mean()), -1)} == {120.0, 180.0}
    assert second.upper_score + second.lower_score < best.upper_score + best.lower_score


def test_what_the_network_is_shown_does_not_change_with_the_gain():
    rng = np.random.default_rng(0)
    gray = (40 + 15 * rng.standard_normal(INPUT_SHAPE)).clip(0).astype(np.float32)
    usable = np.ones(INPUT_SHAPE, bool)
    assert np.allclose(network_input(gray, usable)[0], network_input(2 * gray, usable)[0], atol=1e-5)


def test_outside_the_scan_area_the_network_is_shown_nothing():
    gray = np.full(INPUT_SHAPE, 80, np.float32)
    usable = np.zeros(INPUT_SHAPE, bool)
    assert (network_input(gray, usable) == 0).all()
    usable[:, :60] = True
    shown = network_input(gray, usable)
    assert shown.shape == (INPUT_CHANNELS, *INPUT_SHAPE)
    assert (shown[:, :, 60:] == 0).all()


def test_a_network_whose_file_changed_is_refused(tmp_path):
    path = tmp_path / "muscle.onnx"
    path.write_bytes(b"not what was written")
    digest = hashlib.sha256(b"what was written").hexdigest()
    path.with_suffix(".toml").write_text(
        f'sha256 = "{digest}"\n[edges]\nupper_offset = 0.0\nlower_offset = 0.0\n'
    )
    with pytest.raises(FileRefused, match="changed since it was written"):
        read_model(path)


def test_a_file_that_is_no_network_is_refused(tmp_path):
    path = tmp_path / "muscle.onnx"
    path.write_bytes(b"no network")
    digest = hashlib.sha256(b"no network").hexdigest()
    path.with_suffix(".toml").write_text(
        f'sha256 = "{digest}"\n[edges]\nupper_offset = 0.0\nlower_offset = 0.0\n'
    )
    with pytest.raises(FileRefused, match="OpenCV cannot run this network"):
        read_model(path)


def test_a_network_without_its_constants_is_refused(tmp_path):
    (tmp_path / "muscle.onnx").write_bytes(b"")
    with pytest.raises(FileRefused, match=r"two files, NAME\.onnx and NAME\.toml"):
        read_model(tmp_path / "muscle.onnx")


def test_a_confidence_is_a_probability_that_grows_with_what_speaks_for_the_outline():
    confidence = as_confidence({"intercept": -2.0, "lower_agrees": 1.5})
    low, high = confidence({"lower_agrees": 0.0}), confidence({"lower_agrees": 2.0})
    assert 0 < low < 0.5 < high < 1
    with pytest.raises(KeyError):
        as_confidence({"intercept": 0.0, "no such number": 1.0})
