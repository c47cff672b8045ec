"""Builders: DICOM files of every transfer syntax and colour model, written with pydicom and imagecodecs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels import get_encoder

US_IMAGE = "1.2.840.10008.5.1.4.1.1.6.1"


def region_item(
    box: tuple[int, int, int, int],
    delta_cm: tuple[float, float] = (0.01, 0.01),
    *,
    kind: int = 1,
    content: int = 1,
    units: tuple[int, int] = (3, 3),
) -> Dataset:
    """An item of the region table; ``box`` is (r0, c0, r1, c1) with r1, c1 inside, as DICOM has it."""
    item = Dataset()
    item.RegionSpatialFormat, item.RegionDataType, item.RegionFlags = kind, content, 0
    r0, c0, r1, c1 = box
    item.RegionLocationMinX0, item.RegionLocationMinY0 = c0, r0
    item.RegionLocationMaxX1, item.RegionLocationMaxY1 = c1, r1
    item.PhysicalUnitsYDirection, item.PhysicalUnitsXDirection = units
    item.PhysicalDeltaY, item.PhysicalDeltaX = delta_cm
    return item


def encode(frame: np.ndarray, syntax: uid.UID, photometric: str, bits: int) -> bytes:
    """One compressed frame of (rows, cols) or RGB (rows, cols, 3) pixels."""
    colour = {}
    if frame.ndim == 3:
        colour = {"colorspace": "RGB", "outcolorspace": "RGB" if photometric == "RGB" else "YCBCR"}
    if syntax in (uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit):
        if frame.ndim == 3:
            colour["subsampling"] = "422" if photometric == "YBR_FULL_422" else "444"
        return imagecodecs.jpeg8_encode(frame, 98, bitspersample=bits, **colour)
    if syntax in (uid.JPEGLossless, uid.JPEGLosslessSV1):
        predictor = 1 if syntax == uid.JPEGLosslessSV1 else 6
        return imagecodecs.jpeg8_encode(
            frame, lossless=True, predictor=predictor, bitspersample=bits, **colour
        )
    if syntax in (uid.JPEGLSLossless, uid.JPEGLSNearLossless):
        return imagecodecs.jpegls_encode(frame, 0 if syntax == uid.JPEGLSLossless else 2)
    if syntax in (uid.JPEG2000Lossless, uid.JPEG2000):
        lossless = syntax == uid.JPEG2000Lossless
        return imagecodecs.jpeg2k_encode(
            frame,
            level=0 if lossless else 50,
            codecformat="j2k",
            reversible=lossless,
            bitspersample=bits,
            mct=photometric in ("YBR_RCT", "YBR_ICT"),
        )
    if syntax in (uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K):
        return imagecodecs.htj2k_encode(frame, reversible=True, rgb=photometric == "YBR_RCT" or None)
    if syntax == uid.RLELossless:
        rows, cols = frame.shape[:2]
        return get_encoder(syntax).encode(
            frame.tobytes(),
            rows=rows,
            columns=cols,
            samples_per_pixel=1 if frame.ndim == 2 else 3,
            bits_allocated=frame.dtype.itemsize * 8,
            bits_stored=bits,
            photometric_interpretation=photometric,
            pixel_representation=0,
            number_of_frames=1,
            planar_configuration=0,
            encoding_plugin="pydicom",
        )
    raise AssertionError(f"no encoder for {syntax}")


def write_dicom(
    path: Path,
    frames: Any,
    *,
    syntax: uid.UID = uid.ExplicitVRLittleEndian,
    photometric: str | None = None,
    bits: int | None = None,
    regions: tuple[Dataset, ...] = (),
    streams: list[bytes] | None = None,
    fragments: int = 1,
    offset_table: bool = True,
    **tags: Any,
) -> Path:
    """Write an ultrasound file; ``frames`` is one array as stored or a list of them.

    ``streams`` replaces the encoded frames; any tag may be overridden by keyword.
    """
    frames = list(frames) if isinstance(frames, list) else [frames]
    first = np.asarray(frames[0])
    bits = bits or first.dtype.itemsize * 8
    photometric = photometric or ("MONOCHROME2" if first.ndim == 2 else "RGB")
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    ds.file_meta.MediaStorageSOPClassUID = US_IMAGE
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = "1.2.3.4"
    ds.SOPClassUID, ds.Modality, ds.PatientID = US_IMAGE, "US", "P1"
    ds.Rows, ds.Columns = first.shape[:2]
    ds.SamplesPerPixel = 1 if first.ndim == 2 else 3
    ds.PhotometricInterpretation = photometric
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = first.dtype.itemsize * 8, bits, bits - 1
    ds.PixelRepresentation = int(first.dtype.kind == "i")
    if ds.SamplesPerPixel == 3:
        ds.PlanarConfiguration = 0
    if len(frames) > 1:
        ds.NumberOfFrames = len(frames)
    if regions:
        ds.SequenceOfUltrasoundRegions = list(regions)
    pixel_data = tags.pop("PixelData", None)
    for keyword, value in tags.items():
        setattr(ds, keyword, value)
    if syntax.is_encapsulated:
        streams = streams or [encode(np.asarray(f), syntax, photometric, bits) for f in frames]
        ds.PixelData = encapsulate(streams, fragments_per_frame=fragments, has_bot=offset_table)
        ds["PixelData"].VR = "OB"
    else:
        order = "<" if syntax.is_little_endian else ">"
        raw = b"".join(np.asarray(f, np.asarray(f).dtype.newbyteorder(order)).tobytes() for f in frames)
        raw = raw if pixel_data is None else pixel_data
        ds.PixelData = raw + b"\0" * (len(raw) % 2)
        ds["PixelData"].VR = "OW" if ds.BitsAllocated > 8 else "OB"
    ds.save_as(path, enforce_file_format=True)
    return path


@pytest.fixture(scope="session")
def dicom() -> Callable[..., Path]:
    """``dicom(path, frames, syntax=..., photometric=..., regions=...)`` writes a file."""
    return write_dicom


@pytest.fixture(scope="session")
def encoded() -> Callable[..., bytes]:
    """``encoded(frame, syntax)`` is one compressed 8-bit frame."""

    def one(frame: np.ndarray, syntax: uid.UID) -> bytes:
        return encode(frame, syntax, "MONOCHROME2" if frame.ndim == 2 else "RGB", 8)

    return one


@pytest.fixture(scope="session")
def region() -> Callable[..., Dataset]:
    """``region((r0, c0, r1, c1), (row_cm, col_cm))`` makes an item of the region table."""
    return region_item


@pytest.fixture(scope="session")
def speckle() -> np.ndarray:
    """(96, 128) uint8: a smooth grey picture with noise, every level from 0 to 255."""
    rng = np.random.default_rng(5)
    y, x = np.mgrid[:96, :128]
    picture = 127 + 90 * np.sin(x / 17) * np.cos(y / 11) + rng.normal(0, 12, (96, 128))
    picture = np.clip(picture, 0, 255).astype(np.uint8)
    picture.flat[:256] = np.arange(256)
    return picture


@pytest.fixture(scope="session")
def colours(speckle: np.ndarray) -> np.ndarray:
    """(96, 128, 3) uint8 RGB: grey with a smooth coloured patch, as a Doppler picture is."""
    rgb = np.repeat(speckle[..., None], 3, axis=2)
    y, x = np.mgrid[:30, :40]
    rgb[40:70, 50:90] = np.stack([120 + 3 * y, 30 + 0 * y, 200 - 2 * x], axis=-1)
    return rgb
