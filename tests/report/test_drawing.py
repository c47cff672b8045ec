import io
from base64 import b64decode

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from usimg.report.drawing import (
    COLOURS,
    PAGE_BYTES,
    PAGE_SIDE_PX,
    Crop,
    Shape,
    crop,
    data_uri,
    paint,
    svg_path,
    view_box,
)


def circle(row, col, radius, n=400):
    angle = np.linspace(0, 2 * np.pi, n, endpoint=False)
    return np.stack([row + radius * np.sin(angle), col + radius * np.cos(angle)], axis=1)


def whole(shape, value=0):
    return np.full(shape, value, np.uint8), np.ones(shape, bool)


@settings(max_examples=40, deadline=None)
@given(row=st.floats(30, 50), col=st.floats(30, 50), enlarged=st.sampled_from([80, 160, 333]))
def test_a_painted_circle_lies_where_its_vertices_say_to_a_tenth_of_a_pixel(row, col, enlarged):
    grey, area = whole((80, 80))
    shown = crop(grey, area, longest_side=enlarged, enlarge=True)
    painted = paint(shown, [Shape(polygons=(circle(row, col, 20.0),), colour="#FFFFFF")], width=1)
    weight = np.maximum(painted[..., 0].astype(float) - 16.0, 0.0)  # 16: the dark rim
    rows, cols = np.indices(weight.shape)
    factor = enlarged / 80
    centre = np.array([(rows * weight).sum(), (cols * weight).sum()]) / weight.sum()
    np.testing.assert_allclose((centre + 0.5) / factor - 0.5, [row, col], atol=0.1)


def test_the_path_and_its_view_box_put_a_vertex_on_the_same_spot_as_the_painted_outline():
    grey, area = whole((60, 90))
    area[:10], area[:, :20] = False, False
    shown = crop(grey, area, longest_side=350, enlarge=True)
    vertex = np.array([[31.25, 47.5], [50.0, 47.5], [50.0, 80.0]])
    left, top, width, height = map(float, view_box(shown).split())
    x, y = map(float, svg_path(Shape(polygons=(vertex,)))[1:].split("L")[0].split(","))
    across = (x - left) / width * shown.grey.shape[1] - 0.5
    down = (y - top) / height * shown.grey.shape[0] - 0.5
    np.testing.assert_allclose(shown.xy(vertex)[0], [across, down], atol=1e-9)


def test_a_long_outline_is_thinned_by_less_than_a_tenth_of_a_pixel():
    outline = circle(200.0, 200.0, 150.0, n=5000)
    text = svg_path(Shape(polygons=(outline,)))
    points = [tuple(map(float, p.split(","))) for p in text[1:-1].replace("L", " ").split()]
    radii = np.hypot(*(np.array(points) - 200.0).T)
    middles = np.hypot(*((np.array(points) + np.roll(points, 1, axis=0)) / 2 - 200.0).T)
    assert len(points) < 500
    assert abs(radii - 150.0).max() < 0.02
    assert abs(middles - 150.0).max() < 0.1


def test_everything_outside_the_scan_area_is_black():
    grey, area = whole((100, 120), 200)
    area[:] = False
    area[30:80, 20:100] = True
    area[30:50, 20:40] = False  # a sector's corner, where text may stand
    shown = crop(grey, area)
    assert shown.box == (30, 20, 80, 100)
    assert (shown.grey[:20, :20] == 0).all()
    assert (shown.grey[20:] == 200).all()


def test_without_a_scan_area_no_picture_is_shown():
    grey, area = whole((20, 20), 99)
    assert crop(grey, ~area) is None
    area[:, 10:] = False
    assert crop(grey, area, within=(0, 10, 20, 20)) is None


def test_of_two_pictures_in_a_frame_only_the_measured_one_is_shown():
    grey, area = whole((50, 100), 7)
    grey[:, 50:] = 200
    shown = crop(grey, area, within=(0, 50, 50, 100))
    assert shown.box == (0, 50, 50, 100)
    assert (shown.grey == 200).all()


def test_an_outline_that_leaves_the_scan_area_is_not_cut_and_what_lies_there_stays_black():
    grey, area = whole((100, 100), 200)
    area[:] = False
    area[40:60, 40:60] = True
    shown = crop(grey, area, shapes=[Shape(polygons=(circle(50, 50, 30),))])
    assert shown.box == (20, 20, 81, 81)
    assert (shown.grey > 0).sum() == 400
    assert crop(grey, area, shapes=[Shape(polygons=(circle(50, 50, 300),))]).box == (0, 0, 100, 100)


@pytest.mark.parametrize("spacing", [(0.2, 0.1), (0.1, 0.2)])
def test_unequal_pixels_are_shown_in_true_proportion(spacing):
    grey, area = whole((100, 100))
    shown = crop(grey, area, spacing=spacing, longest_side=640)
    height, width = shown.grey.shape
    assert height / width == pytest.approx(spacing[0] / spacing[1], rel=0.01)


def test_a_picture_is_shrunk_but_not_enlarged_for_a_page():
    assert max(crop(*whole((1000, 900)), longest_side=PAGE_SIDE_PX).grey.shape) == PAGE_SIDE_PX
    assert crop(*whole((100, 90)), longest_side=PAGE_SIDE_PX).grey.shape == (100, 90)


@pytest.mark.parametrize(
    ("width_mm", "bar"), [(50.0, 10.0), (15.0, 5.0), (4.0, 1.0), (1.0, None), (None, None)]
)
def test_the_scale_bar_fits_the_picture_and_needs_a_scale(width_mm, bar):
    spacing = None if width_mm is None else (width_mm / 100, width_mm / 100)
    assert (
        Crop(grey=np.zeros((100, 100), np.uint8), box=(0, 0, 100, 100), spacing=spacing).scale_bar_mm == bar
    )


def test_a_painted_scale_bar_is_as_long_as_it_says():
    grey, area = whole((400, 400))
    painted = paint(crop(grey, area, spacing=(0.1, 0.1)), [], width=1)
    white = np.flatnonzero((painted[..., 0] > 200).any(axis=0))
    assert white[-1] - white[0] == pytest.approx(10.0 / 0.1, abs=2)


def test_colours_of_structures_are_told_apart_by_every_kind_of_eye():
    # Machado 2009, severity 1: linear RGB as seen without L, M or S cones.
    protan = [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ]
    deutan = [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ]
    rgb = {k: np.array([int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)]) for k, c in COLOURS.items()}
    for eye in (np.eye(3), np.array(protan), np.array(deutan)):
        seen = {kind: np.clip(eye @ colour**2.2, 0, 1) ** (1 / 2.2) for kind, colour in rgb.items()}
        kinds = list(seen)
        gaps = [np.linalg.norm(seen[a] - seen[b]) for i, a in enumerate(kinds) for b in kinds[:i]]
        assert min(gaps) > 0.12
        assert min(np.linalg.norm(colour) for colour in seen.values()) > 0.5  # shows on dark tissue


def test_a_picture_of_pure_noise_still_fits_a_page():
    noise = np.random.default_rng(0).integers(0, 256, (640, 640), dtype=np.uint8)
    uri = data_uri(Crop(grey=noise, box=(0, 0, 640, 640)))
    encoded = b64decode(uri.split(",")[1])
    assert len(encoded) <= PAGE_BYTES
    width, height = Image.open(io.BytesIO(encoded)).size
    assert width == height


def test_a_smooth_picture_survives_its_compression():
    ramp = np.tile(np.arange(256, dtype=np.uint8), (200, 1))
    uri = data_uri(Crop(grey=ramp, box=(0, 0, 200, 256)))
    back = np.array(Image.open(io.BytesIO(b64decode(uri.split(",")[1]))).convert("L"))
    assert np.abs(back.astype(int) - ramp).mean() < 2
