"""Training: it learns, it can be stopped and resumed, and what it writes is what it trained."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from usimg.errors import DependencyMissing, StudyRefused
from usimg.outline.network import INPUT_CHANNELS, INPUT_SHAPE
from usimg.train import Plan
from usimg.train.batches import Sampler, batch
from usimg.train.export import CLOSE, difference, export
from usimg.train.fit import fit
from usimg.train.net import build
from usimg.train.recipe import NARROW, WIDE

from .conftest import layered

TINY = (6, 8, 12, 16, 16, 16)


@pytest.fixture(scope="module")
def examples():
    return [layered(k, device="A" if k % 2 else "B") for k in range(1, 9)]


def test_a_tiny_net_learns_layered_pictures_to_a_dice_of_0_95(torch, examples, tmp_path):
    plan = Plan(steps=80, batch=4, rate=5e-3, warm_steps=10, keep=0.9, watch_every=80)
    unseen = [layered(100 + k) for k in range(4)]
    fitted = fit(examples, unseen, plan=plan, recipe=NARROW, folder=tmp_path, widths=TINY)
    assert fitted.looks[-1].dice > 0.95
    assert fitted.looks[-1].over_10 == 0.0


def test_a_run_resumed_half_way_ends_as_one_that_was_not_stopped(torch, examples, tmp_path):
    plan = Plan(steps=6, batch=2, watch_every=3)

    def train(folder, steps, **how):
        # The rate follows the plan's end, so the half run is the same plan cut short.
        return fit(examples, examples[:1], plan=replace(plan, **how), folder=folder, widths=TINY, **steps)

    whole = train(tmp_path / "whole", {})
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "halved", {"progress": _stop})
    halved = train(tmp_path / "halved", {"resume": True})
    assert halved.step == whole.step == 6
    for ours, theirs in zip(halved.net.state_dict().values(), whole.net.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs)
    assert [look.loss for look in halved.looks] == [look.loss for look in whole.looks]


def _stop(look):
    if look.step == 3:
        raise KeyboardInterrupt


def test_early_stopping_keeps_the_best_look(torch, examples, tmp_path):
    plan = Plan(steps=40, batch=2, rate=0.0, watch_every=2, patience=3)
    fitted = fit(examples, examples[:2], plan=plan, folder=tmp_path, widths=TINY)
    # Nothing can improve with a rate of 0, but for the running statistics of the first batches.
    assert len(fitted.looks) < 20
    best = min(fitted.looks, key=lambda look: (look.over_10, look.median))
    assert fitted.step == best.step


def test_early_stopping_with_nothing_to_watch_is_refused(torch, examples, tmp_path):
    with pytest.raises(StudyRefused, match="early stopping needs pictures to watch"):
        fit(examples, [], plan=Plan(patience=3), folder=tmp_path, widths=TINY)


def test_resuming_without_a_checkpoint_says_so(torch, examples, tmp_path):
    with pytest.raises(StudyRefused, match="no checkpoint to resume"):
        fit(examples, [], folder=tmp_path, resume=True, widths=TINY)


def test_a_checkpoint_of_another_network_is_refused(torch, examples, tmp_path):
    plan = Plan(steps=1, batch=1)
    fit(examples, [], plan=plan, folder=tmp_path, widths=TINY)
    with pytest.raises(StudyRefused, match="not a checkpoint of this network"):
        fit(examples, [], plan=plan, folder=tmp_path, resume=True, widths=(8, *TINY[1:]))


def test_without_torch_the_message_is_the_line_that_installs_it(monkeypatch, examples, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    with pytest.raises(DependencyMissing, match=r"pip install \"usimg\[train\]\""):
        fit(examples, [], folder=tmp_path)


def test_the_written_file_answers_as_torch_does(torch, require, tmp_path):
    require("module:onnxscript", package="the extra train")
    net = build(TINY, seed=3).eval()
    model = export(net, tmp_path / "tiny.onnx")
    assert difference(net, model) < CLOSE
    picture = np.random.default_rng(0).standard_normal((INPUT_CHANNELS, *INPUT_SHAPE)).astype(np.float32)
    assert np.array_equal(model.logits(picture), model.logits(picture))


def test_a_batch_depends_on_seed_and_step_alone(examples):
    draw = Sampler(examples, 0.0)
    first, _ = batch(draw, WIDE, size=2, seed=1, step=7)
    batch(draw, WIDE, size=2, seed=1, step=8)
    again, _ = batch(draw, WIDE, size=2, seed=1, step=7)
    other, _ = batch(draw, WIDE, size=2, seed=2, step=7)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_device_of_few_pictures_is_drawn_by_the_root_of_its_groups():
    few, many = [layered(1, device="few")], [layered(k, device="many") for k in range(2, 18)]
    draw = Sampler([*few, *many], 0.0)
    rng = np.random.default_rng(0)
    share = np.mean([draw(rng).device == "few" for _ in range(2000)])
    assert share == pytest.approx(1 / 5, abs=0.03)


def test_phantoms_take_the_share_they_are_given_and_everything_where_nothing_else_is():
    real, made = [layered(1)], [layered(2, device="phantom")]
    rng = np.random.default_rng(0)
    draw = Sampler([*real, *made], 0.25)
    assert np.mean([draw(rng).device == "phantom" for _ in range(2000)]) == pytest.approx(0.25, abs=0.03)
    assert Sampler(made, 0.25)(rng).device == "phantom"


def test_the_rate_is_held_and_then_falls_to_nothing():
    plan = Plan(steps=100, warm_steps=10, cool=0.4)
    assert plan.rate_at(0) == pytest.approx(plan.rate / 10)
    assert plan.rate_at(59) == plan.rate
    assert plan.rate_at(99) < 0.01 * plan.rate
