"""PNG, TIFF, JPEG, BMP and WebP pictures: their grey, and a scale only where somebody gave one."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

import usimg
from usimg.errors import FileRefused, PixelsRefused
from usimg.readers.grey import luma


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp"])
def test_grey_of_a_lossless_picture_is_untouched(tmp_path, speckle, suffix):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(speckle).save(path)
    frame = usimg.read(path).frames[0]
    assert np.array_equal(frame.gray, speckle)
    assert frame.pixels.rgb is None


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp", "webp"])
def test_colours_become_luma(tmp_path, colours, suffix):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(colours).save(path, **({"lossless": True} if suffix == "webp" else {}))
    pixels = usimg.read(path).frames[0].pixels
    assert np.array_equal(pixels.rgb, colours)
    assert np.array_equal(pixels.gray, luma(colours))


def test_a_jpeg_screen_shot_opens_and_is_lossy(tmp_path, colours):
    path = tmp_path / "a.jpg"
    Image.fromarray(colours).save(path, quality=97)
    scan = usimg.read(path)
    assert np.abs(scan.frames[0].gray.astype(int) - luma(colours)).mean() < 2
    assert scan.header.lossy is True


def test_sixteen_bits_are_scaled_over_their_whole_range(tmp_path, speckle):
    path = tmp_path / "a.png"
    Image.fromarray(speckle.astype(np.uint16) * 257).save(path)
    assert np.array_equal(usimg.read(path).frames[0].gray, speckle)


def test_a_palette_picture_is_read_by_its_colours(tmp_path, colours):
    path = tmp_path / "a.png"
    indexed = Image.fromarray(colours).convert("P")
    indexed.save(path)
    assert np.array_equal(usimg.read(path).frames[0].pixels.rgb, np.asarray(indexed.convert("RGB")))


def test_transparency_is_left_out_and_noted(tmp_path, colours):
    path = tmp_path / "a.png"
    Image.fromarray(np.dstack([colours, np.full(colours.shape[:2], 9, np.uint8)])).save(path)
    scan = usimg.read(path)
    assert np.array_equal(scan.frames[0].pixels.rgb, colours)
    assert any("transparency" in note for note in scan.notes)


def test_pages_of_a_tiff_are_frames(tmp_path, speckle):
    path = tmp_path / "a.tif"
    pages = [Image.fromarray(np.roll(speckle, 5 * i, axis=0)) for i in range(3)]
    pages[0].save(path, save_all=True, append_images=pages[1:])
    scan = usimg.read(path)
    assert [np.array_equal(f.gray, np.asarray(p)) for f, p in zip(scan.frames, pages, strict=True)] == [
        True
    ] * 3


def test_dpi_is_never_a_scale(tmp_path, speckle):
    path = tmp_path / "a.png"
    Image.fromarray(speckle).save(path, dpi=(254, 254))
    frame = usimg.read(path).frames[0]
    assert frame.calibration is None
    assert "spacing_mm" in frame.calibration_reason


def test_a_given_spacing_is_row_then_column(tmp_path, speckle):
    path = tmp_path / "a.png"
    Image.fromarray(speckle).save(path)
    calibration = usimg.read(path, spacing_mm=(0.1, 0.2)).frames[0].calibration
    assert (calibration.row_mm, calibration.col_mm, calibration.source) == (0.1, 0.2, "given")


@pytest.mark.parametrize(
    ("suffix", "words"),
    [
        (".json", '{"spacing_mm": [0.1, 0.2]}'),
        (".toml", "spacing_mm = [0.1, 0.2]"),
        (".json", '\ufeff{"spacing_mm": [0.1, 0.2], "by": "AB"}'),
    ],
)
def test_a_sidecar_gives_the_spacing(tmp_path, speckle, suffix, words):
    path = tmp_path / "a.png"
    Image.fromarray(speckle).save(path)
    (tmp_path / f"a.png{suffix}").write_text(words, encoding="utf-8")
    calibration = usimg.read(path).frames[0].calibration
    assert calibration.spacing == (0.1, 0.2)
    assert calibration.source == "sidecar"


def test_the_argument_stands_above_the_sidecar(tmp_path, speckle):
    path = tmp_path / "a.png"
    Image.fromarray(speckle).save(path)
    (tmp_path / "a.png.json").write_text(json.dumps({"spacing_mm": 0.1}))
    assert usimg.read(path, spacing_mm=0.3).frames[0].calibration.spacing == (0.3, 0.3)


@pytest.mark.parametrize(
    "words", ["", "[]", "{}", '{"spacing_mm": "0.1 mm"}', '{"spacing_mm": [0, 0.1]}', "\x00"]
)
def test_a_sidecar_that_says_no_spacing_is_refused_by_name(tmp_path, speckle, words):
    path = tmp_path / "a.png"
    Image.fromarray(speckle).save(path)
    (tmp_path / "a.png.json").write_text(words)
    with pytest.raises(FileRefused, match=r"a\.png\.json: .*spacing"):
        usimg.read(path)


@pytest.mark.parametrize("keep", [0.02, 0.4, 0.95])
def test_a_cut_picture_is_refused(tmp_path, speckle, keep):
    path = tmp_path / "a.png"
    Image.fromarray(speckle).save(path)
    data = path.read_bytes()
    path.write_bytes(data[: max(9, int(keep * len(data)))])
    with pytest.raises((FileRefused, PixelsRefused), match=r"a\.png"):
        usimg.read(path).frames[0].gray  # noqa: B018


def test_float_pixels_have_no_grey_range(tmp_path, speckle):
    path = tmp_path / "a.tif"
    Image.fromarray(speckle.astype(np.float32)).save(path)
    with pytest.raises(PixelsRefused, match="8 or 16 bit grey"):
        usimg.read(path).frames[0].gray  # noqa: B018
