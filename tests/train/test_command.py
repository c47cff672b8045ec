"""``usimg train`` from a folder to a network that `usimg.segment` uses."""

from __future__ import annotations

import tomllib

import pytest

import usimg
from usimg.errors import StudyRefused
from usimg.outline.learned import NetworkSegmenter
from usimg.train import Plan, train

from .conftest import layered, write_folder

SHORT = Plan(steps=2, batch=2, watch_every=2, phantom_count=2)


@pytest.mark.slow
def test_a_folder_becomes_a_network_that_segment_uses(torch, require, tmp_path):
    require("module:onnxscript", package="the extra train")
    folder = write_folder(tmp_path / "set", [layered(k, device="A" if k % 2 else "B") for k in range(1, 7)])
    seen = []
    trained = train(
        folder,
        tmp_path / "mine.onnx",
        plan=SHORT,
        leave_out=["A"],
        fold_steps=2,
        progress=lambda name, look: seen.append((name, look.step)),
    )
    assert seen == [("all", 2), ("without-A", 2)]
    constants = tomllib.loads((tmp_path / "mine.toml").read_text("utf-8"))
    assert constants["sha256"] == trained.model.sha256
    assert "unseen device: A" in trained.card.read_text("utf-8")
    assert (tmp_path / "mine.curve.svg").is_file()
    frame = usimg.read(folder / "images/0.png").frames[0]
    for roi in usimg.segment(frame, segmenter=NetworkSegmenter(trained.model)):
        assert roi.method == f"network {trained.model.name}"
        assert not roi.trusted
    again = train(folder, tmp_path / "mine.onnx", plan=SHORT, leave_out=[], resume=True)
    assert again.model.sha256 == trained.model.sha256


def test_a_structure_without_a_recipe_is_refused(torch, tmp_path):
    with pytest.raises(StudyRefused, match="no network for 'liver' can be trained; there are: muscle"):
        train(tmp_path, tmp_path / "x.onnx", structure="liver")


def test_resuming_what_was_never_started_says_so(torch, tmp_path):
    with pytest.raises(StudyRefused, match="nothing to resume"):
        train(tmp_path, tmp_path / "x.onnx", resume=True)
