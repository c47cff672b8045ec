"""What napari may hand to usimg, and what it gets back."""

from __future__ import annotations

import importlib
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from npe2 import PluginManifest

import usimg_napari
from usimg.errors import OutlineRefused
from usimg.measurement import area
from usimg.study.roifiles import read_rois
from usimg_napari.reader import get_reader
from usimg_napari.writer import write_outlines

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


def test_contrast_is_for_the_eye_alone_and_no_number_changes_with_it(canvas, review):
    before = [(one.thickness, one.area, one.echo) for one in canvas.numbers]
    canvas.image.contrast_limits = (90, 110)
    canvas.image.gamma = 2.0
    canvas.image.colormap = "viridis"
    review.next()
    review.previous()
    assert [(one.thickness, one.area, one.echo) for one in canvas.numbers] == before
    assert canvas.image.contrast_limits == [0, 255]


@pytest.mark.parametrize("key", ["upper_arm", "median_nerve"])
def test_the_file_menus_samples_are_in_millimetres(key, model):
    manifest = PluginManifest.from_file(MANIFEST)
    (sample,) = [one for one in manifest.contributions.sample_data if one.key == key]
    command = next(one for one in manifest.contributions.commands if one.id == sample.command)
    module, _, name = command.python_name.partition(":")
    ((data, shown, _),) = getattr(importlib.import_module(module), name)()
    layer = model.add_image(data, **shown)
    assert [str(unit) for unit in layer.units[1:]] == ["millimeter", "millimeter"]
    assert 20 < data.shape[1] * layer.scale[1] < 100


def test_a_shapes_layer_is_saved_for_imagej_with_frames_lines_and_ellipses(tmp_path, model):
    box = np.array([[10.0, 10], [10, 30], [50, 30], [50, 10]])
    layer = model.add_shapes(
        [box, box + 60, box[:2]], shape_type=["polygon", "ellipse", "line"],
        features={"structure": ["median nerve", "ulnar nerve", "diaphragm"]},
    )  # fmt: skip
    data, meta, _ = layer.as_layer_data_tuple()
    (path,) = write_outlines(str(tmp_path / "rois.zip"), data, meta)
    nerve, ellipse, line = (one.roi for one in read_rois(path))
    assert nerve.structure == "median_nerve"
    assert nerve.polygons[0] == pytest.approx(box, abs=1e-4)
    assert area(ellipse.polygons) == pytest.approx(np.pi * 20 * 10, rel=1e-3)
    assert line.line == pytest.approx(box[:2], abs=1e-4)
    with pytest.raises(OutlineRefused, match="encloses nothing"):
        write_outlines(str(tmp_path / "bad.zip"), [box], {"shape_type": "path"})


def test_the_reviews_outlines_are_saved_whole_and_not_by_their_handles(tmp_path, canvas, review):
    angle = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    ring = np.column_stack([100 + 40 * np.sin(angle), 100 + 50 * np.cos(angle)])
    review.edit(0, review.held[0].roi.with_polygons(ring))
    data, meta, _ = canvas.outlines.as_layer_data_tuple()
    assert len(data[0]) < 100
    (path,) = write_outlines(str(tmp_path / "rois.geojson"), data, meta)
    saved = read_rois(path)
    assert [(one.roi.structure, one.roi.side, one.frame) for one in saved] == [
        ("median_nerve", "left", 0),
        ("biceps_brachii", "left", 0),
    ]
    assert saved[0].roi.polygons[0] == pytest.approx(ring)
