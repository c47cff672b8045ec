"""A DICOM file to a Scan: the header now, one frame of pixels when it is touched."""

from __future__ import annotations

import os
import struct
import warnings
import zlib
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from pydicom import dcmread, uid
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_dataset, read_file_meta_info
from pydicom.tag import Tag

from usimg.errors import FileRefused, PixelsRefused
from usimg.readers.dicom_header import TAGS, header_of
from usimg.readers.regions import choose, read_regions
from usimg.readers.source import FileSource, check_size
from usimg.readers.syntaxes import known_syntax
from usimg.readers.tags import BAD_VALUE, integer, numbers, text, value
from usimg.scan import Calibration, Frame, Header, Scan

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydicom.dataset import Dataset

    from usimg.scan import Picture

NAME = "dicom"

# Modalities that are pictures of something else: their Pixel Spacing would be taken for ultrasound's.
_OTHER_MODALITIES = frozenset(
    {
        "CT",
        "MR",
        "PT",
        "NM",
        "CR",
        "DX",
        "MG",
        "RF",
        "XA",
        "RTIMAGE",
        "RTDOSE",
        "RTPLAN",
        "RTSTRUCT",
        "PX",
        "IO",
    }
    | {"SM", "OP", "OPT", "OCT", "BMD", "SEG", "SR", "PR", "KO", "ECG", "DOC", "REG"}
)
_DICOMDIR = "1.2.840.10008.1.3.10"
# Volumes: the standard's (PS3.3 A.59) and, as 3D Slicer's importers know it, Philips' private one. Their
# frames are slices, not pictures in time, and a slice's scale lies elsewhere.
_VOLUMES = {
    "1.2.840.10008.5.1.4.1.1.6.2": "an Enhanced US Volume",
    "1.2.840.113543.6.6.1.3.10002": "a private 3D volume of Philips",
}
_PIXEL_DATA = 0x7FE00010
_FLOAT_PIXELS = (0x7FE00008, 0x7FE00009)
_UNDEFINED = 0xFFFFFFFF
# A deflated data set is unpacked whole, in memory; deflate can grow a thousandfold.
_MAX_INFLATED = 512 * 1024 * 1024
_AGAIN = "copy or export it again"


def sniff(path: Path, head: bytes) -> bool:
    """Whether the file begins as DICOM does, with or without its preamble.

    ``head`` is the file's first 256 bytes.
    """
    if head[128:132] == b"DICM":
        return True
    if len(head) < 8:
        return False
    # Without a preamble the first element is of group 2 or 8, and its element number small.
    for order in "<>":
        group, element = struct.unpack(f"{order}HH", head[:4])
        if group in (2, 8) and element <= 0x0018:
            length = struct.unpack(f"{order}L", head[4:8])[0]
            explicit_vr = head[4:6].isalpha() and head[4:6].isupper()
            return explicit_vr or length < 256
    return False


def open_scan(
    path: Path, *, spacing_mm: tuple[float, float] | None, describe: Callable[[Frame], Picture]
) -> Scan:
    """Read the header of a DICOM file; pixels wait until a frame is touched.

    Raises
    ------
    FileRefused
        No ultrasound picture, a header that contradicts the file's size, or a cut file.
    PixelsRefused
        A transfer syntax that nothing here decodes (decided before a frame is touched).
    """
    with warnings.catch_warnings():
        # pydicom warns about values that break their own rules; what matters of that is in Scan.notes
        warnings.simplefilter("ignore")
        layout, header, notes = _read(path)
        shape = (layout.rows, layout.cols)
        regions, region_notes = read_regions(layout.ds, shape)
        calibration, reason, scale_notes = choose(layout.ds, regions, shape)
    notes += [*region_notes, *scale_notes]
    if layout.frames > 1 and header.frame_time_ms is None and not header.frame_times_ms:
        notes.append("the file does not say when its frames were taken")
    if spacing_mm is not None:
        given = Calibration(*spacing_mm, "given", detail="given by the caller")
        if calibration is not None and not _agree(given, calibration):
            notes.append(
                f"the spacing given, {given.row_mm:.4g} x {given.col_mm:.4g} mm, replaces the file's"
                f" {calibration.row_mm:.4g} x {calibration.col_mm:.4g} mm"
            )
        calibration, reason = given, ""
    # imported here, with numpy and imagecodecs, only once a header was read
    from usimg.readers.dicom_pixels import DicomDecoder  # noqa: PLC0415

    source = FileSource(path, DicomDecoder(path, layout))
    frames = tuple(
        Frame(path.name, i, shape, source, describe, regions, calibration, reason, header.image_type)
        for i in range(layout.frames)
    )
    return Scan(path.name, header, frames, source, tuple(notes))


@dataclass(slots=True)
class Layout:
    """Where a file's pixel data lies and how it is stored, as checked against the file's size."""

    ds: Dataset
    syntax: uid.UID
    rows: int
    cols: int
    frames: int
    samples: int
    bits_allocated: int
    bits_stored: int
    signed: bool
    planar: int
    photometric: str
    start: int
    end: int
    pixel_vr: str
    inflated: bytes | None = field(default=None, repr=False)

    @property
    def frame_bytes(self) -> int:
        """Bytes of one uncompressed frame; 4:2:2 data hold two samples a pixel."""
        samples = 2 if self.photometric in ("YBR_FULL_422", "YBR_PARTIAL_422") else self.samples
        return self.rows * self.cols * samples * self.bits_allocated // 8

    def open(self, path: Path) -> BinaryIO:
        """The file, or its inflated copy, whose offsets are meant."""
        return BytesIO(self.inflated) if self.inflated is not None else path.open("rb")


def _read(path: Path) -> tuple[Layout, Header, list[str]]:
    name = path.name
    notes: list[str] = []
    with path.open("rb") as file:
        preamble = file.read(132)[128:] == b"DICM"
        size = os.fstat(file.fileno()).st_size
        file.seek(0)
        inflated = None
        try:
            meta = read_file_meta_info(path) if preamble else None
            if meta is not None and value(meta, "TransferSyntaxUID") == uid.DeflatedExplicitVRLittleEndian:
                inflated = _inflate(file, name, integer(meta, "FileMetaInformationGroupLength"))
                size = len(inflated)
                stream: BinaryIO = BytesIO(inflated)
                ds: Any = read_dataset(
                    stream,
                    False,
                    True,
                    stop_when=_until_pixels(),
                    specific_tags=[Tag(keyword) for keyword in TAGS],
                )
                syntax = uid.DeflatedExplicitVRLittleEndian
            else:
                stream = file
                ds = dcmread(file, stop_before_pixels=True, force=not preamble, specific_tags=list(TAGS))
                syntax = _syntax(ds, name)
        except InvalidDicomError:
            raise FileRefused(f"{name}: is no DICOM file; {_AGAIN}") from None
        except (*BAD_VALUE, MemoryError) as error:
            raise FileRefused(f"{name}: its header cannot be read ({_said(error)}); {_AGAIN}") from None
        if not preamble:
            notes.append("no DICOM preamble: read as a bare data set")
        _check_is_ultrasound(ds, name, notes)
        layout = _layout(ds, syntax, stream, size, name, notes)
        layout.inflated = inflated
    return layout, header_of(ds, syntax, layout.photometric, layout.bits_stored), notes


def _layout(ds: Any, syntax: uid.UID, stream: BinaryIO, size: int, name: str, notes: list[str]) -> Layout:
    start, length, pixel_vr = _pixel_element(stream, syntax, name)
    rows, cols = integer(ds, "Rows") or 0, integer(ds, "Columns") or 0
    frames = integer(ds, "NumberOfFrames")
    check_size(name, rows, cols, 1 if frames in (None, 0) else frames or 1)
    if frames == 0:
        notes.append("Number of Frames is 0; read as one frame")
    samples = integer(ds, "SamplesPerPixel") or 1
    allocated = integer(ds, "BitsAllocated") or 8
    stored = integer(ds, "BitsStored") or allocated
    if samples not in (1, 3) or allocated not in (8, 16, 32) or not 1 <= stored <= allocated:
        raise PixelsRefused(
            f"{name}: {samples} samples of {stored} bits in {allocated} are no ultrasound picture known here;"
            " export it as 8-bit grey or RGB"
        )
    layout = Layout(
        ds=ds,
        syntax=syntax,
        rows=rows,
        cols=cols,
        frames=frames or 1,
        samples=samples,
        bits_allocated=allocated,
        bits_stored=stored,
        signed=integer(ds, "PixelRepresentation") == 1,
        planar=integer(ds, "PlanarConfiguration") or 0,
        photometric=(text(ds, "PhotometricInterpretation") or "").upper(),
        start=start,
        end=size,
        pixel_vr=pixel_vr,
    )
    if length == _UNDEFINED:
        if not syntax.is_encapsulated:
            raise FileRefused(f"{name}: compressed pixels under an uncompressed transfer syntax; {_AGAIN}")
        # each frame needs at least one item of 8 bytes and a stream
        if layout.frames > (size - start) // 8:
            raise FileRefused(
                f"{name}: states {layout.frames} frames, yet only {size - start} bytes follow; {_AGAIN}"
            )
    else:
        _check_native(layout, length, size, name, notes)
    _note_rescale(ds, notes)
    return layout


def _check_native(layout: Layout, length: int, size: int, name: str, notes: list[str]) -> None:
    if layout.syntax.is_encapsulated:
        raise FileRefused(
            f"{name}: says {layout.syntax.name}, yet its pixels are not in compressed frames; {_AGAIN}"
        )
    full = layout.rows * layout.cols * 3 * layout.bits_allocated // 8 * layout.frames
    if layout.photometric == "YBR_FULL_422" and full <= length <= full + 1:
        # some write three bytes a pixel under this label, which allows two
        layout.photometric = "YBR_FULL"
        notes.append("labelled YBR_FULL_422, stored as YBR_FULL")
    needed = layout.frame_bytes * layout.frames
    there = min(length, size - layout.start)
    if needed > there:
        frames = "its picture needs" if layout.frames == 1 else f"its {layout.frames} frames need"
        raise FileRefused(f"{name}: {frames} {needed:,} bytes, the file holds {there:,}; cut short? {_AGAIN}")


def _pixel_element(stream: BinaryIO, syntax: uid.UID, name: str) -> tuple[int, int, str]:
    """Offset of the pixel data's first byte, its stated length, and VR."""
    order = "<" if syntax.is_little_endian else ">"
    head = stream.read(12)
    if len(head) < 8:
        raise FileRefused(f"{name}: holds no picture (no pixel data); cut short, or a report or index")
    group, element = struct.unpack(f"{order}HH", head[:4])
    tag = group << 16 | element
    if tag in _FLOAT_PIXELS:
        raise PixelsRefused(
            f"{name}: floating-point pixels are no ultrasound picture; export it as 8-bit grey"
        )
    if tag != _PIXEL_DATA:
        raise FileRefused(f"{name}: holds no picture (no pixel data)")
    if syntax.is_implicit_VR:
        stream.seek(-4 if len(head) == 12 else 0, os.SEEK_CUR)
        return stream.tell(), struct.unpack(f"{order}L", head[4:8])[0], "OW"
    if len(head) < 12:
        raise FileRefused(f"{name}: ends where its pixels should begin; {_AGAIN}")
    vr = head[4:6].decode("latin-1")
    return stream.tell(), struct.unpack(f"{order}L", head[8:12])[0], vr


def _inflate(file: BinaryIO, name: str, meta_length: int | None) -> bytes:
    if meta_length is None:
        raise FileRefused(f"{name}: deflated, without the length of its file header; {_AGAIN}")
    file.seek(132 + 12 + meta_length)  # preamble, then the length element itself (PS3.10 7.1)
    unpack = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        data = unpack.decompress(file.read(), _MAX_INFLATED)
    except zlib.error as error:
        raise FileRefused(f"{name}: its deflated data set is damaged ({error}); {_AGAIN}") from None
    if unpack.unconsumed_tail:
        raise FileRefused(
            f"{name}: inflates to more than {_MAX_INFLATED // 2**20} MB; export it without deflate"
        )
    return data


def _syntax(ds: Any, name: str) -> uid.UID:
    stated = value(getattr(ds, "file_meta", None) or {}, "TransferSyntaxUID")
    if stated is not None:
        return known_syntax(str(stated), name)
    implicit, little = ds.original_encoding
    if implicit:
        return uid.ImplicitVRLittleEndian
    return uid.ExplicitVRLittleEndian if little else uid.ExplicitVRBigEndian


def _check_is_ultrasound(ds: Any, name: str, notes: list[str]) -> None:
    meta_class = value(getattr(ds, "file_meta", None) or {}, "MediaStorageSOPClassUID")
    if meta_class == _DICOMDIR:
        raise FileRefused(f"{name}: is the index of a DICOM folder, not a picture; open the folder")
    volume = _VOLUMES.get(str(value(ds, "SOPClassUID"))) or _VOLUMES.get(str(meta_class))
    if volume is not None:
        raise FileRefused(f"{name}: is {volume}, not a picture; export single planes of it as pictures")
    modality = text(ds, "Modality")
    if modality in _OTHER_MODALITIES:
        raise FileRefused(f"{name}: is of modality {modality}, not ultrasound; leave it out")
    if modality is None:
        notes.append("no Modality: taken for ultrasound")
    elif modality not in ("US", "IVUS"):
        notes.append(f"Modality {modality}: taken for ultrasound")


def _note_rescale(ds: Any, notes: list[str]) -> None:
    slope, intercept = numbers(ds, "RescaleSlope"), numbers(ds, "RescaleIntercept")
    if (slope or [1.0])[0] != 1.0 or (intercept or [0.0])[0] != 0.0:
        notes.append("Rescale Slope and Intercept are not applied: grey is as stored")


def _agree(one: Calibration, other: Calibration) -> bool:
    return all(abs(a / b - 1) <= 0.01 for a, b in zip(one.spacing, other.spacing, strict=True))


def _until_pixels() -> Callable[[Any, str | None, int], bool]:
    """Stops pydicom at the pixel data, and where tags do not rise: blank data would be read for ever."""
    last = -1

    def stop(tag: Any, _vr: str | None, _length: int) -> bool:
        nonlocal last
        if tag <= last:
            raise ValueError("its tags are out of order")
        last = tag
        return tag in (_PIXEL_DATA, *_FLOAT_PIXELS)

    return stop


def _said(error: BaseException) -> str:
    first = str(error).strip().splitlines()
    return first[0][:120] if first else type(error).__name__
