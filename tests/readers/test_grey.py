"""Stored pixels to grey: the rules, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pydicom import uid

import usimg
from usimg.errors import PixelsRefused
from usimg.readers.grey import Stored, luma, to_eight_bits, to_grey, ybr_to_rgb


@given(hnp.arrays(np.uint8, (7, 5, 3)))
def test_luma_is_bt601_rounded_to_nearest(rgb):
    exact = rgb.astype(np.int64) @ np.array([299, 587, 114])
    assert np.array_equal(luma(rgb), (exact + 500) // 1000)


@given(hnp.arrays(np.uint8, (7, 5)))
def test_luma_of_grey_is_the_grey_itself(grey):
    assert np.array_equal(luma(np.repeat(grey[..., None], 3, axis=2)), grey)


@given(hnp.arrays(np.uint8, (6, 4, 3)))
def test_colours_of_ybr_follow_the_standard(ybr):
    y, cb, cr = (ybr[..., c].astype(float) - (128 if c else 0) for c in range(3))
    exact = np.stack([y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb], axis=-1)
    assert np.abs(ybr_to_rgb(ybr) - np.clip(exact, 0, 255)).max() <= 0.51


@given(bits=st.integers(1, 16), data=st.data())
def test_bit_depth_scales_from_nothing_to_full_and_keeps_order(bits, data):
    top = 2**bits - 1
    values = np.sort(np.array(data.draw(st.lists(st.integers(0, top), min_size=2, max_size=20)), np.uint16))
    scaled, _ = to_eight_bits(values, bits, signed=False)
    assert (np.diff(scaled.astype(int)) >= 0).all()
    assert np.abs(scaled - values.astype(float) * 255 / top).max() <= 0.5 + 1e-9


def test_signed_values_start_at_their_lowest():
    scaled, rule = to_eight_bits(np.array([-2048, 0, 2047], np.int16), 12, signed=True)
    assert scaled.tolist() == [0, 128, 255]
    assert "12 bits signed" in rule


def test_monochrome1_is_inverted(tmp_path, dicom, speckle):
    frame = usimg.read(dicom(tmp_path / "a.dcm", speckle, photometric="MONOCHROME1")).frames[0]
    assert np.array_equal(frame.gray, 255 - speckle)
    assert frame.pixels.grey_rule == "MONOCHROME1, inverted"


def test_no_window_is_applied(tmp_path, dicom, speckle):
    path = dicom(tmp_path / "a.dcm", speckle, WindowCenter="40", WindowWidth="20")
    assert np.array_equal(usimg.read(path).frames[0].gray, speckle)


def test_a_rescale_is_not_applied_but_noted(tmp_path, dicom, speckle):
    scan = usimg.read(dicom(tmp_path / "a.dcm", speckle, RescaleSlope="2", RescaleIntercept="-10"))
    assert np.array_equal(scan.frames[0].gray, speckle)
    assert any("Rescale" in note for note in scan.notes)


def palette_tags(table: np.ndarray, entries: int, entry_bits: int, **extra):
    """Palette attributes of an (N, 3) table; 65536 entries are written as 0 (PS3.3 C.7.6.3.1.5)."""
    names = ("Red", "Green", "Blue")
    kind = np.uint16 if entry_bits == 16 else np.uint8
    tags = {f"{n}PaletteColorLookupTableDescriptor": [entries % 65536, 0, entry_bits] for n in names}
    tags |= {
        f"{n}PaletteColorLookupTableData": table[:, i].astype(kind).tobytes() for i, n in enumerate(names)
    }
    return tags | extra


@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.RLELossless], ids=lambda s: s.name)
@pytest.mark.parametrize("entry_bits", [8, 16])
def test_palette_index_is_not_a_grey_level(tmp_path, dicom, speckle, syntax, entry_bits):
    rng = np.random.default_rng(2)
    table = rng.permutation(np.repeat(np.arange(256)[:, None], 3, axis=1), axis=0)
    table[7] = (255, 255, 0)
    stored = table * 256 + 255 if entry_bits == 16 else table
    path = dicom(
        tmp_path / "a.dcm",
        speckle,
        syntax=syntax,
        photometric="PALETTE COLOR",
        **palette_tags(stored, 256, entry_bits),
    )
    frame = usimg.read(path).frames[0]
    assert np.array_equal(frame.pixels.rgb, table[speckle])
    assert np.array_equal(frame.gray, luma(table[speckle].astype(np.uint8)))


def test_palette_of_65536_entries(tmp_path, dicom, speckle):
    table = np.repeat((np.arange(65536) // 256 * 256)[:, None], 3, axis=1)
    indices = speckle.astype(np.uint16) * 256 + 17
    path = dicom(tmp_path / "a.dcm", indices, photometric="PALETTE COLOR", **palette_tags(table, 65536, 16))
    assert np.array_equal(usimg.read(path).frames[0].gray, speckle)


def test_palette_without_tables_is_refused(tmp_path, dicom, speckle):
    scan = usimg.read(dicom(tmp_path / "a.dcm", speckle, photometric="PALETTE COLOR"))
    with pytest.raises(PixelsRefused, match=r"a\.dcm, frame 1"):
        scan.frames[0].gray  # noqa: B018


def test_partial_range_ybr_is_expanded():
    ybr = np.array([[[16, 128, 128], [235, 128, 128], [125, 128, 128]]], np.uint8)
    gray, _, rule = to_grey(Stored(ybr, "YBR_PARTIAL_422"))
    assert gray.tolist() == [[0, 255, 127]]
    assert "16..235 expanded" in rule


def test_grey_rgb_data_labelled_ybr_are_seen_by_their_colours(colours):
    gray, rgb, rule = to_grey(Stored(colours, "YBR_FULL"))
    assert np.array_equal(rgb, colours)
    assert np.array_equal(gray, luma(colours))
    assert "labelled YBR_FULL, but the colours say RGB" in rule


def test_ybr_data_labelled_rgb_are_seen_by_their_colours(speckle):
    ybr = np.stack([speckle, np.full_like(speckle, 128), np.full_like(speckle, 128)], axis=-1)
    gray, _, rule = to_grey(Stored(ybr, "RGB"))
    assert np.array_equal(gray, speckle)
    assert "the colours say YBR" in rule


def test_a_jpeg_stream_that_says_rgb_is_believed_over_the_label(tmp_path, dicom, colours):
    import imagecodecs

    stream = imagecodecs.jpeg8_encode(colours, 98, colorspace="RGB", outcolorspace="RGB", subsampling="444")
    path = dicom(
        tmp_path / "a.dcm",
        colours,
        syntax=uid.JPEGBaseline8Bit,
        photometric="YBR_FULL_422",
        streams=[stream],
    )
    frame = usimg.read(path).frames[0]
    assert np.abs(frame.pixels.rgb.astype(int) - colours).mean() < 2
    assert "labelled YBR_FULL_422, but" in frame.pixels.grey_rule


def test_a_really_coloured_picture_is_left_as_labelled():
    rng = np.random.default_rng(1)
    vivid = rng.integers(0, 256, (40, 40, 3)).astype(np.uint8)
    assert to_grey(Stored(vivid, "RGB"))[2] == "BT.601 luma of RGB"
    assert to_grey(Stored(vivid, "YBR_FULL"))[2] == "Y of YBR_FULL"


@pytest.mark.parametrize("photometric", ["RGB", "", "HSV"])
def test_a_label_that_does_not_fit_the_samples_is_refused(tmp_path, dicom, speckle, photometric):
    scan = usimg.read(dicom(tmp_path / "a.dcm", speckle, PhotometricInterpretation=photometric))
    with pytest.raises(PixelsRefused, match="Photometric Interpretation"):
        scan.frames[0].gray  # noqa: B018


def test_pixels_are_read_only(tmp_path, dicom, colours):
    pixels = usimg.read(dicom(tmp_path / "a.dcm", colours)).frames[0].pixels
    for array in (pixels.gray, pixels.rgb):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 1
