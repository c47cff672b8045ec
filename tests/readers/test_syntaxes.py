"""Every transfer syntax with every colour model it is met with: the grey that went in comes out."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom import uid

import usimg
from usimg.errors import PixelsRefused
from usimg.readers.grey import luma

LOSSLESS_GREY = [
    uid.ImplicitVRLittleEndian,
    uid.ExplicitVRLittleEndian,
    uid.ExplicitVRBigEndian,
    uid.DeflatedExplicitVRLittleEndian,
    uid.RLELossless,
    uid.JPEGLossless,
    uid.JPEGLosslessSV1,
    uid.JPEGLSLossless,
    uid.JPEG2000Lossless,
    uid.HTJ2KLossless,
    uid.HTJ2KLosslessRPCL,
    uid.HTJ2K,
]
# How far lossy coding at the builder's quality may move a level on average.
LOSSY_GREY = [(uid.JPEGBaseline8Bit, 1.5), (uid.JPEGLSNearLossless, 2.0), (uid.JPEG2000, 1.5)]
NATIVE = LOSSLESS_GREY[:4]


@pytest.mark.parametrize("syntax", LOSSLESS_GREY, ids=lambda s: s.name)
def test_grey_comes_back_exactly_from_every_lossless_syntax(tmp_path, dicom, speckle, syntax):
    frame = usimg.read(dicom(tmp_path / "a.dcm", speckle, syntax=syntax)).frames[0]
    assert np.array_equal(frame.gray, speckle)
    assert frame.pixels.rgb is None
    assert frame.pixels.grey_rule == "MONOCHROME2"


@pytest.mark.parametrize(("syntax", "tolerance"), LOSSY_GREY, ids=lambda v: getattr(v, "name", ""))
def test_grey_comes_back_nearly_from_every_lossy_syntax(tmp_path, dicom, speckle, syntax, tolerance):
    frame = usimg.read(dicom(tmp_path / "a.dcm", speckle, syntax=syntax)).frames[0]
    assert np.abs(frame.gray.astype(int) - speckle).mean() < tolerance


@pytest.mark.parametrize("syntax", LOSSLESS_GREY, ids=lambda s: s.name)
def test_rgb_becomes_bt601_luma_in_every_lossless_syntax(tmp_path, dicom, colours, syntax):
    frame = usimg.read(dicom(tmp_path / "a.dcm", colours, syntax=syntax)).frames[0]
    assert np.array_equal(frame.pixels.rgb, colours)
    exact = colours @ np.array([0.299, 0.587, 0.114])
    assert np.abs(frame.gray - exact).max() <= 0.5 + 1e-9


@pytest.mark.parametrize("photometric", ["YBR_FULL", "YBR_FULL_422"])
@pytest.mark.parametrize("syntax", [uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit], ids=lambda s: s.name)
def test_grey_of_colour_jpeg_is_its_stored_luminance(tmp_path, dicom, colours, syntax, photometric):
    path = dicom(tmp_path / "a.dcm", colours, syntax=syntax, photometric=photometric)
    frame = usimg.read(path).frames[0]
    assert frame.pixels.grey_rule == f"Y of {photometric}"
    assert np.abs(frame.gray.astype(int) - luma(colours)).mean() < 1.5
    assert np.abs(frame.pixels.rgb.astype(int) - colours).mean() < 3


def test_rgb_jpeg_is_not_taken_for_ybr(tmp_path, dicom, colours):
    frame = usimg.read(dicom(tmp_path / "a.dcm", colours, syntax=uid.JPEGBaseline8Bit)).frames[0]
    assert frame.pixels.grey_rule == "BT.601 luma of RGB"
    assert np.abs(frame.pixels.rgb.astype(int) - colours).mean() < 3


@pytest.mark.parametrize(
    ("syntax", "photometric"),
    [
        (uid.JPEG2000Lossless, "YBR_RCT"),
        (uid.JPEG2000, "YBR_ICT"),
        (uid.HTJ2KLossless, "YBR_RCT"),
    ],
)
def test_jpeg_2000_transforms_are_undone_once(tmp_path, dicom, colours, syntax, photometric):
    frame = usimg.read(dicom(tmp_path / "a.dcm", colours, syntax=syntax, photometric=photometric)).frames[0]
    assert frame.pixels.grey_rule == f"BT.601 luma of {photometric}"
    assert np.abs(frame.pixels.rgb.astype(int) - colours).mean() < 1.5


@pytest.mark.parametrize("syntax", [*NATIVE, uid.RLELossless, uid.JPEGLSLossless], ids=lambda s: s.name)
def test_full_ybr_gives_its_first_component(tmp_path, dicom, colours, syntax):
    ybr = rgb_to_ybr(colours)
    frame = usimg.read(dicom(tmp_path / "a.dcm", ybr, syntax=syntax, photometric="YBR_FULL")).frames[0]
    assert np.array_equal(frame.gray, ybr[..., 0])
    assert np.abs(frame.pixels.rgb.astype(int) - colours).max() <= 3


@pytest.mark.parametrize(
    "syntax", [uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian], ids=lambda s: s.name
)
def test_uncompressed_422_has_two_bytes_a_pixel_and_its_luminance_untouched(tmp_path, dicom, colours, syntax):
    ybr = rgb_to_ybr(colours)
    packed = np.stack([ybr[:, ::2, 0], ybr[:, 1::2, 0], ybr[:, ::2, 1], ybr[:, ::2, 2]], axis=-1).tobytes()
    assert len(packed) == 2 * ybr[..., 0].size
    path = dicom(tmp_path / "a.dcm", ybr, syntax=syntax, photometric="YBR_FULL_422", PixelData=packed)
    frame = usimg.read(path).frames[0]
    assert np.array_equal(frame.gray, ybr[..., 0])
    assert frame.pixels.grey_rule == "Y of YBR_FULL_422"


def test_a_422_label_on_three_bytes_a_pixel_is_read_as_full_and_noted(tmp_path, dicom, colours):
    ybr = rgb_to_ybr(colours)
    scan = usimg.read(dicom(tmp_path / "a.dcm", ybr, photometric="YBR_FULL_422"))
    assert np.array_equal(scan.frames[0].gray, ybr[..., 0])
    assert "labelled YBR_FULL_422, stored as YBR_FULL" in scan.notes


def test_planes_one_after_the_other_come_out_as_pixels(tmp_path, dicom, colours):
    planes = np.ascontiguousarray(colours.transpose(2, 0, 1)).tobytes()
    path = dicom(tmp_path / "a.dcm", colours, PixelData=planes, PlanarConfiguration=1)
    assert np.array_equal(usimg.read(path).frames[0].pixels.rgb, colours)


@pytest.mark.parametrize(
    "syntax", [uid.JPEGExtended12Bit, uid.JPEGLosslessSV1, uid.JPEGLSLossless, *NATIVE[:3]]
)
def test_twelve_bits_are_scaled_over_their_whole_range(tmp_path, dicom, speckle, syntax):
    twelve = speckle.astype(np.uint16) * 16 + 7
    path = dicom(tmp_path / "a.dcm", twelve, syntax=syntax, bits=12)
    frame = usimg.read(path).frames[0]
    expected = np.floor(twelve.astype(float) * 255 / 4095 + 0.5)
    off = np.abs(frame.gray - expected)
    assert off.max() <= (2 if syntax == uid.JPEGExtended12Bit else 0)
    assert frame.pixels.grey_rule == "MONOCHROME2, 12 bits linear to 0..255"


@pytest.mark.parametrize(
    "syntax", [uid.JPEGBaseline8Bit, uid.JPEGLossless, uid.JPEG2000Lossless, uid.RLELossless]
)
@pytest.mark.parametrize("table", [True, False], ids=["offset table", "empty table"])
def test_any_frame_of_a_compressed_clip_is_found(tmp_path, dicom, speckle, syntax, table):
    frames = [np.roll(speckle, 9 * i, axis=1) for i in range(5)]
    clip = usimg.read(dicom(tmp_path / "a.dcm", frames, syntax=syntax, offset_table=table))
    assert len(clip.frames) == 5
    for i in (3, 0, 4):
        assert np.abs(clip.frames[i].gray.astype(int) - frames[i]).mean() < 1.5


@pytest.mark.parametrize("table", [True, False], ids=["offset table", "empty table"])
def test_frames_split_into_fragments_are_joined(tmp_path, dicom, speckle, table):
    frames = [np.roll(speckle, 9 * i, axis=1) for i in range(4)]
    path = dicom(tmp_path / "a.dcm", frames, syntax=uid.JPEGLosslessSV1, offset_table=table, fragments=3)
    clip = usimg.read(path)
    assert all(np.array_equal(clip.frames[i].gray, frames[i]) for i in (2, 0, 3, 1))


def test_the_decoder_is_named_with_its_version(tmp_path, dicom, speckle):
    import imagecodecs
    import pydicom

    named = {
        uid.JPEGLosslessSV1: f"imagecodecs {imagecodecs.__version__} jpeg8_decode",
        uid.HTJ2K: f"imagecodecs {imagecodecs.__version__} jpeg2k_decode",
        uid.RLELossless: f"pydicom {pydicom.__version__} RLE",
        uid.ExplicitVRLittleEndian: f"pydicom {pydicom.__version__} native",
    }
    for syntax, name in named.items():
        assert usimg.read(dicom(tmp_path / "a.dcm", speckle, syntax=syntax)).frames[0].pixels.decoder == name


def test_the_decoder_does_not_depend_on_what_else_is_installed(tmp_path, dicom, speckle):
    from usimg.readers import decode

    path = dicom(tmp_path / "a.dcm", speckle, syntax=uid.JPEG2000Lossless)
    usimg.read(path).frames[0].pixels  # noqa: B018
    others = [
        name for name in decode._decoder(uid.JPEG2000Lossless).available_plugins if name != decode.PLUGIN
    ]
    assert others, "pydicom would have had a choice (Pillow)"


@pytest.mark.parametrize("syntax", [uid.MPEG4HP41, uid.HEVCMP51, uid.MPEG2MPML], ids=lambda s: s.name)
def test_video_is_refused_with_its_name_and_the_way_out(tmp_path, dicom, speckle, syntax):
    path = dicom(tmp_path / "clip.dcm", speckle, syntax=syntax, streams=[b"\0" * 64])
    with pytest.raises(PixelsRefused, match=r"clip.dcm.*(MPEG|HEVC).*export single frames"):
        usimg.read(path)


def test_jpeg_xl_is_refused_with_its_name_and_the_way_out(tmp_path, dicom, speckle):
    path = dicom(tmp_path / "xl.dcm", speckle, syntax=uid.HTJ2KLossless)
    path.write_bytes(path.read_bytes().replace(b"1.2.840.10008.1.2.4.201", b"1.2.840.10008.1.2.4.110"))
    with pytest.raises(PixelsRefused, match=r"xl.dcm.*JPEG XL.*convert it first"):
        usimg.read(path)


def rgb_to_ybr(rgb: np.ndarray) -> np.ndarray:
    """PS3.3 C.7.6.3.1.2, in float, rounded."""
    matrix = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
    return np.clip(np.rint(rgb @ matrix.T + [0, 128, 128]), 0, 255).astype(np.uint8)


def test_an_extended_offset_table_finds_frames_that_have_no_end_marker(tmp_path, dicom, speckle):
    from pydicom.encaps import itemize_fragment

    frames = [np.roll(speckle, 9 * i, axis=1) for i in range(3)]
    path = tmp_path / "a.dcm"
    streams = [split_stream(dicom, path, frame) for frame in frames]
    lengths = [sum(len(itemize_fragment(part)) for part in parts) for parts in streams]
    offsets = np.cumsum([0, *lengths[:-1]]).astype("<u8").tobytes()
    parts = [part for frame_parts in streams for part in frame_parts]
    dicom(
        path,
        frames[:1],
        syntax=uid.RLELossless,
        streams=parts,
        offset_table=False,
        NumberOfFrames=3,
        ExtendedOffsetTable=offsets,
        ExtendedOffsetTableLengths=np.array(lengths, "<u8").tobytes(),
    )
    clip = usimg.read(path)
    assert [np.array_equal(clip.frames[i].gray, frames[i]) for i in (2, 0, 1)] == [True] * 3


def split_stream(dicom, path, frame):
    """The RLE stream of a frame in two fragments of even length."""
    import pydicom
    from pydicom.encaps import get_frame

    whole = get_frame(pydicom.dcmread(dicom(path, frame, syntax=uid.RLELossless)).PixelData, 0)
    half = len(whole) // 4 * 2
    return [whole[:half], whole[half:]]


def test_an_offset_table_that_points_nowhere_is_refused(tmp_path, dicom, speckle):
    frames = [np.roll(speckle, 9 * i, axis=1) for i in range(3)]
    path = dicom(tmp_path / "a.dcm", frames, syntax=uid.JPEGLosslessSV1, fragments=2)
    data = path.read_bytes()
    table = data.index(b"\xfe\xff\x00\xe0\x0c\x00\x00\x00") + 8
    path.write_bytes(data[: table + 4] + b"\x07\x00\x00\x00" + data[table + 8 :])
    with pytest.raises(PixelsRefused, match="points between its fragments"):
        usimg.read(path).frames[1].gray  # noqa: B018


def test_uncompressed_partial_range_422_is_unpacked_and_expanded(tmp_path, dicom, speckle):
    studio = np.rint(16 + speckle.astype(float) * 219 / 255).astype(np.uint8)
    chroma = np.full_like(studio, 128)
    packed = np.stack([studio[:, ::2], studio[:, 1::2], chroma[:, ::2], chroma[:, ::2]], axis=-1).tobytes()
    three = np.repeat(studio[..., None], 3, axis=2)
    path = dicom(tmp_path / "a.dcm", three, photometric="YBR_PARTIAL_422", PixelData=packed)
    frame = usimg.read(path).frames[0]
    assert np.abs(frame.gray.astype(int) - speckle).max() <= 1
    assert "16..235 expanded" in frame.pixels.grey_rule
