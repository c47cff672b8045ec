"""Muscle layers: where the lines are, which two are chosen, and what is said when that is unsure."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from PIL import Image

import usimg
from usimg import simulate
from usimg.errors import AnatomyUnknown, OutlineRefused


def field(phantom):
    """The phantom's picture without the black round it."""
    rows, cols = np.nonzero(phantom.scan_area.all(axis=1))[0], np.nonzero(phantom.scan_area.any(axis=0))[0]
    if not len(rows):
        rows = np.nonzero(phantom.scan_area.any(axis=1))[0]
    return phantom.image[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]


@pytest.mark.parametrize("structure", ["biceps_brachii", "brachialis", "biceps_brachialis"])
def test_a_healthy_arm_is_measured_within_five_percent(upper_arm, structure, pictures):
    (roi,) = usimg.segment(pictures.phantom_frame(upper_arm), structure)
    truth = upper_arm.layer(structure)
    assert pictures.thickness(roi.upper, roi.lower) == pytest.approx(
        pictures.thickness(truth.upper, truth.lower), rel=0.05
    )
    assert roi.trace_rule == "inner_edges"
    assert not roi.validated


def test_fat_is_measured_from_skin_to_superficial_fascia(upper_arm, pictures):
    found = {roi.structure: roi for roi in usimg.segment(pictures.phantom_frame(upper_arm), "upper_arm")}
    truth = upper_arm.layer("subcutaneous_fat")
    roi = found["subcutaneous_fat"]
    # 4 mm of fat are 25 px here: a pixel of skin is 4 %.
    assert abs(pictures.thickness(roi.upper, roi.lower) - pictures.thickness(truth.upper, truth.lower)) < 2.0


def test_a_view_gives_each_of_its_structures_once_and_the_sum_is_one_outline(upper_arm, pictures):
    rois = usimg.segment(pictures.phantom_frame(upper_arm), "upper_arm")
    found = {roi.structure: roi for roi in rois}
    assert list(found) == ["subcutaneous_fat", "biceps_brachii", "brachialis", "biceps_brachialis"]
    np.testing.assert_array_equal(found["biceps_brachialis"].upper, found["biceps_brachii"].upper)
    np.testing.assert_array_equal(found["biceps_brachialis"].lower, found["brachialis"].lower)


def test_both_calf_muscles_are_measured_within_five_percent(calf, pictures):
    for structure in ("gastrocnemius_medialis", "soleus"):
        (roi,) = usimg.segment(pictures.phantom_frame(calf), structure)
        truth = calf.layer(structure)
        assert pictures.thickness(roi.upper, roi.lower) == pytest.approx(
            pictures.thickness(truth.upper, truth.lower), rel=0.05
        )


def test_moving_the_picture_in_the_frame_moves_the_outline_along(calf, pictures):
    picture = field(calf)
    here = np.zeros((picture.shape[0] + 60, picture.shape[1] + 80), np.uint8)
    there, area, moved = here.copy(), np.zeros(here.shape, bool), np.zeros(here.shape, bool)
    rows, cols = picture.shape
    here[10 : 10 + rows, 20 : 20 + cols], area[10 : 10 + rows, 20 : 20 + cols] = picture, True
    there[47 : 47 + rows, 65 : 65 + cols], moved[47 : 47 + rows, 65 : 65 + cols] = picture, True
    (one,) = usimg.segment(pictures.frame_of(here, area=area))
    (other,) = usimg.segment(pictures.frame_of(there, area=moved))
    np.testing.assert_allclose(other.polygon - one.polygon, np.tile([37.0, 45.0], (len(one.polygon), 1)))


def test_a_mirrored_picture_gives_the_mirrored_outline(calf, pictures):
    picture = field(calf)
    (one,) = usimg.segment(pictures.frame_of(picture))
    (other,) = usimg.segment(pictures.frame_of(picture[:, ::-1]))
    flipped = other.upper[::-1] * [1, -1] + [0, picture.shape[1] - 1]
    assert np.abs(flipped[:, 1] - one.upper[:, 1]).max() < 1e-6
    assert np.abs(flipped[:, 0] - one.upper[:, 0]).max() < 0.5
    assert pictures.thickness(other.upper, other.lower) == pytest.approx(
        pictures.thickness(one.upper, one.lower), rel=0.005
    )


def test_the_same_frame_gives_the_same_outline_bit_for_bit(calf, pictures):
    (one,), (two,) = (usimg.segment(pictures.phantom_frame(calf)) for _ in range(2))
    np.testing.assert_array_equal(one.polygon, two.polygon)
    assert one.confidence == two.confidence
    assert len(one.alternatives) == len(two.alternatives) > 0


def test_alternatives_are_other_pairs_ready_to_be_taken(calf, pictures):
    (roi,) = usimg.segment(pictures.phantom_frame(calf))
    for other in roi.alternatives:
        assert other.polygon is not None
        assert not np.array_equal(other.polygon, roi.polygon)
        assert other.structure == roi.structure


def test_each_pane_of_a_dual_picture_gets_its_own_outline(calf, upper_arm, pictures):
    left, right = field(calf), field(upper_arm)
    rows = max(len(left), len(right))
    gray = np.zeros((rows, left.shape[1] + right.shape[1] + 10), np.uint8)
    gray[: len(left), : left.shape[1]] = left
    gray[: len(right), -right.shape[1] :] = right
    boxes = [(0, 0, len(left), left.shape[1]), (0, gray.shape[1] - right.shape[1], len(right), gray.shape[1])]
    rois = usimg.segment(
        pictures.frame_of(gray, regions=[pictures.pane(k, box) for k, box in enumerate(boxes)])
    )
    assert sorted(roi.region for roi in rois) == [0, 1]
    for roi in rois:
        _, c0, _, c1 = boxes[roi.region]
        assert c0 <= roi.polygon[:, 1].min()
        assert roi.polygon[:, 1].max() <= c1 - 1


def test_a_drawn_line_across_the_picture_is_not_taken_for_a_fascia(calf, pictures):
    plain = field(calf)
    (truth,) = usimg.segment(pictures.frame_of(plain))
    drawn, overlays = plain.copy(), np.zeros(plain.shape, bool)
    middle = int(0.5 * (truth.upper[:, 0].mean() + truth.lower[:, 0].mean()))
    drawn[middle : middle + 4], overlays[middle : middle + 4] = 255, True
    (roi,) = usimg.segment(pictures.frame_of(drawn, overlays=overlays))
    assert pictures.thickness(roi.upper, roi.lower) == pytest.approx(
        pictures.thickness(truth.upper, truth.lower), rel=0.02
    )
    # The same line unmarked is a bright line like any other to the search for lines: the mask is what makes
    # the difference.
    (fooled,) = usimg.segment(pictures.frame_of(drawn), segmenter="classical")
    assert pictures.thickness(fooled.upper, fooled.lower) < 0.9 * pictures.thickness(truth.upper, truth.lower)
    (kept,) = usimg.segment(pictures.frame_of(drawn, overlays=overlays), segmenter="classical")
    assert pictures.thickness(kept.upper, kept.lower) == pytest.approx(
        pictures.thickness(truth.upper, truth.lower), rel=0.02
    )


def test_an_outline_stays_inside_the_scan_area(calf, pictures):
    picture = field(calf)
    area = np.ones(picture.shape, bool)
    area[:, : picture.shape[1] // 6] = False
    for roi in usimg.segment(pictures.frame_of(picture, area=area)):
        assert roi.polygon[:, 1].min() >= picture.shape[1] // 6


@pytest.mark.parametrize("level", [0, 255])
@pytest.mark.parametrize("shape", [(300, 400), (60, 50), (20, 20), (1, 1), (1, 500)])
@pytest.mark.parametrize("structure", ["muscle", "brachialis", "subcutaneous_fat", "nerve", "vessel"])
def test_an_empty_picture_gives_no_trusted_outline_and_no_crash(level, shape, structure, pictures):
    for roi in usimg.segment(pictures.frame_of(np.full(shape, level)), structure):
        assert roi.confidence < 0.5
        assert roi.flags


def test_a_frame_without_tissue_gives_nothing(pictures):
    gray = np.full((200, 300), 90)
    assert usimg.segment(pictures.frame_of(gray, area=np.zeros(gray.shape, bool))) == []


def test_a_click_chooses_the_compartment_it_lies_in(calf, pictures):
    truth = calf.layer("soleus")
    middle = 0.5 * (truth.upper + truth.lower)[len(truth.upper) // 2]
    (roi,) = usimg.segment(pictures.phantom_frame(calf), "muscle", seeds=[tuple(middle)])
    assert pictures.thickness(roi.upper, roi.lower) == pytest.approx(
        pictures.thickness(truth.upper, truth.lower), rel=0.05
    )


def test_a_click_on_no_layer_says_so(calf, pictures):
    (roi,) = usimg.segment(pictures.phantom_frame(calf), "muscle", seeds=[(0, 0)])
    assert roi.polygon is None
    assert roi.confidence == 0.0
    assert roi.flags == ("the click lies outside the picture's tissue",)


def test_plane_decides_whether_an_outline_counts_as_validated(calf, pictures):
    frame = pictures.phantom_frame(calf)
    assert usimg.segment(frame, "muscle", plane="longitudinal")[0].validated
    assert not usimg.segment(frame, "muscle")[0].validated
    assert not usimg.segment(frame, "muscle", plane="transverse")[0].validated


def test_a_field_of_another_shape_lowers_the_confidence_and_says_so(calf, pictures):
    picture = field(calf)
    row, col = np.mgrid[: picture.shape[0], : picture.shape[1]]
    # A trapezoid: the field widens from two thirds of the width at the top.
    area = np.abs(col - picture.shape[1] / 2) < picture.shape[1] * (0.33 + 0.17 * row / picture.shape[0])
    area &= row < picture.shape[0] * 0.95
    (plain,) = usimg.segment(pictures.frame_of(picture), plane="longitudinal")
    (roi,) = usimg.segment(pictures.frame_of(picture, area=area), plane="longitudinal")
    assert plain.validated
    assert not roi.validated
    assert roi.confidence < plain.confidence
    assert any("trapezoid" in flag for flag in roi.flags)


def test_unknown_structures_and_what_has_no_area_are_refused(calf, pictures):
    with pytest.raises(AnatomyUnknown):
        usimg.segment(pictures.phantom_frame(calf), "bizeps brachi")
    with pytest.raises(OutlineRefused, match="cannot outline"):
        usimg.segment(pictures.phantom_frame(calf), "humerus")
    with pytest.raises(OutlineRefused, match="name the one"):
        usimg.segment(pictures.phantom_frame(calf), "upper_arm", seeds=[(10, 10)])


def experts_edges(mask, rows):
    """Lower edge of the first and upper edge of the second labelled band, per column."""
    from scipy import ndimage

    parts, count = ndimage.label(mask, np.ones((3, 3)))
    wide = [k for k in range(1, count + 1) if np.ptp(np.nonzero(parts == k)[1]) > 0.3 * mask.shape[1]]
    wide.sort(key=lambda k: np.nonzero(parts == k)[0].mean())
    first, second = parts == wide[0], parts == wide[1]
    upper = np.where(first.any(0), rows - 0.5 - first[::-1].argmax(0), np.nan)
    return upper, np.where(second.any(0), second.argmax(0) - 0.5, np.nan)


def test_real_longitudinal_images_agree_with_experts(shared_data):
    """Every fifth training picture: the recipe was fitted on these, so this is no figure, but a floor."""
    home = shared_data / "dltrack_apo"
    with (home / "manifest.csv").open() as table:
        rows = [r for r in csv.DictReader(table) if r["split"] == "train"]
    errors, confidences = [], []
    for row in [r for r in rows if r["usable"] == "yes"][::5]:
        mask = np.asarray(Image.open(home / row["mask"]).convert("L")) > 0
        upper, lower = experts_edges(mask, mask.shape[0])
        (roi,) = usimg.segment(usimg.read(home / row["file"]).frames[0], plane="longitudinal")
        cols = np.arange(np.ceil(roi.upper[0, 1]), np.floor(roi.upper[-1, 1]) + 1).astype(int)
        seen = cols[np.isfinite(upper + lower)[cols]]
        mine = np.interp(seen, *roi.lower.T[::-1]) - np.interp(seen, *roi.upper.T[::-1])
        errors.append(abs(mine.mean() / (lower - upper)[seen].mean() - 1))
        confidences.append(roi.confidence)
    error, sure = np.array(errors), np.array(confidences) >= 0.5
    assert np.median(error) < 0.015
    assert (error > 0.10).mean() < 0.10
    assert sure.mean() > 0.6
    assert (error[sure] > 0.10).mean() < 0.04


def test_layers_over_bone_are_found_in_a_curved_field(pictures):
    curved = simulate.Setup(field=simulate.Field.curved(75.0, radius_mm=50.0, half_angle_deg=28.0))
    thigh = simulate.anterior_thigh(109, setup=curved)
    found = {roi.structure: roi for roi in usimg.segment(pictures.phantom_frame(thigh), "anterior_thigh")}
    for name in ("rectus_femoris", "vastus_intermedius"):
        truth, roi = thigh.layer(name), found[name]
        assert pictures.thickness(roi.upper, roi.lower) == pytest.approx(
            pictures.thickness(truth.upper, truth.lower), rel=0.1
        )
        assert not roi.trusted
