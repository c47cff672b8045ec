"""Files that lie, are cut, or are something else: refused by name before memory is taken."""

from __future__ import annotations

import struct
import subprocess
import sys
import textwrap
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import uid

import usimg
from usimg.errors import FileRefused, PixelsRefused


def refused(path: Path, kind: type[usimg.UsimgError] = FileRefused) -> str:
    """Open and touch the first frame; the message of the refusal, which names the file."""
    with pytest.raises(kind) as caught:
        usimg.read(path).frames[0].gray  # noqa: B018
    assert path.name in str(caught.value)
    return str(caught.value)


def test_an_empty_file_is_refused(tmp_path):
    path = tmp_path / "empty.dcm"
    path.touch()
    assert "is empty" in refused(path)


def test_a_text_file_is_refused_with_what_can_be_read(tmp_path):
    path = tmp_path / "README.md"
    path.write_text("# Scans of visit 2\n" * 40)
    assert "neither DICOM nor" in refused(path)


def test_a_folder_is_refused_with_the_command_for_folders(tmp_path):
    assert "usimg extract" in refused(tmp_path)


def test_a_missing_file_is_refused(tmp_path):
    assert "no such file" in refused(tmp_path / "gone.dcm")


def test_a_file_cut_inside_its_header_is_refused(tmp_path, dicom, speckle, region):
    path = dicom(tmp_path / "cut.dcm", speckle, regions=(region((0, 0, 90, 120)),))
    whole = path.read_bytes()
    for length in (140, 300, 500):
        path.write_bytes(whole[:length])
        assert refused(path, usimg.UsimgError)


def test_a_file_cut_inside_its_pixels_is_refused_with_the_sizes(tmp_path, dicom, speckle):
    path = dicom(tmp_path / "cut.dcm", speckle)
    path.write_bytes(path.read_bytes()[:-100])
    assert "cut short" in refused(path)


@pytest.mark.parametrize(
    "syntax", [uid.JPEGBaseline8Bit, uid.JPEGLSLossless, uid.JPEG2000Lossless, uid.HTJ2K]
)
def test_a_cut_compressed_file_is_refused(tmp_path, dicom, speckle, syntax):
    path = dicom(tmp_path / "cut.dcm", speckle, syntax=syntax)
    path.write_bytes(path.read_bytes()[:-900])
    assert "cut" in refused(path, PixelsRefused)


@pytest.mark.parametrize(
    "syntax", [uid.JPEGBaseline8Bit, uid.JPEGLSLossless, uid.JPEG2000Lossless, uid.HTJ2K]
)
def test_a_stream_without_its_end_is_refused_before_it_is_decoded(tmp_path, dicom, encoded, speckle, syntax):
    stream = encoded(speckle, syntax)
    path = dicom(tmp_path / "cut.dcm", speckle, syntax=syntax, streams=[stream[: len(stream) // 2]])
    assert "its end marker is missing" in refused(path, PixelsRefused)


@pytest.mark.parametrize("syntax", [uid.JPEGBaseline8Bit, uid.JPEGLSLossless, uid.JPEG2000Lossless])
def test_a_stream_of_another_size_than_the_header_says_is_refused(tmp_path, dicom, encoded, speckle, syntax):
    stream = encoded(speckle[:40, :50].copy(), syntax)
    path = dicom(tmp_path / "small.dcm", speckle, syntax=syntax, streams=[stream])
    assert "is 40 x 50, yet the header says 96 x 128" in refused(path, PixelsRefused)


@pytest.mark.parametrize(
    "tags",
    [
        {"NumberOfFrames": 2_000_000_000},
        {"NumberOfFrames": -1},
        {"NumberOfFrames": 12},
        {"Rows": 65535, "Columns": 65535},
        {"Rows": 0},
        {"BitsAllocated": 64},
        {"SamplesPerPixel": 4},
        {"BitsStored": 12},
    ],
    ids=str,
)
@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.JPEGLSLossless], ids=lambda s: s.name)
def test_declared_sizes_are_checked_first(tmp_path, dicom, encoded, speckle, syntax, tags):
    streams = [encoded(speckle, uid.JPEGLSLossless)]
    path = dicom(tmp_path / "liar.dcm", speckle, syntax=syntax, streams=streams, **tags)
    assert refused(path, usimg.UsimgError)


def test_hostile_sizes_cost_no_memory(tmp_path, dicom, speckle):
    paths = [
        dicom(tmp_path / "frames.dcm", speckle, NumberOfFrames=2_000_000_000),
        dicom(tmp_path / "rows.dcm", speckle, Rows=65535, Columns=65535),
    ]
    bomb = tmp_path / "bomb.png"
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 1000)), (b"IEND", b"")]
    bomb.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
            for name, body in chunks
        )
    )
    code = textwrap.dedent(
        """
        import resource, sys, usimg
        import usimg.readers.stills, usimg.readers.dicom_pixels
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for path in sys.argv[1:]:
            try:
                usimg.read(path).frames[0].gray
            except usimg.UsimgError:
                continue
            raise SystemExit(f"{path} was opened")
        print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, paths), str(bomb)], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 30  # MB


def test_a_deflate_bomb_is_refused(tmp_path, dicom, speckle, monkeypatch):
    from usimg.readers import dicom as room

    monkeypatch.setattr(room, "_MAX_INFLATED", 10_000)
    path = dicom(tmp_path / "bomb.dcm", speckle, syntax=uid.DeflatedExplicitVRLittleEndian)
    assert "inflates to more than" in refused(path)


def test_a_report_without_pixels_is_refused(tmp_path, dicom, speckle):
    path = dicom(tmp_path / "report.dcm", speckle)
    path.write_bytes(path.read_bytes()[: -speckle.size - 12])
    assert "holds no picture" in refused(path)


def test_a_picture_of_another_modality_is_refused(tmp_path, dicom, speckle):
    assert "is of modality CT" in refused(dicom(tmp_path / "ct.dcm", speckle, Modality="CT"))


def test_a_missing_preamble_is_read_and_noted(tmp_path, dicom, speckle):
    for syntax in (uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian):
        path = dicom(tmp_path / "bare.dcm", speckle, syntax=syntax)
        path.write_bytes(path.read_bytes()[132:])
        scan = usimg.read(path)
        assert np.array_equal(scan.frames[0].gray, speckle)
        assert any("preamble" in note for note in scan.notes)


def test_a_bare_data_set_without_file_header_is_read_and_noted(tmp_path, speckle):
    from pydicom.dataset import Dataset

    ds = Dataset()
    ds.SOPClassUID, ds.Modality = "1.2.840.10008.5.1.4.1.1.6.1", "US"
    ds.Rows, ds.Columns, ds.SamplesPerPixel = *speckle.shape, 1
    ds.PhotometricInterpretation, ds.BitsAllocated, ds.BitsStored = "MONOCHROME2", 8, 8
    ds.HighBit, ds.PixelRepresentation, ds.PixelData = 7, 0, speckle.tobytes()
    path = tmp_path / "bare.dcm"
    ds.save_as(path, implicit_vr=True, little_endian=True)
    scan = usimg.read(path)
    assert np.array_equal(scan.frames[0].gray, speckle)
    assert any("preamble" in note for note in scan.notes)


def test_broken_values_in_other_tags_do_not_matter(tmp_path, dicom, speckle):
    path = dicom(tmp_path / "odd.dcm", speckle, StudyDate="20200101", FrameTime="33.3", PatientName="X")
    data = path.read_bytes().replace(b"20200101", b"not-date").replace(b"33.3", b"abcd")
    path.write_bytes(data)
    scan = usimg.read(path)
    assert np.array_equal(scan.frames[0].gray, speckle)
    assert scan.header.frame_time_ms is None


def test_an_rle_frame_longer_than_its_pixels_is_refused(tmp_path, dicom, speckle):
    path = dicom(tmp_path / "rle.dcm", speckle, syntax=uid.RLELossless, streams=[b"\0" * 60_000])
    assert "longer than its pixels" in refused(path, PixelsRefused)


SYNTAXES = [uid.ExplicitVRLittleEndian, uid.RLELossless, uid.JPEGBaseline8Bit, uid.JPEGLosslessSV1]


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), syntax=st.sampled_from(SYNTAXES))
def test_damaged_bytes_end_in_pixels_or_in_a_refusal(tmp_path, dicom, speckle, region, data, syntax):
    path = dicom(tmp_path / "damaged.dcm", speckle, syntax=syntax, regions=(region((0, 0, 90, 120)),))
    original = path.read_bytes()
    damaged = bytearray(original)
    for _ in range(data.draw(st.integers(1, 6))):
        damaged[data.draw(st.integers(132, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(damaged[: data.draw(st.integers(200, len(damaged)))]))
    try:
        frame = usimg.read(path).frames[0]
        outcome = frame.gray.shape == frame.shape
    except usimg.UsimgError as refusal:
        outcome = "damaged.dcm" in str(refusal)
    assert outcome


def test_a_volume_is_refused_with_a_word(tmp_path, dicom, speckle):
    path = dicom(tmp_path / "volume.dcm", speckle, SOPClassUID="1.2.840.113543.6.6.1.3.10002")
    assert "3D volume" in refused(path)
