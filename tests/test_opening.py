"""`usimg.read`: what is loaded when, what is kept, and whose spacing is taken."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import threading

import numpy as np
import pytest
from PIL import Image

import usimg
from usimg.errors import FileRefused
from usimg.readers.source import KEPT_FRAMES


@pytest.fixture
def clip(tmp_path):
    """A TIFF of eight pages, each of its own level around the middle."""
    rng = np.random.default_rng(3)
    pages = [
        Image.fromarray(rng.integers(20 * i, 20 * i + 90, (120, 160)).astype(np.uint8)) for i in range(8)
    ]
    path = tmp_path / "clip.tif"
    pages[0].save(path, save_all=True, append_images=pages[1:])
    return path, pages


@pytest.mark.parametrize(
    "spacing",
    [0, -0.1, float("nan"), float("inf"), "0.1", (0.1,), (0.1, 0.1, 0.1), (0.1, "x"), [], True, (0.1, None)],
)
def test_a_spacing_that_is_no_size_is_refused_with_what_to_write(clip, spacing):
    with pytest.raises(FileRefused, match=r"clip\.tif: spacing .* write millimetres per pixel"):
        usimg.read(clip[0], spacing_mm=spacing)


@pytest.mark.parametrize("spacing", [0.1, 1, (0.1, 0.1), [0.1, 0.1], np.array([0.1, 0.1]), np.float32(0.1)])
def test_a_spacing_may_be_one_number_or_two(clip, spacing):
    calibration = usimg.read(clip[0], spacing_mm=spacing).frames[0].calibration
    assert calibration.row_mm == pytest.approx(np.ravel(spacing)[0])
    assert calibration.row_mm == calibration.col_mm


def test_importing_usimg_loads_the_standard_library_alone():
    code = (
        "import sys, usimg; print(sorted({m.split('.')[0] for m in sys.modules} - sys.stdlib_module_names))"
    )
    loaded = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert "'usimg'" in loaded
    assert not any(f"'{name}'" in loaded for name in ("numpy", "pydicom", "PIL", "cv2", "imagecodecs"))


def test_opening_a_header_loads_no_room_that_it_does_not_need(tmp_path, sample_header):
    code = (
        "import sys, usimg; usimg.read(sys.argv[1]); print(*sorted({m.split('.')[0] for m in sys.modules}))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code, str(sample_header)], capture_output=True, text=True, check=True
    ).stdout.split()
    heavy = {
        "pandas",
        "pyarrow",
        "duckdb",
        "skimage",
        "sklearn",
        "scipy",
        "cv2",
        "matplotlib",
        "PySide6",
        "napari",
    }
    assert not heavy & set(loaded)


@pytest.fixture
def sample_header(tmp_path):
    """A small DICOM file, written by pydicom alone."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.6.1"
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = "1.2.3"
    ds.Modality, ds.Rows, ds.Columns, ds.SamplesPerPixel = "US", 40, 50, 1
    ds.PhotometricInterpretation, ds.BitsAllocated, ds.BitsStored = "MONOCHROME2", 8, 8
    ds.HighBit, ds.PixelRepresentation, ds.PixelData = 7, 0, bytes(2000)
    ds.PatientID, ds.PatientName = "1234567", "Doe^Jane"
    ds.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    return tmp_path / "a.dcm"


def test_a_scan_is_the_hash_of_its_bytes(clip):
    assert usimg.read(clip[0]).id == hashlib.sha256(clip[0].read_bytes()).hexdigest()


def test_patient_data_are_not_shown_by_the_header(sample_header):
    scan = usimg.read(sample_header)
    assert scan.header.patient_id == "1234567"
    assert not any(secret in repr(scan.header) + repr(scan) for secret in ("1234567", "Doe"))


def test_opening_does_not_decode(sample_header):
    scan = usimg.read(sample_header)
    sample_header.write_bytes(sample_header.read_bytes()[:-2000])
    assert scan.frames[0].shape == (40, 50)
    with pytest.raises(usimg.UsimgError, match=r"a\.dcm"):
        scan.frames[0].gray  # noqa: B018


def test_the_frames_touched_last_are_kept(clip):
    path, pages = clip
    scan = usimg.read(path)
    first = scan.frames[0].gray
    assert scan.frames[0].gray is first
    for frame in scan.frames[1 : KEPT_FRAMES + 1]:
        frame.gray  # noqa: B018
    again = scan.frames[0].gray
    assert again is not first
    assert np.array_equal(again, np.asarray(pages[0]))


def test_what_a_picture_shows_is_found_once_and_does_not_depend_on_the_scale(clip):
    frame = usimg.read(clip[0]).frames[2]
    rescaled = frame.with_calibration(usimg.Calibration(0.1, 0.1, "person"))
    assert rescaled.scan_area is frame.scan_area
    assert frame.kind is frame.picture.kind


def test_frames_may_be_touched_from_several_threads(clip):
    path, pages = clip
    scan = usimg.read(path)
    wrong = []

    def touch(start: int) -> None:
        for step in range(24):
            index = (start + 3 * step) % len(pages)
            if not np.array_equal(scan.frames[index].gray, np.asarray(pages[index])):
                wrong.append(index)

    threads = [threading.Thread(target=touch, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_reader_of_an_installed_package_is_asked_first(tmp_path, monkeypatch, clip):
    from importlib.metadata import EntryPoint

    import usimg.readers as room

    module = tmp_path / "raw_reader.py"
    module.write_text(
        "from usimg.readers import stills\n"
        "NAME = 'raw'\n"
        "sniff = lambda path, head: path.suffix == '.raw'\n"
        "open_scan = stills.open_scan\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    point = EntryPoint(name="raw", value="raw_reader", group=room.GROUP)
    monkeypatch.setattr(room, "entry_points", lambda group: [point] if group == room.GROUP else [])
    room._readers.cache_clear()
    try:
        path = tmp_path / "clip.raw"
        path.write_bytes(clip[0].read_bytes())
        assert room.reader_for(path).NAME == "raw"
        assert len(usimg.read(path).frames) == 8
    finally:
        room._readers.cache_clear()


def test_sample_scans_open_with_their_true_scale_and_nothing_drawn_on_their_tissue(sample_dicoms):
    import csv

    truth = list(csv.DictReader((sample_dicoms / "truth.csv").read_text(encoding="utf-8").splitlines()))
    assert truth
    checked = set()
    for line in truth:
        where = (line["file"], line["frame"], line["region"])
        if where in checked:
            continue
        checked.add(where)
        frame = usimg.read(sample_dicoms / line["file"]).frames[int(line["frame"])]
        overlaid = (frame.overlays & frame.scan_area).sum() / frame.scan_area.sum()
        assert overlaid < 2e-3, line["file"]
        if not frame.regions:
            assert frame.calibration is None
            continue
        calibration = frame.regions[int(line["region"])].calibration
        assert calibration.spacing == pytest.approx((float(line["row_mm"]), float(line["col_mm"])), rel=1e-9)
    assert len(checked) > 40
