"""What was drawn over the tissue is left out; tissue is not."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

import usimg
from usimg.picture.overlays import find_overlays
from usimg.vision import cv2


@pytest.fixture
def tissue() -> np.ndarray:
    """(300, 400) uint8 speckle with a bright fascia, nothing drawn on it."""
    rng = np.random.default_rng(4)
    field = rng.normal(size=(300, 400, 2))
    field = sum(np.roll(field, s, axis=1) for s in range(-3, 4)) / np.sqrt(7)
    field = sum(np.roll(field, s, axis=0) for s in range(-1, 2)) / np.sqrt(3)
    gray = 45 * np.hypot(field[..., 0], field[..., 1])
    gray[140:146] *= 3.5
    return np.clip(gray, 0, 255).astype(np.uint8)


EVERYWHERE = np.ones((300, 400), bool)


def test_tissue_alone_has_no_overlay(tissue):
    coloured, drawn = find_overlays(tissue, None, EVERYWHERE)
    assert not coloured.any()
    assert drawn.mean() < 1e-3


def test_a_caliper_cross_and_its_dots_are_found(tissue):
    picture = Image.fromarray(tissue)
    pen = ImageDraw.Draw(picture)
    for x, y in ((120, 80), (260, 200)):
        pen.rectangle([x - 1, y - 6, x + 1, y + 6], fill=255)
        pen.rectangle([x - 6, y - 1, x + 6, y + 1], fill=255)
    pen.text((140, 60), "1", fill=255)
    image = np.asarray(picture)
    _, drawn = find_overlays(image, None, EVERYWHERE)
    changed = image != tissue
    assert drawn[changed].mean() > 0.97
    assert drawn[~changed].mean() < 0.01


@pytest.mark.parametrize("quality", [None, 85])
@pytest.mark.parametrize("size", [10, 16])
def test_letters_over_tissue_are_masked_whatever_smoothed_them(sample_dicoms, size, quality):
    frame = usimg.read(sample_dicoms / "IM_0001.dcm").frames[0]
    picture = Image.fromarray(frame.gray)
    ImageDraw.Draw(picture).text((200, 150), "Biceps li 2.31 cm", fill=230, font=ImageFont.load_default(size))
    written = np.asarray(picture)
    letters = written.astype(int) - frame.gray > 60
    if quality is not None:
        packed = io.BytesIO()
        picture.save(packed, "jpeg", quality=quality)
        written = np.asarray(Image.open(packed))
    masked = find_overlays(written, None, frame.scan_area)[1] & frame.scan_area
    assert masked[letters].mean() > 0.9
    around = cv2.dilate(letters.astype(np.uint8), np.ones((31, 31), np.uint8)).astype(bool)
    assert masked[frame.scan_area & ~around].mean() < 5e-4


def test_coloured_marks_are_found_on_grey(tissue):
    rgb = np.repeat(tissue[..., None], 3, axis=2)
    rgb[100:120, 200:202] = (0, 220, 0)
    coloured, _ = find_overlays(tissue, rgb, EVERYWHERE)
    assert coloured[100:120, 200:202].all()
    assert coloured.sum() <= 22 * 4


def sepia(gray: np.ndarray) -> np.ndarray:
    """A strong grey map: up to 70 levels between red and blue."""
    level = gray.astype(float)
    shift = 35 * np.sin(np.pi * level / 255)
    return np.clip(np.stack([level + shift, level, level - shift], axis=-1), 0, 255).astype(np.uint8)


def test_a_tinted_picture_is_not_coloured_but_its_marks_are(tissue):
    rgb = sepia(tissue)
    assert (np.ptp(rgb, axis=2) > 30).mean() > 0.2  # the plain rule would take it for colour
    rgb[100:120, 200:204] = (0, 220, 0)
    coloured, _ = find_overlays(tissue, rgb, EVERYWHERE)
    assert coloured[100:120, 200:204].all()
    assert coloured.mean() < 0.01


def test_noise_of_jpeg_chroma_is_not_colour(tissue):
    noise = np.random.default_rng(1).integers(-6, 7, (300, 400, 3))
    rgb = np.clip(tissue[..., None] + noise, 0, 255).astype(np.uint8)
    assert not find_overlays(tissue, rgb, EVERYWHERE)[0].any()


@pytest.mark.parametrize(
    ("name", "points"),
    [
        ("philips_ascao_jpegll", [(629, 314), (624, 319), (689, 430), (694, 435)]),
        ("philips_pancreas_nocal_jls", [(603, 376), (598, 381), (607, 433), (612, 438)]),
        ("mindray_follicle_rle", [(411, 475), (416, 470), (450, 505), (508, 483), (578, 533)]),
        ("philips_cx50_rle_palette", [(459, 290), (498, 301)]),
    ],
)
def test_printed_calipers_are_found_in_grey_files(shared_data, name, points):
    overlays = usimg.read(shared_data / "us_dicom" / f"{name}.dcm").frames[0].overlays
    assert all(overlays[y, x] for x, y in points)


def test_tissue_of_real_nerve_scans_has_nothing_drawn_on_it(shared_data):
    folder = shared_data / "nerve_vessel"
    rows = [
        row
        for row in csv.DictReader((folder / "manifest.csv").read_text().splitlines())
        if row["split"] == "train"
    ][::5]
    shares = []
    for row in rows:
        frame = usimg.read(folder / row["file"]).frames[0]
        shares.append((frame.overlays & frame.scan_area).sum() / frame.scan_area.sum())
    assert max(shares) < 5e-4


def test_masks_are_read_only_and_of_the_frame(shared_data):
    frame = usimg.read(shared_data / "us_dicom" / "mindray_follicle_rle.dcm").frames[0]
    for mask in (frame.scan_area, frame.overlays):
        assert mask.shape == frame.shape
        assert mask.dtype == bool
        with pytest.raises(ValueError, match="read-only"):
            mask[0, 0] = True
