"""Nerves and vessels by the shipped network: at boxes, at clicks, and where it must refuse."""

from __future__ import annotations

import csv
import shutil
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage.draw import polygon2mask
from skimage.measure import label, regionprops

import usimg
from usimg.errors import FileRefused
from usimg.outline.nerve_contour import VERTICES, area, contours
from usimg.outline.nerve_model import read_model, shipped
from usimg.outline.nerve_network import CHANNELS, CLASSES, GRID, OTHER_NERVE, SIDE, THIS, Window, cut, shown
from usimg.outline.nerve_prompts import BoxLook, outlined, weighed
from usimg.outline.nerve_search import MAP, candidates, likeness
from usimg.outline.rims import ellipse_polygon, inside_polygon
from usimg.vision import cv2

WEIGHTS = files("usimg.outline.weights")


def dice(polygon, truth):
    mine = polygon2mask(truth.shape, polygon)
    return 2 * (mine & truth).sum() / (mine.sum() + truth.sum())


def dice_of(one, other):
    return 2 * (one & other).sum() / (one.sum() + other.sum())


@pytest.fixture(scope="module")
def copied(tmp_path_factory):
    """The shipped weights where they may be spoilt."""
    folder = tmp_path_factory.mktemp("weights")
    for ending in ("onnx", "toml"):
        shutil.copy(str(WEIGHTS / f"nerve.{ending}"), folder)
    return folder / "nerve.onnx"


def disc(radius, *, count=64):
    """Shares of a soft disc in a window's middle."""
    row, col = np.mgrid[:count, :count] - (count / 2 - 0.5)
    return (1 / (1 + np.exp((np.hypot(row, col) - radius) / 0.8))).astype(np.float32)


def test_a_contour_of_a_disc_has_its_area_and_place_to_a_hundredth():
    (polygon,) = contours(disc(17.3), Window(100.0, 50.0, 64.0, 128.0), level=0.5)
    assert polygon.shape == (VERTICES, 2)
    assert area(polygon) == pytest.approx(np.pi * 17.3**2 * 2, rel=0.01)
    np.testing.assert_allclose(polygon.mean(axis=0), [100, 50], atol=0.05)


def test_a_higher_level_draws_a_smaller_contour():
    window = Window(0.0, 0.0, 64.0, 64.0)
    (small,), (large,) = (contours(disc(15), window, level=level) for level in (0.7, 0.3))
    assert area(small) < area(large)


def test_of_two_pieces_the_one_at_the_click_is_taken():
    share = np.maximum(np.roll(disc(6), 15, axis=1), np.roll(disc(10), -15, axis=1))
    window = Window(32.0, 32.0, 64.0, 64.0)
    (at_click,) = contours(share, window, level=0.5, inside=(32.0, 47.0))
    assert at_click[:, 1].mean() == pytest.approx(47, abs=0.5)


def test_two_pieces_are_two_parts_and_a_speck_is_none():
    window = Window(32.0, 32.0, 64.0, 64.0)
    share = np.maximum(np.roll(disc(8), 15, axis=1), np.roll(disc(10), -15, axis=1))
    parts = contours(np.maximum(share, np.roll(disc(2), 24, axis=0)), window, level=0.5)
    assert [part[:, 1].mean() for part in parts] == pytest.approx([17, 47], abs=0.5)


def test_nothing_seen_is_no_contour():
    assert contours(np.zeros((64, 64), np.float32), Window(0.0, 0.0, 9.0, 9.0), level=0.5) == []


def test_what_the_network_is_shown_does_not_change_with_the_gain():
    gray = np.random.default_rng(0).uniform(20, 60, (SIDE, SIDE)).astype(np.float32)
    there, window = np.ones_like(gray), Window(64.0, 64.0, 128.0, 128.0)
    one, brighter = (shown(factor * gray, there, window, seed=(64.0, 64.0)) for factor in (1.0, 3.0))
    np.testing.assert_allclose(one, brighter, atol=0.6)
    assert np.corrcoef(one[0].ravel(), brighter[0].ravel())[0, 1] > 0.999


def test_a_window_over_the_border_says_where_there_is_no_picture():
    level, there = cut(np.full((100, 100), 50, np.float32), Window(0.0, 50.0, 100.0, 100.0))
    assert level.shape == there.shape == (SIDE, SIDE)
    assert there[: SIDE // 2 - 1].max() == 0
    assert there[SIDE // 2 + 1 :, : SIDE - 1].min() == 1


def test_weights_that_were_changed_are_refused(copied):
    content = bytearray(copied.read_bytes())
    content[len(content) // 2] ^= 1
    spoilt = copied.with_name("spoilt.onnx")
    spoilt.write_bytes(content)
    with pytest.raises(FileRefused, match="changed since it was written"):
        read_model(spoilt, copied.with_suffix(".toml"))


def test_weights_without_their_constants_are_refused(copied, tmp_path):
    shutil.copy(copied, tmp_path / "nerve.onnx")
    with pytest.raises(FileRefused, match="two files"):
        read_model(tmp_path / "nerve.onnx")


def test_weights_are_small_and_have_a_card():
    assert len(shipped().onnx) < 10_000_000
    assert shipped().sha256 in (Path(str(WEIGHTS)) / "nerve.md").read_text("utf-8")


def test_one_window_is_answered_as_it_is_among_others():
    pictures = np.random.default_rng(2).standard_normal((3, CHANNELS, SIDE, SIDE)).astype(np.float32)
    together = shipped().logits(pictures)
    np.testing.assert_array_equal(together[1:2], shipped().logits(pictures[1:2]))


@pytest.fixture(scope="module")
def nerve(wrist):
    (found,) = (s for s in wrist.sections if s.structure == "median_nerve")
    return found


def test_a_phantom_nerve_in_a_box_agrees_with_its_truth(wrist, nerve, pictures):
    frame = pictures.phantom_frame(wrist)
    (bare,) = usimg.segment(frame, "nerve", boxes=[nerve.box])
    (named,) = usimg.segment(frame, "median_nerve", boxes=[nerve.box])
    assert bare.method.startswith("nerve-network nerve-")
    assert dice(bare.polygon, polygon2mask(frame.shape, nerve.outside_rim)) > 0.9
    assert dice(named.polygon, polygon2mask(frame.shape, nerve.inside_rim)) > 0.85
    np.testing.assert_array_equal(named.alternatives[0].polygon, bare.polygon)


def test_a_click_on_a_phantom_nerve_finds_it(wrist, nerve, pictures):
    frame = pictures.phantom_frame(wrist)
    (roi,) = usimg.segment(frame, "nerve", seeds=[tuple(nerve.outside_rim.mean(axis=0))])
    assert dice(roi.polygon, polygon2mask(frame.shape, nerve.outside_rim)) > 0.7
    assert any("size was guessed" in flag for flag in roi.flags)


def test_the_same_question_gets_the_same_answer_bit_for_bit(wrist, nerve, pictures):
    frame = pictures.phantom_frame(wrist)
    one, two = (usimg.segment(frame, "nerve", boxes=[nerve.box])[0] for _ in range(2))
    np.testing.assert_array_equal(one.polygon, two.polygon)
    assert one.confidence == two.confidence


def test_a_mirrored_picture_gets_the_mirrored_outline(wrist, nerve, pictures):
    frame = pictures.phantom_frame(wrist)
    other = pictures.frame_of(wrist.image[:, ::-1], area=wrist.scan_area[:, ::-1])
    last = frame.shape[1] - 1
    r0, c0, r1, c1 = nerve.box
    (roi,) = usimg.segment(frame, "nerve", boxes=[nerve.box])
    (mirrored,) = usimg.segment(other, "nerve", boxes=[(r0, last - c1, r1, last - c0)])
    back = mirrored.polygon * [1, -1] + [0, last]
    assert dice(back, polygon2mask(frame.shape, roi.polygon)) > 0.995
    assert mirrored.confidence == pytest.approx(roi.confidence, abs=0.02)


def test_the_outline_moves_with_the_picture(wrist, nerve, pictures):
    (roi,) = usimg.segment(pictures.phantom_frame(wrist), "nerve", boxes=[nerve.box])
    moved = pictures.frame_of(
        np.pad(wrist.image, ((0, 0), (40, 0))), area=np.pad(wrist.scan_area, ((0, 0), (40, 0)))
    )
    r0, c0, r1, c1 = nerve.box
    (later,) = usimg.segment(moved, "nerve", boxes=[(r0, c0 + 40, r1, c1 + 40)])
    np.testing.assert_allclose(later.polygon, roi.polygon + np.array([0, 40]), atol=0.2)


def test_the_classical_contour_can_still_be_asked_for(wrist, nerve, pictures):
    (roi,) = usimg.segment(pictures.phantom_frame(wrist), "nerve", boxes=[nerve.box], segmenter="classical")
    assert roi.method.startswith("classical")


def test_the_muscle_network_leaves_nerves_to_theirs(wrist, nerve, pictures):
    (roi,) = usimg.segment(pictures.phantom_frame(wrist), "nerve", boxes=[nerve.box], segmenter="network")
    assert roi.method.startswith("nerve-network nerve-")


def test_without_a_prompt_a_named_nerve_is_not_guessed(wrist, pictures):
    for structure in ("median_nerve", "vessel"):
        assert usimg.segment(pictures.phantom_frame(wrist), structure, segmenter="nerve-network") == []


def test_what_is_suggested_without_a_prompt_is_never_trusted(shared_data):
    home = shared_data / "nerve_vessel"
    with (home / "manifest.csv").open() as table:
        rows = [r for r in csv.DictReader(table) if r["split"] == "train" and r["usable"] == "yes"]
    rois = [roi for r in rows[:6] for roi in usimg.segment(usimg.read(home / r["file"]).frames[0], "nerve")]
    assert rois
    for roi in rois:
        assert not roi.validated
        assert not roi.trusted
        assert "suggestion" in roi.flags[0]
        assert roi.alternatives[0].trace_rule == "inside_rim"


def test_what_is_a_vessels_is_not_the_nerves_even_in_the_middle_of_its_box():
    looks = np.full((2, CLASSES, GRID, GRID), 0.02, np.float32)
    looks[:, THIS] = 0.94
    looks[:, :, :, : GRID // 2] = np.array([0.02, 0.48, 0.02, 0.48], np.float32)[:, None, None]
    looks[:, :, :, : GRID // 4] = np.array([0.02, 0.08, 0.02, 0.88], np.float32)[:, None, None]
    box = (10.0, 10.0, 110.0, 110.0)
    constants = {"trust": 0.6, "box": 5.0, "at": 0.9, "level": 0.5}
    share = weighed(BoxLook(box, Window.of_box(box), looks), constants)
    assert share[GRID // 2, : GRID // 4].max() <= 0.121
    assert share[GRID // 2, GRID // 2 + 2] > 0.9


def test_a_place_far_out_of_the_box_needs_more_evidence_than_one_in_it():
    looks = np.full((2, CLASSES, GRID, GRID), 0.0, np.float32)
    looks[:, THIS], looks[:, 0] = 0.6, 0.4
    box = (10.0, 10.0, 110.0, 110.0)
    constants = {"trust": 0.6, "box": 5.0, "at": 0.9, "level": 0.5}
    (outline,) = outlined(BoxLook(box, Window.of_box(box), looks), constants).polygons
    assert outline.min() > 10
    assert area(outline) > 0.6 * 100**2


def test_a_candidate_is_a_piece_with_a_peak_where_the_map_says():
    shares = np.full((100, 200), 0.1, np.float32)
    shares[20:40, 60:100] = 0.85
    shares[30, 80] = 0.95
    shares[60:80, 20:40] = 0.9  # no peak
    shares[80:82, 150:152] = 0.99  # a speck
    (found,) = candidates(shares, (300, 600))
    assert found.box == pytest.approx((59.5 - 0.08 * 60, 179.5 - 0.08 * 120, 119.5 + 4.8, 299.5 + 9.6))


def test_a_map_of_likeness_lies_where_the_nerve_lies():
    def bright(pictures):
        logits = np.zeros((len(pictures), CLASSES, GRID, GRID), np.float32)
        small = pictures[:, 0].reshape(len(pictures), GRID, 2, GRID, 2).mean(axis=(2, 4))
        logits[:, OTHER_NERVE] = 20 * (small - 1.0)
        return logits

    gray = np.full((240, 360), 30, np.float32)
    gray[100:160, 200:300] = 200
    shares = likeness(gray, bright)
    assert shares.shape == (MAP, round(MAP * 1.5))
    inside = cv2.resize(shares, (360, 240)) > 0.5
    assert dice_of(inside, gray > 100) > 0.95


@pytest.mark.parametrize("structure", ["nerve", "vessel", "median_nerve"])
@pytest.mark.parametrize(
    ("prompt", "reason"),
    [
        ({"boxes": [(10, 10, 10, 50)]}, "no area"),
        ({"boxes": [(-90, -90, -10, -10)]}, "outside the frame"),
        ({"boxes": [(10, 10, float("nan"), 50)]}, "not a number"),
        ({"boxes": [(10, 10, 12, 12)]}, "smaller than"),
        ({"seeds": [(float("nan"), 3)]}, "not a number"),
        ({"seeds": [(-50, 3)]}, "outside the frame"),
    ],
)
def test_a_useless_prompt_gives_a_failed_outline_that_says_why(pictures, structure, prompt, reason):
    noise = np.random.default_rng(1).integers(0, 255, (200, 300))
    (roi,) = usimg.segment(pictures.frame_of(noise), structure, **prompt)
    assert roi.polygon is None
    assert roi.confidence == 0.0
    assert reason in roi.flags[0]


def test_an_inner_contour_lies_inside_a_concave_outer_one():
    angle = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    radius = 40 * (1 - 0.45 * np.exp(-((angle - np.pi / 2) ** 2) / 0.3))
    outer = np.column_stack([80 + radius * np.sin(angle), 90 + 1.5 * radius * np.cos(angle)])
    gray = np.random.default_rng(0).uniform(0, 255, (160, 180)).astype(np.float32)
    inner = inside_polygon(gray, outer)
    mask = polygon2mask(gray.shape, outer)
    kept = polygon2mask(gray.shape, inner)
    assert (kept & ~mask).sum() <= 0.005 * mask.sum()
    assert 0.45 * area(outer) < area(inner) < area(outer)


def test_real_nerves_and_vessels_agree_with_the_expert_by_a_margin_over_the_boxes_ellipse(shared_data):
    """A part of the training pictures: learnt from these, so this is no figure, but a floor."""
    home, rng = shared_data / "nerve_vessel", np.random.default_rng(3)
    with (home / "manifest.csv").open() as table:
        rows = [r for r in csv.DictReader(table) if r["split"] == "train" and r["usable"] == "yes"]
    for structure, value in (("nerve", 1), ("vessel", 2)):
        found = []
        for row in rows[::8]:
            parts = label(np.asarray(Image.open(home / row["mask"])) == value)
            frame = usimg.read(home / row["file"]).frames[0]
            for part in regionprops(parts):
                if part.area < 150:
                    continue
                r0, c0, r1, c1 = part.bbox
                sides = np.array([r1 - r0, c1 - c0, r1 - r0, c1 - c0])
                box = tuple(np.array(part.bbox) - 0.5 + rng.normal(0, 0.05, 4) * sides)
                (roi,) = usimg.segment(frame, structure, boxes=[box])
                truth = parts == part.label
                found.append((dice(roi.polygon, truth), dice(ellipse_polygon(box), truth)))
        ours, ellipse = np.mean(found, axis=0)
        assert ours > 0.88, structure
        assert ours > ellipse + 0.02, structure
