"""Grey levels: which pixels count, checked one by one against the definition, ImageJ and scikit-image."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.measure import label, regionprops

from usimg.measurement import area, grey_levels, perimeter
from usimg.measurement.raster import runs

SQUARE = np.array([[50, 50], [50, 250], [250, 250], [250, 50]], float)

polygons = st.lists(st.tuples(st.floats(-5.0, 45.0), st.floats(-5.0, 55.0)), min_size=3, max_size=12).map(
    np.array
)
grid_polygons = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 50)), min_size=3, max_size=12).map(
    lambda points: np.array(points, float)
)


def mask_of(outlines, shape, number=0):
    owner, index = runs(outlines, shape).pixels(shape[1])
    mask = np.zeros(shape, dtype=int)
    np.add.at(mask.ravel(), index[owner == number], 1)
    return mask


def by_definition(polygon, shape):
    """Even-odd, one pixel centre after the other: crossings of the ray to the left, edges half-open."""
    mask = np.zeros(shape, dtype=int)
    following = np.roll(polygon, -1, axis=0)
    for row in range(shape[0]):
        for col in range(shape[1]):
            crossings = 0
            for (r0, c0), (r1, c1) in zip(polygon, following, strict=True):
                if r0 > r1:
                    r0, c0, r1, c1 = r1, c1, r0, c0  # noqa: PLW2901  always from the upper end
                if r0 <= row < r1 and c0 + (row - r0) / (r1 - r0) * (c1 - c0) < col:
                    crossings += 1
            mask[row, col] = crossings % 2
    return mask


def test_a_square_from_50_to_250_holds_40000_pixels():
    assert mask_of([[SQUARE]], (400, 600)).sum() == 40_000


@settings(max_examples=60, deadline=None)
@given(st.one_of(polygons, grid_polygons))
def test_the_pixels_are_those_whose_centre_is_inside(polygon):
    shape = (20, 24)
    assert np.array_equal(mask_of([[polygon]], shape), by_definition(polygon, shape))


@settings(deadline=None)
@given(st.one_of(polygons, grid_polygons).filter(lambda p: len(p) > 3), st.data())
def test_two_outlines_that_share_an_edge_share_no_pixel_and_lose_none(polygon, data):
    shape = (41, 51)
    cut = data.draw(st.integers(2, len(polygon) - 2))
    one, other = polygon[: cut + 1], np.r_[polygon[cut:], polygon[:1]]
    together = mask_of([[one], [other]], shape, 0) + mask_of([[one], [other]], shape, 1)
    # Even-odd: where the parts of a polygon that crosses itself overlap, the whole is outside.
    assert np.array_equal(together % 2, mask_of([[polygon]], shape))


def test_a_mosaic_of_triangles_holds_every_pixel_once():
    corners = np.array([[0, 0], [0, 40], [30, 40], [30, 0]], float)
    triangles = [[np.array([corners[i], corners[(i + 1) % 4], [17, 11]])] for i in range(4)]
    total = sum(mask_of(triangles, (41, 51), n) for n in range(4))
    assert total.max() == 1
    assert np.array_equal(total, mask_of([[corners]], (41, 51)))


def test_many_outlines_at_once_get_the_numbers_each_gets_alone(speckle):
    t = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    rng = np.random.default_rng(1)
    outlines = [
        [np.c_[rng.uniform(0, 300) + r * np.sin(t), rng.uniform(0, 400) + r * np.cos(t)]]
        for r in rng.uniform(0.2, 40.0, 60)
    ]
    together = grey_levels(speckle, outlines)
    for n, outline in enumerate(outlines):
        alone = grey_levels(speckle, [outline])
        assert together.pixel_count[n] == alone.pixel_count[0]
        np.testing.assert_array_equal(together.mean[n], alone.mean[0])
        np.testing.assert_array_equal(together.percentiles[95][n], alone.percentiles[95][0])


def test_mean_spread_and_percentiles_are_numpys_of_the_pixels_inside(speckle):
    outline = np.array([[20.3, 30.2], [40.1, 200.7], [150.9, 260.4], [190.2, 90.5]])
    levels = speckle[mask_of([[outline]], speckle.shape) == 1].astype(float)
    grey = grey_levels(speckle, [[outline]])
    assert grey.pixel_count[0] == len(levels)
    assert grey.mean[0] == pytest.approx(levels.mean(), rel=1e-12)
    assert grey.sd[0] == pytest.approx(levels.std(ddof=1), rel=1e-12)
    for percent, value in grey.percentiles.items():
        assert value[0] == pytest.approx(np.percentile(levels, percent), rel=1e-12)
    assert grey.black_fraction[0] == np.mean(levels == 0)
    assert grey.saturated_fraction[0] == np.mean(levels == 255)


@pytest.mark.parametrize(("rows", "mean"), [((50, 250), 25.0), ((0, 150), 0.0), ((150, 400), 50.0)])
def test_a_half_black_outline_has_exactly_the_mean_zeros_kept(rows, mean):
    gray = np.zeros((400, 600), dtype=np.uint8)
    gray[150:] = 50
    box = np.array([[rows[0], 10], [rows[0], 90], [rows[1], 90], [rows[1], 10]], float)
    assert grey_levels(gray, [[box]]).mean[0] == mean


def test_on_a_one_pixel_checkerboard_each_square_of_even_side_is_half_white():
    gray = np.indices((60, 60)).sum(axis=0) % 2 * 255
    gray = gray.astype(np.uint8)
    for top, left in ((5, 5), (6, 9), (5.5, 5.5), (4.7, 8.2)):
        box = np.array([[top, left], [top, left + 20], [top + 20, left + 20], [top + 20, left]])
        grey = grey_levels(gray, [[box]])
        assert grey.pixel_count[0] == 400
        assert grey.mean[0] == 127.5


def test_pixels_drawn_over_are_left_out_and_their_share_is_told():
    gray = np.full((60, 60), 40, dtype=np.uint8)
    overlays = np.zeros((60, 60), dtype=bool)
    gray[20:25], overlays[20:25] = 255, True
    box = np.array([[10, 10], [10, 50], [50, 50], [50, 10]], float)
    grey = grey_levels(gray, [[box]], overlays=overlays)
    assert grey.mean[0] == 40.0
    assert grey.saturated_fraction[0] == 0.0
    assert grey.overlay_fraction[0] == 5 / 40


# ImageJ 1.53t (Debian 1.53t-1), batch macro:
#   newImage("g", "8-bit black", 40, 30, 1);
#   for (y=0; y<30; y++) for (x=0; x<40; x++) setPixel(x, y, (7*x + 13*y + x*y) % 256);
#   run("Set Measurements...", "area mean standard min median perimeter redirect=None decimal=9");
#   makePolygon(x0,y0, x1,y1, ...); run("Measure");          for each row below
# and the same on setPixel(x, y, 255*((x+y)%2)) for the last two. Its "Area" is the number of pixels.
# ImageJ counts from pixel corners, usimg from pixel centres: half a pixel is taken off.
IMAGEJ = [
    ("ramp", [5, 5, 25, 5, 25, 25, 5, 25], 400, 129.690000000, 74.521524031, 133),
    ("ramp", [3, 2, 30, 4, 36, 20, 18, 27, 6, 15], 541, 129.173752311, 73.500310749, 129),
    ("ramp", [4, 3, 20, 3, 20, 10, 34, 10, 34, 26, 12, 26, 12, 14, 4, 14], 496, 129.725806452, 74.761664536,
     132),
    ("ramp", [20, 2, 35, 14, 27, 28, 12, 25, 5, 11], 471, 125.288747346, 75.394321282, 123),
    ("ramp", [2, 2, 38, 2, 20, 15, 38, 28, 2, 28], 702, 128.602564103, 73.340937917, 129),
    ("board", [5, 5, 25, 5, 25, 25, 5, 25], 400, 127.500000000, 127.659674452, 255),
    ("board", [5, 5, 26, 5, 26, 26, 5, 26], 441, 127.210884354, 127.644475967, 0),
]  # fmt: skip


@pytest.mark.parametrize(("picture", "corners", "count", "mean", "sd", "median"), IMAGEJ)
def test_the_numbers_are_imagejs(picture, corners, count, mean, sd, median):
    y, x = np.mgrid[:30, :40]
    gray = {"ramp": (7 * x + 13 * y + x * y) % 256, "board": 255 * ((x + y) % 2)}[picture].astype(np.uint8)
    polygon = np.array(corners, float).reshape(-1, 2)[:, ::-1] - 0.5
    grey = grey_levels(gray, [[polygon]])
    assert grey.pixel_count[0] == count
    assert grey.mean[0] == pytest.approx(mean, abs=1e-8)
    assert grey.sd[0] == pytest.approx(sd, abs=1e-8)
    # For an even number of pixels ImageJ takes the upper of the two in the middle, numpy half-way.
    levels = np.sort(gray[mask_of([[polygon]], gray.shape) == 1])
    assert levels[count // 2] == median
    assert grey.percentiles[50][0] == np.median(levels)


@settings(deadline=None)
@given(st.floats(8.0, 40.0), st.floats(8.0, 40.0), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_area_agrees_with_scikit_images_pixel_count_within_the_perimeter(half_rows, half_cols, dr, dc):
    t = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    ellipse = np.c_[60 + dr + half_rows * np.sin(t), 60 + dc + half_cols * np.cos(t)]
    mask = mask_of([[ellipse]], (130, 130))
    (props,) = regionprops(label(mask))
    assert props.area == mask.sum()
    # A border passes a pixel centre by half a pixel on average, and to both sides alike.
    assert abs(area([ellipse]) - props.area) < 0.25 * perimeter([ellipse])
    assert np.allclose(props.centroid, ellipse.mean(axis=0), atol=0.2)


@settings(deadline=None)
@given(st.integers(0, 3), st.booleans())
def test_echo_intensity_is_unchanged_when_picture_and_outline_turn_together(quarter_turns, mirrored):
    rng = np.random.default_rng(3)
    gray = rng.integers(0, 256, (60, 60), dtype=np.uint8)
    t = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    outline = np.c_[29.2 + 17.3 * np.sin(t), 31.7 + 12.1 * np.cos(t)]
    turned_gray, turned = gray, outline
    if mirrored:
        turned_gray, turned = turned_gray[:, ::-1], np.c_[turned[:, 0], 59 - turned[:, 1]]
    for _ in range(quarter_turns):
        turned_gray, turned = np.rot90(turned_gray), np.c_[59 - turned[:, 1], turned[:, 0]]
    before, after = grey_levels(gray, [[outline]]), grey_levels(turned_gray, [[turned]])
    assert after.pixel_count[0] == before.pixel_count[0]
    assert after.mean[0] == before.mean[0]


@settings(deadline=None)
@given(st.integers(1, 4), st.integers(0, 100))
def test_echo_intensity_follows_gain_as_an_offset(scale, offset):
    """Grey levels are logs: the mean is linear in them, and nothing is normalised behind one's back."""
    gray = np.random.default_rng(4).integers(0, 30, (40, 40), dtype=np.uint8)
    outline = np.array([[3.2, 4.1], [5.5, 35.3], [33.1, 30.2], [30.7, 8.8]])
    before = grey_levels(gray, [[outline]]).mean[0]
    after = grey_levels((gray * scale + offset).astype(np.uint8), [[outline]]).mean[0]
    assert after == pytest.approx(scale * before + offset, rel=1e-12)


def test_an_outline_between_pixel_centres_has_no_grey_level():
    speck = np.array([[10.2, 10.2], [10.2, 10.8], [10.8, 10.8], [10.8, 10.2]])
    grey = grey_levels(np.full((30, 30), 9, dtype=np.uint8), [[speck]])
    assert grey.pixel_count[0] == 0
    assert np.isnan(grey.mean[0])


@pytest.mark.parametrize(
    ("corners", "share"),
    [
        ([[10, 10], [50, 50], [10, 50], [50, 10]], 0.5),  # a bow-tie
        ([[10, 10], [10, 50], [50, 50], [50, 10]], 0.0),
        ([[10, 10], [30, 20], [10, 30], [40, 40], [40, 0]], 0.0),  # a simple one with a notch
        ([[10, 10], [10, 50], [50, 50], [50, 10], [10, 10], [10, 50], [50, 50], [50, 10]], 0.0),
    ],
)
def test_an_outline_that_crosses_itself_is_found_by_its_share(corners, share):
    assert grey_levels(np.zeros((60, 60), np.uint8), [[np.array(corners, float)]]).doubtful[
        0
    ] == pytest.approx(share, abs=0.03)


@settings(deadline=None)
@given(polygons.filter(lambda p: len(p) == 3))
def test_no_triangle_is_taken_to_cross_itself(triangle):
    assert runs([[triangle]], (41, 51)).doubtful[0] == 0.0
