"""Tiny DICOM archives, and segmenters from an installed package, as a laboratory might add them."""

from __future__ import annotations

import textwrap
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from usimg.study import Study

MARKER = "ZZMARKER"

# `square` outlines the middle of any picture. The others misbehave where the first row is white.
SEGMENTERS = """
import os, signal, time
from usimg import Roi

class Square:
    name, version = "square", "1"
    def can(self, structure, plane):
        return True
    def segment(self, request):
        rows, cols = request.frame.shape
        corners = [[rows/4, cols/4], [rows/4, 3*cols/4], [3*rows/4, 3*cols/4], [3*rows/4, cols/4]]
        self.meet(request.frame)
        return [Roi(polygon=corners, structure=request.structure.name, site=request.site,
                    plane="transverse", confidence=0.8, validated=True, method="square 1")]
    def meet(self, frame):
        pass

class Killed(Square):
    name = "killed"
    def meet(self, frame):
        if frame.gray[0].min() == 255:
            os.kill(os.getpid(), signal.SIGKILL)

class Faulty(Square):
    name = "faulty"
    def meet(self, frame):
        if frame.gray[0].min() == 255:
            raise ZeroDivisionError("ZZMARKER in a message")

class Endless(Square):
    name = "endless"
    def meet(self, frame):
        if frame.gray[0].min() == 255:
            time.sleep(1000)

class Panels(Square):
    # surer of the right panel, save for one structure
    name = "panels"
    def segment(self, request):
        rois = []
        for number, (r0, c0, r1, c1) in enumerate(r.box for r in request.frame.regions):
            corners = [[r0 + 9, c0 + 9], [r0 + 9, c1 - 9], [r1 - 9, c1 - 9], [r1 - 9, c0 + 9]]
            name = request.structure.name
            sure = (0.9 if number == (name != "brachialis") else 0.5) + 0.05 * number
            rois.append(Roi(polygon=corners, structure=name, region=number, confidence=sure))
        return sorted(rois, key=lambda roi: -roi.confidence)

class Slow(Square):
    name = "slow"
    def meet(self, frame):
        time.sleep(0.02)
"""


def write_dicom(
    path: Path,
    *,
    seed: int = 0,
    patient: str = MARKER,
    frames: int = 1,
    white_top: bool = False,
    spacing_cm: float | None = 0.01,
    **tags: object,
) -> Path:
    """An uncompressed grey picture of speckle, 96 x 96."""
    rng = np.random.default_rng(seed)
    pixels = rng.rayleigh(40, (frames, 96, 96)).clip(1, 254).astype(np.uint8)
    if white_top:
        pixels[:, 0] = 255
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.6.1"
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[str(path), str(seed)])
    ds = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SOPClassUID, ds.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    ds.Modality, ds.Manufacturer = "US", "Acme"
    ds.PatientName, ds.PatientID, ds.StudyDate = f"{patient}^JANE", f"{patient}-17", "20260203"
    ds.Rows = ds.Columns = 96
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated = ds.BitsStored = 8
    ds.HighBit, ds.PixelRepresentation = 7, 0
    if frames > 1:
        ds.NumberOfFrames = frames
    if spacing_cm is not None:
        region = Dataset()
        region.RegionSpatialFormat, region.RegionDataType, region.RegionFlags = 1, 1, 0
        region.RegionLocationMinX0 = region.RegionLocationMinY0 = 0
        region.RegionLocationMaxX1 = region.RegionLocationMaxY1 = 95
        region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
        region.PhysicalDeltaX = region.PhysicalDeltaY = spacing_cm
        ds.SequenceOfUltrasoundRegions = [region]
    for name, value in tags.items():
        setattr(ds, name, value)
    ds.PixelData = pixels.tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    ds.save_as(path, enforce_file_format=True)
    return path


@pytest.fixture(scope="session")
def segmenters(tmp_path_factory) -> Path:
    """Folder of an installed package that brings segmenters; for ``sys.path`` or PYTHONPATH."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "lab_outlines.py").write_text(textwrap.dedent(SEGMENTERS))
    info = folder / "lab_outlines-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lab-outlines\nVersion: 1.0\n")
    names = ("Square", "Killed", "Faulty", "Endless", "Slow", "Panels")
    points = "\n".join(f"{name.lower()} = lab_outlines:{name}" for name in names)
    (info / "entry_points.txt").write_text(f"[usimg.segmenters]\n{points}\n")
    return folder


@pytest.fixture
def installed(segmenters, monkeypatch):
    """Segmenters of the package, in this process and those it starts."""
    monkeypatch.syspath_prepend(segmenters)
    monkeypatch.setenv("PYTHONPATH", str(segmenters))


@pytest.fixture
def archive(tmp_path) -> Path:
    folder = tmp_path / "archive"
    folder.mkdir()
    return folder


@pytest.fixture
def study(tmp_path) -> Study:
    return Study.create(tmp_path / "study")


@pytest.fixture
def make_dicom():
    return write_dicom
