"""Training a network of one's own, as a laboratory meets it."""

from __future__ import annotations

import sys
from importlib.util import find_spec

import pytest


class WithoutTorch:
    """An importer that knows no PyTorch."""

    @staticmethod
    def find_spec(name: str, _path: object = None, _target: object = None) -> None:
        if name == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name=name)


def test_help_says_what_the_folder_holds_and_shows_an_example(usimg_command):
    said = usimg_command("advanced", "train", "--help")
    assert said.code == 0
    assert "manifest.csv" in said.out
    assert "Example: usimg advanced train" in said.out


@pytest.mark.parametrize("structure", ["muscle", "nerve"])
def test_without_pytorch_one_line_says_how_to_get_it(usimg_command, tmp_path, monkeypatch, structure):
    # Hidden where it is installed, so that this is tested there too.
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setattr(sys, "meta_path", [WithoutTorch, *sys.meta_path])
    said = usimg_command("advanced", "train", tmp_path, "--structure", structure, "-o", tmp_path / "x.onnx")
    assert said.code == 1
    assert said.err.count("\n") == 1
    assert 'pip install "usimg[train]"' in said.err
    assert not (tmp_path / "x.onnx").exists()


@pytest.mark.skipif(find_spec("torch") is None, reason="PyTorch is not installed")
def test_a_folder_without_a_manifest_is_one_line(usimg_command, tmp_path):
    said = usimg_command("advanced", "train", tmp_path, "-o", tmp_path / "x.onnx")
    assert said.code == 1
    assert "manifest.csv" in said.err
