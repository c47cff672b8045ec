"""Writing pictures as the DICOM files that scanners write.

Each encoding is one that a maker is known for (reference sections 3 and 5): palette with RLE,
YBR_FULL_422 with JPEG, grey with JPEG Lossless, JPEG-LS or JPEG 2000, plain and deflated. UIDs are
hashes under the root 2.25 (PS3.5 B.2), dates are constant, so a file is the same wherever it is made.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels.encoders.base import RLELosslessEncoder
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

ByteImage = NDArray[np.uint8]

US_IMAGE = UID("1.2.840.10008.5.1.4.1.1.6.1")
US_MULTI_FRAME = UID("1.2.840.10008.5.1.4.1.1.3.1")
MANUFACTURER = "usimg simulated"
_CM = 3  # code of Physical Units, PS3.3 C.8.5.5.1.15
FIXED_DATE, FIXED_TIME = "20260101", "120000"
# A palette keeps its last places for the colours of marks; the greys end below them.
PALETTE_GREYS = 248


@dataclass(frozen=True, slots=True)
class PixelRegion:
    """One item of the Sequence of Ultrasound Regions: a rectangle and the size of its pixels.

    ``box`` is (r0, c0, r1, c1), half-open; ``spacing`` (row_mm, col_mm). A region that is no 2D tissue
    says its codes of PS3.3 C.8.5.5.1: ``spatial_format``, ``data_type`` and ``units`` (y, x); a direction
    whose unit is not 3 (cm) has its spacing in that unit.
    """

    box: tuple[int, int, int, int]
    spacing: tuple[float, float]
    spatial_format: int = 1
    data_type: int = 1
    units: tuple[int, int] = (_CM, _CM)


@dataclass(frozen=True, slots=True)
class Tags:
    """What the header says beside pixels; nothing of it names a person."""

    subject: str
    protocol: str
    model: str
    frequency_khz: int = 10000
    frame_time_ms: float = 40.0
    number: int = 1
    image_type: tuple[str, ...] = ("ORIGINAL", "PRIMARY", "MUSCULOSKELETAL", "0001")


@dataclass(frozen=True, slots=True)
class Encoding:
    """A way to store pixels: takes frames (n, rows, cols, 3) and fills the pixel module.

    Attributes
    ----------
    name : str
    coloured : bool
        Whether marks keep their colour.
    lossless : bool
    store : callable
        (data set, frames) -> None.
    """

    name: str
    coloured: bool
    lossless: bool
    store: Callable[[Dataset, ByteImage], None]


def uid(what: str) -> UID:
    """A UID that depends on ``what`` alone."""
    digest = hashlib.sha256(f"usimg simulated {what}".encode()).digest()
    return UID(f"2.25.{int.from_bytes(digest[:16], 'big')}")


def write_dicom(
    path: Path, frames: ByteImage, encoding: Encoding, tags: Tags, regions: Sequence[PixelRegion] = ()
) -> None:
    """Write one file.

    Parameters
    ----------
    path : Path
    frames : (n, rows, cols, 3) uint8 array
        More than one makes a cine.
    encoding : Encoding
        One of `ENCODINGS`.
    tags : Tags
    regions : sequence of PixelRegion
        None: a file without a scale.
    """
    number, rows, cols, _ = frames.shape
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = US_MULTI_FRAME if number > 1 else US_IMAGE
    meta.MediaStorageSOPInstanceUID = uid(f"instance {path.name}")
    meta.ImplementationClassUID = uid("implementation")
    meta.ImplementationVersionName = "USIMG_SIMULATED"
    dataset = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.ImageType = list(tags.image_type)
    dataset.SOPClassUID = meta.MediaStorageSOPClassUID
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    dataset.StudyDate = dataset.SeriesDate = dataset.ContentDate = FIXED_DATE
    dataset.StudyTime = dataset.SeriesTime = dataset.ContentTime = FIXED_TIME
    dataset.AccessionNumber = ""
    dataset.Modality = "US"
    dataset.Manufacturer = MANUFACTURER
    dataset.ManufacturerModelName = tags.model
    dataset.SoftwareVersions = "1"
    dataset.ReferringPhysicianName = ""
    dataset.PatientName = "PHANTOM"
    dataset.PatientID = tags.subject
    dataset.PatientBirthDate = ""
    dataset.PatientSex = ""
    dataset.StudyInstanceUID = uid(f"study {tags.subject}")
    dataset.SeriesInstanceUID = uid(f"series {tags.subject}")
    dataset.StudyID = "1"
    dataset.SeriesNumber = 1
    dataset.InstanceNumber = tags.number
    dataset.PatientOrientation = ""
    dataset.ProtocolName = tags.protocol
    dataset.BurnedInAnnotation = "NO"
    if regions:
        dataset.SequenceOfUltrasoundRegions = [_region(r, tags.frequency_khz) for r in regions]
    if number > 1:
        dataset.NumberOfFrames = number
        dataset.FrameTime = tags.frame_time_ms
        dataset.FrameIncrementPointer = 0x00181063
    dataset.Rows, dataset.Columns = rows, cols
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit = 7
    dataset.PixelRepresentation = 0
    dataset.LossyImageCompression = "00"
    encoding.store(dataset, frames)
    dataset.save_as(path, enforce_file_format=True)


def _region(region: PixelRegion, frequency_khz: int) -> Dataset:
    r0, c0, r1, c1 = region.box
    item = Dataset()
    item.RegionSpatialFormat = region.spatial_format
    item.RegionDataType = region.data_type
    item.RegionFlags = 0
    item.RegionLocationMinX0, item.RegionLocationMinY0 = c0, r0
    item.RegionLocationMaxX1, item.RegionLocationMaxY1 = c1 - 1, r1 - 1
    item.PhysicalUnitsYDirection, item.PhysicalUnitsXDirection = region.units
    item.ReferencePixelX0 = (c1 - c0) // 2
    item.ReferencePixelY0 = 0
    item.ReferencePixelPhysicalValueX = item.ReferencePixelPhysicalValueY = 0.0
    item.PhysicalDeltaY, item.PhysicalDeltaX = (
        size / 10.0 if unit == _CM else size for size, unit in zip(region.spacing, region.units, strict=True)
    )
    item.TransducerFrequency = frequency_khz
    return item


def _grey(frames: ByteImage) -> ByteImage:
    return np.ascontiguousarray(frames[..., 0])


def _set_grey(dataset: Dataset, syntax: UID) -> None:
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"


def _set_colour(dataset: Dataset, syntax: UID, photometric: str, planar: int) -> None:
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.SamplesPerPixel = 3
    dataset.PhotometricInterpretation = photometric
    dataset.PlanarConfiguration = planar


def _set_streams(dataset: Dataset, streams: Sequence[bytes | bytearray]) -> None:
    dataset.PixelData = encapsulate([bytes(s) for s in streams])
    dataset["PixelData"].is_undefined_length = True
    dataset["PixelData"].VR = "OB"


def _set_native(dataset: Dataset, stored: bytes) -> None:
    dataset.PixelData = stored + b"\0" * (len(stored) % 2)
    dataset["PixelData"].VR = "OB"


def _store_native(dataset: Dataset, frames: ByteImage) -> None:
    _set_grey(dataset, ExplicitVRLittleEndian)
    _set_native(dataset, _grey(frames).tobytes())


def _store_deflated(dataset: Dataset, frames: ByteImage) -> None:
    _set_grey(dataset, DeflatedExplicitVRLittleEndian)
    _set_native(dataset, _grey(frames).tobytes())


def _store_jpeg_ls(dataset: Dataset, frames: ByteImage) -> None:
    _set_grey(dataset, JPEGLSLossless)
    _set_streams(dataset, [imagecodecs.jpegls_encode(f) for f in _grey(frames)])


def _store_jpeg_2000(dataset: Dataset, frames: ByteImage) -> None:
    _set_grey(dataset, JPEG2000Lossless)
    _set_streams(
        dataset,
        [imagecodecs.jpeg2k_encode(f, level=0, reversible=True, codecformat="j2k") for f in _grey(frames)],
    )


def _store_jpeg_lossless(dataset: Dataset, frames: ByteImage) -> None:
    _set_grey(dataset, JPEGLosslessSV1)
    _set_streams(dataset, [imagecodecs.jpeg8_encode(f, lossless=True, predictor=1) for f in _grey(frames)])


def _store_jpeg_baseline(dataset: Dataset, frames: ByteImage) -> None:
    _set_colour(dataset, JPEGBaseline8Bit, "YBR_FULL_422", 0)
    streams = [
        imagecodecs.jpeg8_encode(f, level=93, colorspace="RGB", outcolorspace="YCBCR", subsampling="422")
        for f in frames
    ]
    _set_streams(dataset, streams)
    dataset.LossyImageCompression = "01"
    dataset.LossyImageCompressionRatio = round(frames.nbytes / sum(map(len, streams)), 2)
    dataset.LossyImageCompressionMethod = "ISO_10918_1"


def _store_ybr_native(dataset: Dataset, frames: ByteImage) -> None:
    """Two pixels share a Cb and a Cr: Y Y Cb Cr (PS3.3 C.7.6.3.1.2), as one maker of nerve scanners does."""
    _set_colour(dataset, ExplicitVRLittleEndian, "YBR_FULL_422", 0)
    luma, blue, red = _ybr(frames)
    paired = np.empty((*luma.shape[:2], luma.shape[2] // 2, 4), np.uint8)
    paired[..., 0], paired[..., 1] = luma[..., 0::2], luma[..., 1::2]
    paired[..., 2], paired[..., 3] = blue[..., 0::2], red[..., 0::2]
    _set_native(dataset, paired.tobytes())


def _store_ybr_rle(dataset: Dataset, frames: ByteImage) -> None:
    _set_colour(dataset, RLELossless, "YBR_FULL", 1)
    streams = [_rle(np.stack(_ybr(f[None]), axis=-1)[0]) for f in frames]
    _set_streams(dataset, streams)


def _store_palette(dataset: Dataset, frames: ByteImage) -> None:
    """Indices run against the greys, so that an index taken for a grey level shows a negative."""
    _set_grey(dataset, RLELossless)
    dataset.PhotometricInterpretation = "PALETTE COLOR"
    flat = frames.reshape(-1, 3)
    coloured = np.unique(flat[np.ptp(flat, axis=1) > 0], axis=0)
    table = np.zeros((256, 3), np.uint8)
    table[:PALETTE_GREYS] = np.arange(PALETTE_GREYS, dtype=np.uint8)[::-1, None]
    table[PALETTE_GREYS : PALETTE_GREYS + len(coloured)] = coloured
    index = (PALETTE_GREYS - 1 - np.minimum(frames[..., 0], PALETTE_GREYS - 1)).astype(np.uint8)
    for k, colour in enumerate(coloured):
        index[(frames == colour).all(axis=-1)] = PALETTE_GREYS + k
    for channel, name in enumerate(("Red", "Green", "Blue")):
        setattr(dataset, f"{name}PaletteColorLookupTableDescriptor", [256, 0, 16])
        words = (table[:, channel].astype("<u2") << 8).astype("<u2")
        setattr(dataset, f"{name}PaletteColorLookupTableData", words.tobytes())
    _set_streams(dataset, [_rle(f) for f in index])


def _rle(frame: ByteImage) -> bytes:
    """One frame, (rows, cols) or (rows, cols, 3), as an RLE stream (PS3.5 annex G)."""
    rows, cols = frame.shape[:2]
    samples = 1 if frame.ndim == 2 else frame.shape[2]
    return RLELosslessEncoder.encode(
        np.ascontiguousarray(frame),
        encoding_plugin="pydicom",
        rows=rows,
        columns=cols,
        samples_per_pixel=samples,
        number_of_frames=1,
        bits_allocated=8,
        bits_stored=8,
        pixel_representation=0,
        photometric_interpretation="MONOCHROME2" if samples == 1 else "YBR_FULL",
        planar_configuration=0,
    )


def _ybr(frames: ByteImage) -> tuple[ByteImage, ByteImage, ByteImage]:
    """RGB to Y, Cb, Cr of YBR_FULL (PS3.3 C.7.6.3.1.2), each (n, rows, cols)."""
    red, green, blue = (frames[..., k].astype(np.float64) for k in range(3))
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    cb = -0.168736 * red - 0.331264 * green + 0.5 * blue + 128.0
    cr = 0.5 * red - 0.418688 * green - 0.081312 * blue + 128.0
    y, b, r = (np.clip(np.rint(c), 0, 255).astype(np.uint8) for c in (luma, cb, cr))
    return y, b, r


ENCODINGS = {
    e.name: e
    for e in (
        Encoding("palette_rle", True, True, _store_palette),
        Encoding("ybr_jpeg", True, False, _store_jpeg_baseline),
        Encoding("grey_jpegls", False, True, _store_jpeg_ls),
        Encoding("grey_jpeg_lossless", False, True, _store_jpeg_lossless),
        Encoding("grey_jpeg2000", False, True, _store_jpeg_2000),
        Encoding("grey_native", False, True, _store_native),
        Encoding("grey_deflated", False, True, _store_deflated),
        Encoding("ybr_422_native", True, True, _store_ybr_native),
        Encoding("ybr_rle", True, True, _store_ybr_rle),
    )
}
