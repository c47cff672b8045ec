"""What napari may hand to usimg, and what it gets back."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from npe2 import PluginManifest

import usimg_napari
from usimg_napari.reader import get_reader

MANIFEST = Path(usimg_napari.__file__).with_name("napari.yaml")


def test_a_dicom_opens_with_its_scale_fixed_contrast_and_without_decoding(simulated):
    path = str(simulated[0][0])
    reader = get_reader(path)
    assert reader is not None
    ((data, shown, kind),) = reader(path)
    assert kind == "image"
    assert data.shape[0] == 1
    assert shown["contrast_limits"] == (0, 255)
    assert shown["units"] == ("pixel", "mm", "mm")
    assert shown["scale"][1:] == pytest.approx(data.frames[0].calibration.spacing)


def test_it_opens_in_a_viewer_model(simulated, model):
    (layer,) = get_reader(str(simulated[0][0]))(str(simulated[0][0]))
    model.add_image(layer[0], **layer[1])
    assert model.dims.ndim == 3


def test_a_text_file_named_dcm_is_left_to_other_readers(tmp_path):
    path = tmp_path / "notes.dcm"
    path.write_text("no DICOM")
    assert get_reader(str(path)) is None
    assert get_reader(str(tmp_path / "missing.dcm")) is None


def test_installing_usimg_changes_nothing_for_other_files_and_folders():
    (reader,) = PluginManifest.from_file(MANIFEST).contributions.readers
    patterns = {pattern.lower() for pattern in reader.filename_patterns}
    assert patterns == {"*.dcm", "*.dicom", "*.ima"}
    assert not reader.accepts_directories


def test_the_manifest_is_valid_and_everything_it_names_can_be_imported():
    npe2 = shutil.which("npe2", path=Path(sys.executable).parent)
    assert npe2 is not None
    command = [npe2, "validate", "--imports", "usimg"]  # of the distribution
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
