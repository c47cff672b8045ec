"""Where tissue is: drawn fields with a known outline, and real scans against expert masks."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from PIL import Image, ImageDraw

import usimg
from usimg.picture.scan_area import find_scan_area

SHAPE = (600, 800)


def speckle(seed: int = 0, shape: tuple[int, int] = SHAPE, level: float = 60.0) -> np.ndarray:
    """Rayleigh speckle, correlated sideways as a beam makes it."""
    rng = np.random.default_rng(seed)
    field = rng.normal(size=(*shape, 2))
    field = sum(np.roll(field, shift, axis=1) for shift in range(-2, 3)) / np.sqrt(5)
    return np.clip(level * np.hypot(field[..., 0], field[..., 1]), 0, 255).astype(np.uint8)


def drawn(mask: np.ndarray, surround: int = 0, seed: int = 0) -> np.ndarray:
    return np.where(mask, np.maximum(speckle(seed, mask.shape), 1), surround).astype(np.uint8)


def polygon(points: list[tuple[float, float]], shape: tuple[int, int] = SHAPE) -> np.ndarray:
    """Mask of a polygon given as (x, y)."""
    image = Image.new("L", shape[::-1])
    ImageDraw.Draw(image).polygon(points, fill=1)
    return np.asarray(image).astype(bool)


def sector(
    radius: float, half_angle: float, face: float, apex: tuple[float, float] = (400, 20)
) -> np.ndarray:
    """Field of a curved probe: ring sector around the apex (x, y)."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    r = np.hypot(x - apex[0], y - apex[1])
    angle = np.degrees(np.arctan2(x - apex[0], y - apex[1]))
    return (r >= face) & (r <= radius) & (np.abs(angle) <= half_angle)


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2 * (a & b).sum() / (a.sum() + b.sum())


@pytest.mark.parametrize("surround", [0, 64, 255])
def test_a_linear_field_is_found_to_the_pixel(surround):
    field = np.zeros(SHAPE, bool)
    field[60:550, 150:690] = True
    assert np.array_equal(find_scan_area(drawn(field, surround)), field)


def test_black_depth_and_shadow_inside_a_linear_field_are_field():
    field = np.zeros(SHAPE, bool)
    field[60:550, 150:690] = True
    image = drawn(field)
    image[150:400, 150:320] = 0  # a shadow at the edge
    image[300:520, 400:600] = 0
    assert np.array_equal(find_scan_area(image), field)


def test_text_bars_and_ticks_around_a_field_are_left_out():
    field = np.zeros(SHAPE, bool)
    field[60:550, 150:650] = True
    picture = Image.fromarray(drawn(field))
    pen = ImageDraw.Draw(picture)
    for row in range(80, 300, 14):
        pen.text((8, row), "Gn 55 DR 63", fill=255)
    pen.text((160, 20), "RT UPPER ARM TRANS", fill=255)
    for row in range(60, 550, 49):
        pen.line([(662, row), (670, row)], fill=255)
    image = np.asarray(picture).copy()
    image[100:300, 720:740] = np.linspace(255, 0, 200).astype(np.uint8)[:, None]
    assert np.array_equal(find_scan_area(image), field)


@pytest.mark.parametrize(("half_angle", "face"), [(30, 60), (35, 130), (45, 8)])
def test_a_fan_is_found_with_its_curved_face(half_angle, face):
    field = sector(540, half_angle, face)
    found = find_scan_area(drawn(field))
    assert dice(found, field) > 0.99
    assert not found[: 20 + face // 2, 400].any()


def test_a_dark_corner_inside_a_fan_is_field():
    field = sector(540, 35, 60)
    image = drawn(field)
    image[300:520, 180:330] = np.where(np.random.default_rng(1).random((220, 150)) < 0.02, 1, 0)
    assert dice(find_scan_area(image), field) > 0.98


def test_a_trapezoid_is_found():
    field = polygon([(300, 50), (500, 50), (620, 540), (180, 540)])
    assert dice(find_scan_area(drawn(field)), field) > 0.99


def test_a_bent_panorama_is_not_filled_to_its_hull():
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    r, angle = np.hypot(x - 400, y - 700), np.degrees(np.arctan2(x - 400, 700 - y))
    field = (r > 380) & (r < 620) & (np.abs(angle) < 35)
    assert dice(find_scan_area(drawn(field)), field) > 0.98


def test_two_panes_are_found_each_in_its_region():
    field = np.zeros(SHAPE, bool)
    field[60:550, 20:380] = field[60:550, 420:780] = True
    boxes = ((0, 0, 600, 400), (0, 400, 600, 800))
    assert np.array_equal(find_scan_area(drawn(field), boxes), field)


def test_nothing_is_found_where_there_is_no_field():
    picture = Image.new("L", SHAPE[::-1])
    for row in range(20, 560, 20):
        ImageDraw.Draw(picture).text((20, row), "Biceps brachii 23.4 mm   Mean 21.9 mm", fill=255)
    assert not find_scan_area(np.asarray(picture)).any()
    assert not find_scan_area(np.zeros(SHAPE, np.uint8)).any()


def test_a_black_region_that_the_file_states_is_taken_whole():
    area = find_scan_area(np.zeros(SHAPE, np.uint8), ((10, 20, 300, 400),))
    assert area.sum() == 290 * 380
    assert area[10:300, 20:400].all()


def test_a_picture_that_is_all_field_is_all_field():
    assert find_scan_area(speckle()).all()


@pytest.mark.parametrize("flip", [(slice(None), slice(None, None, -1))])
def test_a_mirrored_picture_has_the_mirrored_area(flip):
    image = drawn(sector(540, 35, 60))
    mirrored = find_scan_area(image[flip].copy())
    assert dice(mirrored[flip], find_scan_area(image)) > 0.999


@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (200, 3), (9, 9)])
def test_tiny_pictures_do_not_fail(shape):
    image = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    assert find_scan_area(image).shape == shape


@pytest.mark.parametrize("name", ["dltrack_apo", "nerve_vessel"])
def test_expert_outlines_lie_inside_the_field(shared_data, name):
    folder = shared_data / name
    rows = [
        row
        for row in csv.DictReader((folder / "manifest.csv").read_text().splitlines())
        if row["split"] == "train"
    ][::6]
    inside = []
    for row in rows:
        mask = np.asarray(Image.open(folder / row["mask"])) > 0
        area = usimg.read(folder / row["file"]).frames[0].scan_area
        inside.append((mask & area).sum() / mask.sum())
    assert len(inside) > 15
    # the mask of nv_0071 runs 30 rows below the field into the black surround
    assert np.mean(np.array(inside) > 0.99) > 0.9
    assert np.mean(inside) > 0.99


# (r0, c0, r1, c1) read off the pictures by eye; the bottom is left open where the depth is black.
FIELDS = {
    "us_dicom/philips_ascao_jpegll.dcm": (160, 148, 660, 910),
    "us_dicom/philips_pancreas_nocal_jls.dcm": (138, 150, 726, 966),
    "us_dicom/hp_echo_anisotropic_34f.dcm": (6, 103, 355, 438),
}


@pytest.mark.parametrize(("name", "box"), FIELDS.items())
def test_real_fans_reach_as_far_as_the_eye_sees(shared_data, name, box):
    rows, cols = np.nonzero(usimg.read(shared_data / name).frames[0].scan_area)
    found = (rows.min(), cols.min(), rows.max() + 1, cols.max() + 1)
    assert np.abs(np.subtract(found, box)).max() <= 15, found
