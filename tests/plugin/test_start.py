"""The way in without a terminal, and what the bundle for Windows is checked for."""

from __future__ import annotations

import importlib.util
import json
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def bundle():
    """The script that builds the bundle, as a module."""
    spec = importlib.util.spec_from_file_location("bundle_windows", ROOT / "scripts" / "bundle_windows.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def laid_out(folder: Path, bundle) -> Path:
    """The files that a complete bundle has, empty."""
    python = folder / "python"
    site = python / bundle.SITE
    for name in ("python.exe", "python313.dll", "vcruntime140.dll"):
        (python / name).parent.mkdir(parents=True, exist_ok=True)
        (python / name).touch()
    with zipfile.ZipFile(python / "python313.zip", "w") as library:
        library.writestr("encodings/__init__.pyc", b"")
    for name in ("PySide6/QtWidgets.pyd", "cv2/cv2.pyd", "usimg_napari/napari.yaml"):
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).touch()
    weights = site / "usimg/outline/weights"
    weights.mkdir(parents=True)
    (weights / "__init__.py").touch()
    (weights / "nerve.onnx").touch()
    needs = ["numpy>=2", "colorama>=0.4; sys_platform == 'win32'", "uvloop; sys_platform == 'linux'"]
    for name, requires in (("usimg", needs), ("numpy", []), ("colorama", [])):
        info = site / f"{name}-2.0.dist-info"
        info.mkdir()
        lines = [f"Name: {name}", "Version: 2.0", *(f"Requires-Dist: {one}" for one in requires)]
        (info / "METADATA").write_text("\n".join(["Metadata-Version: 2.1", *lines, ""]))
    return folder


def test_a_whole_bundle_has_no_fault(tmp_path, bundle):
    assert bundle.faults(laid_out(tmp_path, bundle)) == []


@pytest.mark.parametrize(
    ("gone", "words"),
    [
        ("python/python.exe", "no python.exe"),
        ("python/Lib/site-packages/colorama-2.0.dist-info/METADATA", "colorama"),
        ("python/Lib/site-packages/usimg/outline/weights/nerve.onnx", "no weights"),
        ("python/Lib/site-packages/PySide6/QtWidgets.pyd", "QtWidgets"),
    ],
)
def test_what_windows_would_miss_is_named(tmp_path, bundle, gone, words):
    folder = laid_out(tmp_path, bundle)
    path = folder / gone
    if path.name == "METADATA":
        path.unlink()
        path.parent.rmdir()
    else:
        path.unlink()
    assert any(words in fault for fault in bundle.faults(folder))


def test_a_library_of_another_system_is_a_fault(tmp_path, bundle):
    folder = laid_out(tmp_path, bundle)
    (folder / "python" / bundle.SITE / "numpy.cpython-311-x86_64-linux-gnu.so").touch()
    assert any("not for Windows" in fault for fault in bundle.faults(folder))


def test_the_bat_starts_a_module_that_exists(bundle):
    assert "-m usimg_napari.start" in bundle.BAT
    assert importlib.util.find_spec("usimg_napari.start") is not None


def test_a_folder_that_is_no_study_and_no_scans_is_said_in_a_dialog(xvfb, qapp, tmp_path, monkeypatch):
    from qtpy.QtWidgets import QMessageBox

    from usimg_napari import start

    shown = []
    monkeypatch.setattr(QMessageBox, "warning", lambda *words: shown.append(words[-1]))
    assert start.main([str(tmp_path / "nothing")]) == 1
    assert shown


def test_info_about_itself_says_whether_a_window_can_open(viewer, monkeypatch):
    from typer.testing import CliRunner

    from usimg.cli import app

    said = json.loads(CliRunner().invoke(app, ["info", "--self", "--json"]).stdout)
    assert said["viewer"] == "can open"
    assert said["opengl"] >= "2.1"
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    if sys.platform == "linux":
        said = json.loads(CliRunner().invoke(app, ["info", "--self", "--json"]).stdout)
        assert "no screen" in said["viewer"]
