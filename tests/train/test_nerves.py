"""Training for nerves at prompts: what is shown is what was outlined, and a small net learns from it."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from usimg.errors import StudyRefused
from usimg.outline.nerve_network import (
    BACKGROUND,
    CHANNELS,
    CLASSES,
    GRID,
    OTHER_NERVE,
    OTHER_VESSEL,
    SIDE,
    THIS,
)
from usimg.outline.nerve_prompts import DESCRIBED, UNFITTED
from usimg.train.nerve_constants import Case, ask, border_point, compare, crossed, fit_confidence, fit_table
from usimg.train.nerve_crops import Clumsiness, drawn
from usimg.train.nerve_dataset import as_labelled, folds, labelled, read
from usimg.train.nerve_export import CLOSE, difference, export, together
from usimg.train.nerve_fit import USUAL, Drawer, batch, fit
from usimg.train.nerve_found import look_for
from usimg.train.nerve_net import build

TINY = (6, 8, 10, 12, 12)
BOXES, CLICKS = Clumsiness(clicks=0.0, nothing=0.0), Clumsiness(clicks=1.0, nothing=0.0)


def outlined(seed: int, *, shape=(220, 260)):
    """A speckled picture of a bright oval nerve with a dark vessel beside it, and its mask."""
    rng = np.random.default_rng(seed)
    row, col = np.mgrid[: shape[0], : shape[1]]
    middle = rng.uniform(80, 140, 2)
    tall, wide = rng.uniform(20, 32), rng.uniform(28, 48)
    nerve = ((row - middle[0]) / tall) ** 2 + ((col - middle[1]) / wide) ** 2 < 1
    vessel = np.hypot(row - middle[0], col - middle[1] - wide - 26) < 22
    gray = np.select([nerve, vessel], [150, 15], 60) * (1 + 0.25 * rng.standard_normal(shape))
    return np.clip(gray, 0, 255).astype(np.float32), (nerve + 2 * vessel).astype(np.uint8)


def picture(seed: int):
    return labelled(f"picture {seed}", f"person {seed}", "train", *outlined(seed))


def test_a_mask_is_taken_apart_into_parts_with_their_boxes():
    nerve, vessel = picture(0).outlined
    assert (nerve.vessel, vessel.vessel) == (False, True)
    mask = outlined(0)[1] == 1
    rows = np.flatnonzero(mask.any(axis=1))
    assert (nerve.box[0], nerve.box[2]) == (rows[0] - 0.5, rows[-1] + 0.5)
    assert nerve.centre == pytest.approx(np.argwhere(mask).mean(axis=0))
    assert not nerve.cut


def test_a_part_at_the_border_is_known_to_be_cut_and_a_speck_is_no_part():
    mask = np.zeros((100, 100), np.uint8)
    mask[:30, :30] = 1
    mask[60:66, 60:66] = 1
    (part,) = labelled("p", "g", "train", np.zeros((100, 100), np.float32), mask).outlined
    assert part.cut


@pytest.mark.parametrize("clumsy", [BOXES, CLICKS])
def test_shares_of_the_classes_sum_to_one_and_this_lies_in_the_window(clumsy):
    one = picture(1)
    for seed in range(8):
        inputs, truth = drawn(one, one.outlined[0], np.random.default_rng(seed), clumsy)
        assert inputs.shape == (CHANNELS, SIDE, SIDE)
        assert truth.shape == (CLASSES, GRID, GRID)
        np.testing.assert_allclose(truth.sum(axis=0), 1, atol=1e-5)
        assert truth[THIS].sum() > 0.02 * GRID**2


def test_without_a_prompt_nothing_is_this_and_nerves_and_vessels_are_others():
    one = picture(1)
    for seed in range(8):
        inputs, truth = drawn(one, one.outlined[0], np.random.default_rng(seed), Clumsiness(nothing=1.0))
        assert not inputs[2:].any()
        assert not truth[THIS].any()
        assert truth[OTHER_NERVE].any()


def test_the_outline_stays_with_the_grey_levels_when_the_picture_is_bent():
    one = picture(2)
    for seed in range(8):
        inputs, truth = drawn(one, one.outlined[0], np.random.default_rng(seed), BOXES)
        level = inputs[0].reshape(GRID, 2, GRID, 2).mean(axis=(1, 3))
        sure = truth.max(axis=0) > 0.99
        means = [level[sure & (truth.argmax(axis=0) == k)] for k in (THIS, BACKGROUND, OTHER_VESSEL)]
        assert means[0].mean() > means[1].mean() + 0.5
        if len(means[2]) > 20:
            assert means[2].mean() < means[1].mean()


def test_a_box_without_clumsiness_touches_the_outline():
    one = picture(3)
    for seed in range(8):
        exact = replace(BOXES, box_sides=(0.0, 0.0))
        inputs, truth = drawn(one, one.outlined[0], np.random.default_rng(seed), exact)
        inside = inputs[2] > 0
        bounds = [np.flatnonzero((truth[THIS] > 0.5).any(axis=axis))[[0, -1]] for axis in (1, 0)]
        asked = [np.flatnonzero(inside.any(axis=axis))[[0, -1]] // 2 for axis in (1, 0)]
        assert np.abs(np.array(bounds) - np.array(asked)).max() <= 1


def test_a_step_sees_the_same_windows_for_the_same_seed_and_other_ones_for_another():
    draw = Drawer([picture(k) for k in range(3)], [], 0.0)
    one, again, other = (batch(draw, Clumsiness(), size=3, seed=s, step=5)[0] for s in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


def test_a_phantoms_mask_takes_in_the_rim(wrist_phantom):
    (section,) = (s for s in wrist_phantom.sections if "nerve" in s.structure)
    (part,) = (p for p in as_labelled(wrist_phantom, "one").outlined if not p.vessel)
    assert part.box == pytest.approx(section.box, abs=1.0)


@pytest.fixture
def wrist_phantom():
    from usimg import simulate

    return simulate.median_nerve_wrist(seed=4, setup=simulate.Setup(shape=(420, 560)))


def test_a_part_compared_with_its_own_border_is_right():
    one = picture(4)
    part = one.outlined[0]
    (r0, c0), (r1, c1) = part.box[:2], part.box[2:]
    angle = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    oval = np.column_stack(
        [(r0 + r1) / 2 + (r1 - r0) / 2 * np.sin(angle), (c0 + c1) / 2 + (c1 - c0) / 2 * np.cos(angle)]
    )
    dice, error = compare([oval], one, part)
    assert dice > 0.985
    assert abs(error) < 0.03
    assert compare([], one, part) == (0.0, -1.0)


def test_confidence_falls_with_what_speaks_against_an_outline():
    rng = np.random.default_rng(0)
    cases = []
    for _ in range(200):
        softness = rng.uniform(0, 1)
        error = 0.3 if rng.random() < softness else 0.02
        described = dict.fromkeys(DESCRIBED, 0.0) | {"softness": softness, "off_box": rng.uniform(0, 0.1)}
        cases.append(Case(0.9, error, described))
    table = fit_confidence(cases)
    assert table["softness"] < -2
    assert table["size_spread"] == 0
    assert max(table[name] for name in DESCRIBED) <= 0


def test_where_every_outline_was_right_confidence_is_high_and_not_one():
    table = fit_confidence([Case(0.95, 0.0, dict.fromkeys(DESCRIBED, 0.1))] * 30)
    assert 0.9 < 1 / (1 + np.exp(-table["intercept"])) < 1


def test_a_folder_is_read_by_its_manifest(tmp_path):
    (tmp_path / "images").mkdir()
    with (tmp_path / "manifest.csv").open("w", newline="") as handle:
        table = csv.writer(handle)
        table.writerow(["file", "mask", "group", "split", "usable"])
        for k, (split, usable) in enumerate([("train", "yes"), ("train", "no"), ("val", "edge")]):
            gray, mask = outlined(k)
            Image.fromarray(gray.astype(np.uint8)).save(tmp_path / f"images/{k}.png")
            Image.fromarray(mask).save(tmp_path / f"images/{k}_mask.png")
            table.writerow([f"images/{k}.png", f"images/{k}_mask.png", f"g{k}", split, usable])
    assert [one.group for one in read(tmp_path, ["train", "val"])] == ["g0", "g2"]
    assert len(read(tmp_path, ["train"])[0].outlined) == 2


def test_no_group_is_in_two_folds_and_none_is_lost():
    pictures = [replace(picture(k), group=f"person {k // 2}") for k in range(14)]
    parts = folds(pictures, 3)
    groups = [{one.group for one in part} for part in parts]
    assert sorted(len(g) for g in groups) == [2, 2, 3]
    assert len(set().union(*groups)) == 7
    assert sum(len(part) for part in parts) == 14


def box_follower(pictures):
    """A network that sees an ellipse in the box and nothing else."""
    inside = pictures[:, 2].reshape(len(pictures), GRID, 2, GRID, 2).mean(axis=(2, 4))
    logits = np.zeros((len(pictures), CLASSES, GRID, GRID), np.float32)
    logits[:, THIS] = 12 * (inside - 0.15)
    return logits


def test_constants_take_the_bias_out_and_cross_fitted_ones_judge_each_prompt_once():
    folds_of = [(box_follower, [picture(k), picture(k + 10)]) for k in range(3)]
    prompts = ask(folds_of, "box", draws=2)
    table = fit_table(prompts)
    raw = np.mean([Case.of(one, UNFITTED).error for one in prompts])
    fitted = np.mean([Case.of(one, table).error for one in prompts])
    assert abs(raw) > 0.05
    assert abs(fitted) < 0.02
    judged = crossed(prompts)
    assert len(judged) == len(prompts)
    assert all(0 < confidence < 1 for _, confidence in judged)


def test_where_nothing_was_seen_nothing_is_fitted_and_nothing_trusted():
    def blind(pictures):
        logits = np.zeros((len(pictures), CLASSES, GRID, GRID), np.float32)
        logits[:, BACKGROUND] = 20
        return logits

    prompts = ask([(blind, [picture(0)])], "click", draws=1)
    table = fit_table(prompts)
    assert {name: table[name] for name in ("trust", "box", "at")} == {"trust": 1.0, "box": 0.0, "at": 0.9}
    ((case, confidence),) = crossed(prompts)
    assert (case.dice, case.error, confidence) == (0.0, -1.0, 0.0)


def test_a_point_of_the_border_lies_on_it():
    one = picture(5)
    part = one.outlined[0]
    rng = np.random.default_rng(0)
    rows, cols = (np.array(part.box)[[0, 2]], np.array(part.box)[[1, 3]])
    for _ in range(20):
        row, col = border_point(one, part, rng)
        share = np.hypot((row - rows.mean()) / (np.ptp(rows) / 2), (col - cols.mean()) / (np.ptp(cols) / 2))
        assert share == pytest.approx(1.0, abs=0.2)


def test_a_network_that_sees_nothing_suggests_nothing():
    def blind(pictures):
        return np.full((len(pictures), CLASSES, GRID, GRID), 0.0, np.float32)

    found = look_for([(blind, [picture(0), picture(1)])], UNFITTED)
    assert (found.nerves, found.pictures, found.cases) == (2, 2, [])
    assert "0 of 2 nerves in 2 pictures" in found.line()


def test_nothing_to_learn_from_is_refused(torch, tmp_path):
    with pytest.raises(StudyRefused, match="no outline to learn from"):
        fit([], [], folder=tmp_path)


def test_a_tiny_net_learns_ovals_in_boxes_and_runs_in_opencv_as_in_torch(torch, tmp_path):
    plan = replace(USUAL, steps=60, batch=8, rate=6e-3, warm_steps=5, keep=0.9, watch_every=60, phantoms=0.0)
    seen = []
    net = fit(
        [picture(k) for k in range(6)],
        [picture(k) for k in range(20, 24)],
        folder=tmp_path / "runs",
        plan=plan,
        widths=TINY,
        progress=seen.append,
    )
    assert seen[-1]["box_dice"] > 0.93
    model = export([net, build(TINY, seed=1)], tmp_path / "tiny.onnx")
    assert model.constants["networks"]["count"] == 2
    assert difference(together([net, build(TINY, seed=1)]), model) < CLOSE


def test_a_run_resumed_half_way_ends_as_one_that_was_not_stopped(torch, tmp_path):
    plan = replace(USUAL, steps=4, batch=2, watch_every=2, phantoms=0.0)
    learn = [picture(k) for k in range(2)]
    whole = fit(learn, [], folder=tmp_path / "a", plan=plan, widths=TINY)
    fit(learn, [], folder=tmp_path / "b", plan=replace(plan, steps=2, cool=0.0), widths=TINY)
    resumed = fit(learn, [], folder=tmp_path / "b", plan=plan, widths=TINY, resume=True)
    for name, value in whole.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), resumed.state_dict()[name].numpy())


def test_the_same_seed_builds_the_same_net(torch):
    one, two = (build(TINY, seed=3).state_dict() for _ in range(2))
    assert all(np.array_equal(one[name].numpy(), two[name].numpy()) for name in one)
