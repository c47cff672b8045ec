"""The table of one frame: every number by its definition, every missing one with a reason."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usimg.anatomy import EchoRoi, Protocol, ThicknessDefinition
from usimg.errors import AnatomyUnknown
from usimg.measurement import COLUMNS, measure
from usimg.roi import Roi
from usimg.scan import Calibration, Region

T = np.linspace(0, 2 * np.pi, 360, endpoint=False)


def circle(row=150.0, col=200.0, radius=40.0):
    return np.c_[row + radius * np.sin(T), col + radius * np.cos(T)]


def layer(top=100.0, bottom=200.0, first=0.0, last=399.0):
    x = np.linspace(first, last, 60)
    return np.c_[np.full(60, top), x], np.c_[np.full(60, bottom), x]


def layer_roi(structure="biceps_brachii", **where):
    upper, lower = layer(**where)
    return Roi(structure=structure, polygon=np.r_[upper, lower[::-1]], upper=upper, lower=lower)


def row_of(frame, roi, **options):
    return measure(frame, [roi], **options).iloc[0]


def pane(index, box, calibration=None, reason=""):
    return Region(index, "2d", "tissue", box, box, calibration, reason)


# ---------------------------------------------------------------- numbers


def test_a_nerve_has_the_area_of_its_outline_by_the_rule_of_its_structure(frame_of, speckle):
    row = row_of(frame_of(speckle, (0.1, 0.05)), Roi(structure="N. medianus", polygon=circle()))
    assert row.structure == "median_nerve"
    assert row.csa_mm2 == pytest.approx(math.pi * 1600 * 0.1 * 0.05, rel=1e-4)
    assert row.csa_px2 == pytest.approx(math.pi * 1600, rel=1e-4)
    assert row.trace_rule == "inside_rim"
    assert math.isnan(row.thickness_mm)
    assert "a nerve is not measured by it" in row.reason


def test_a_bifid_nerve_is_the_sum_of_its_parts(frame_of, speckle):
    frame = frame_of(speckle)
    parts = circle(100, 100, 20), circle(100, 160, 15)
    row = row_of(frame, Roi(structure="median_nerve", polygons=parts))
    alone = measure(frame, [Roi(structure="median_nerve", polygon=p) for p in parts])
    assert row.n_parts == 2
    assert row.csa_mm2 == pytest.approx(alone.csa_mm2.sum())
    assert row.pixel_count == alone.pixel_count.sum()
    weighted = (alone.echo_intensity * alone.pixel_count).sum() / alone.pixel_count.sum()
    assert row.echo_intensity == pytest.approx(weighted)


def test_a_layer_has_its_primary_thickness_and_every_other_under_its_own_name(frame_of, speckle):
    row = row_of(frame_of(speckle, (0.1, 0.05)), layer_roi())
    assert row.thickness_rule == "mean_vertical"
    assert row.thickness_mm == pytest.approx(10.0)
    assert row.thickness_px == pytest.approx(100.0)
    assert row.thickness_max_perpendicular_mm == pytest.approx(10.0)


def test_a_structures_own_definition_chooses_the_primary_thickness(frame_of, speckle):
    upper, lower = layer()
    lower = lower + np.c_[np.linspace(0, 60, 60), np.zeros(60)]
    roi = Roi(structure="gastrocnemius_medialis", polygon=np.r_[upper, lower[::-1]], upper=upper, lower=lower)
    row = row_of(frame_of(speckle, (0.1, 0.1)), roi)
    assert row.thickness_rule == "mean_perpendicular"
    assert row.thickness_mm == row.thickness_mean_perpendicular_mm < row.thickness_mean_vertical_mm


def test_a_laboratorys_protocol_chooses_the_primary_thickness_and_the_echo_region(frame_of, speckle):
    lab = Protocol(
        "lab",
        echo_roi=EchoRoi(margin_mm=1.0, central_width=0.5),
        thickness={"biceps_brachii": ThicknessDefinition("max", "vertical", ("superficial_fascia", "bone"))},
    )
    row = row_of(frame_of(speckle), layer_roi(), protocol=lab)
    assert row.thickness_rule == "max_vertical"
    assert row.thickness_mm == row.thickness_max_vertical_mm
    assert row.echo_rule == "inside_fascia_1mm_width_0.5_depth_0-1"
    assert row.echo_pixel_count == pytest.approx(0.5 * 399 * 80, rel=0.02)


def test_echo_intensity_by_protocol_holds_no_fascia(frame_of):
    gray = np.full((300, 400), 60, dtype=np.uint8)
    gray[97:103], gray[197:203] = 220, 220  # the inner half of each fascia, let in by a careless outline
    row = row_of(frame_of(gray, (0.1, 0.1)), layer_roi())
    assert row.echo_intensity > 60.0
    assert row.echo_intensity_protocol == 60.0
    assert row.echo_rule == "largest_inside_fascia_0.5mm"


def test_a_muscle_and_its_mirror_image_have_the_same_numbers(frame_of, speckle):
    upper, lower = layer(first=20.0, last=350.0)
    lower = lower + np.c_[8 * np.sin(np.linspace(0, 3, 60)), np.zeros(60)]
    outline = np.r_[upper, lower[::-1]] + (0.3, 0.2)
    there = row_of(frame_of(speckle), Roi(structure="biceps_brachii", polygon=outline))
    mirrored = np.c_[outline[:, 0], 399 - outline[:, 1]]
    back = row_of(frame_of(speckle[:, ::-1]), Roi(structure="biceps_brachii", polygon=mirrored))
    for name in ("thickness_mm", "csa_mm2", "perimeter_mm", "echo_intensity", "depth_max_mm"):
        assert back[name] == pytest.approx(there[name], rel=1e-9)


def test_depth_counts_from_the_skin_side_of_the_field(frame_of, speckle):
    scan_area = np.zeros((300, 400), dtype=bool)
    scan_area[50:290, 10:390] = True
    row = row_of(frame_of(speckle, scan_area=scan_area), Roi(structure="nerve", polygon=circle(150, 200, 40)))
    assert row.depth_min_mm == pytest.approx((110 - 49.5) * 0.1)
    assert row.depth_max_mm == pytest.approx((190 - 49.5) * 0.1)


def test_fat_is_measured_like_a_layer(frame_of, speckle):
    row = row_of(frame_of(speckle), layer_roi("subcutaneous fat", top=10.0, bottom=55.0))
    assert row.structure == "subcutaneous_fat"
    assert row.thickness_mm == pytest.approx(4.5)


def test_a_caliper_line_gives_a_thickness_and_nothing_else(frame_of, speckle):
    row = row_of(frame_of(speckle, (0.1, 0.05)), Roi(structure="biceps", line=[[10, 20], [40, 100]]))
    assert row.thickness_rule == "caliper"
    assert row.thickness_mm == pytest.approx(5.0)
    assert row.thickness_px == pytest.approx(math.hypot(30, 80))
    assert math.isnan(row.csa_mm2)
    assert math.isnan(row.echo_intensity)
    assert "caliper" in row.reason


# ---------------------------------------------------------------- scale


def test_without_a_scale_there_are_pixels_only_and_the_reason_is_the_scales(frame_of, speckle):
    frame = frame_of(speckle, None)
    table = measure(frame, [layer_roi(), Roi(structure="median_nerve", polygon=circle())])
    in_mm = [name for name in COLUMNS if name.endswith(("_mm", "_mm2"))]
    assert table[in_mm].isna().all(axis=None)
    assert table.reason.str.contains("no length in mm: the file states no scale").all()
    assert not table.reason.str.contains("scan.dcm").any()  # a table reaches reports, a file name does not
    assert table.thickness_px[0] == pytest.approx(100.0)
    assert table.csa_px2[1] == pytest.approx(math.pi * 1600, rel=1e-4)
    assert table.echo_intensity.notna().all()
    assert math.isnan(table.echo_intensity_protocol[0])
    assert "which needs a scale" in table.reason[0]


def test_an_outline_in_the_second_picture_of_two_has_the_second_pictures_scale(frame_of, speckle):
    frame = frame_of(
        speckle,
        regions=[
            pane(0, (0, 0, 300, 200), Calibration(0.1, 0.1, "region", region=0)),
            pane(1, (0, 200, 300, 400), Calibration(0.2, 0.2, "region", region=1)),
        ],
    )
    table = measure(frame, [Roi(structure="nerve", polygon=circle(150, c, 40)) for c in (100, 300, 200)])
    assert table.csa_mm2[1] == pytest.approx(4 * table.csa_mm2[0])
    assert list(table.region[:2]) == [0, 1]
    assert math.isnan(table.csa_mm2[2])
    assert "crosses two pictures" in table.reason[2]


def test_a_picture_whose_region_is_not_calibrated_says_why(frame_of, speckle):
    frame = frame_of(speckle, regions=[pane(0, (0, 0, 300, 400), reason="units code 4 is no length")])
    row = row_of(frame, Roi(structure="nerve", polygon=circle()))
    assert math.isnan(row.csa_mm2)
    assert "units code 4 is no length" in row.reason


# ---------------------------------------------------------------- refused


def test_a_layer_cut_by_the_field_has_no_area_and_says_so(frame_of, speckle):
    row = row_of(frame_of(speckle), layer_roi())
    assert math.isnan(row.csa_mm2)
    assert math.isnan(row.csa_px2)
    assert "no cross-sectional area: the layer is cut by the edge of the field" in row.reason


@pytest.mark.parametrize(("first", "last"), [(60, 340), (60, 398), (2, 340), (15, 385)])
def test_only_a_layer_that_ends_inside_the_field_on_both_sides_has_an_area(frame_of, speckle, first, last):
    upper, lower = layer(first=first, last=last)
    row = row_of(frame_of(speckle), Roi(structure="biceps_brachii", polygon=np.r_[upper, lower[::-1]]))
    whole = first == 60 and last == 340
    assert math.isfinite(row.csa_mm2) == whole
    assert ("cut by the edge" in row.reason) != whole


def test_a_layer_followed_part_of_the_way_has_no_area_but_a_closed_muscle_has(frame_of, speckle):
    """What a person closes is a section; where a layer's edges stopped being seen, nothing ends."""
    frame = frame_of(speckle)
    followed = row_of(frame, layer_roi(first=60, last=340))
    assert math.isnan(followed.csa_mm2)
    assert "open at its ends" in followed.reason
    corrected = layer_roi(first=60, last=340).with_polygons(layer_roi(first=70, last=330).polygon)
    closed = row_of(frame, corrected)
    assert math.isfinite(closed.csa_mm2)
    # Its row says so, and what is read back from the row is measured alike.
    assert (followed.trace_rule, closed.trace_rule) == ("inner_edges", "inner_edges_closed")
    assert row_of(frame, replace(corrected, trace_rule=closed.trace_rule)).csa_mm2 == closed.csa_mm2
    assert math.isnan(row_of(frame, replace(corrected, trace_rule="inner_edges")).csa_mm2)
    whole = Roi(structure="biceps_brachii", polygon=circle(150, 200, 80), trace_rule="inner_edges")
    assert row_of(frame, whole).csa_mm2 == pytest.approx(math.pi * 64, rel=1e-3)


def test_a_longitudinal_picture_has_no_cross_section(frame_of, speckle):
    roi = Roi(structure="median_nerve", polygon=circle(), plane="longitudinal")
    row = row_of(frame_of(speckle), roi)
    assert math.isnan(row.csa_mm2)
    assert "longitudinal" in row.reason


def test_an_outline_that_reaches_beyond_the_picture_has_no_area(frame_of, speckle):
    row = row_of(frame_of(speckle), Roi(structure="median_nerve", polygon=circle(10, 200, 40)))
    assert math.isnan(row.csa_mm2)
    assert "reaches beyond the picture" in row.reason
    assert row.pixel_count > 0


def test_an_outline_that_crosses_itself_has_no_area(frame_of, speckle):
    bow_tie = np.array([[50, 50], [150, 150], [50, 150], [150, 50]], float)
    row = row_of(frame_of(speckle), Roi(structure="median_nerve", polygon=bow_tie))
    assert math.isnan(row.csa_mm2)
    assert math.isnan(row.csa_px2)
    assert "crosses itself; redraw it" in row.reason


def test_parts_that_overlap_have_no_area_because_it_would_count_twice(frame_of, speckle):
    roi = Roi(structure="median_nerve", polygons=(circle(100, 100, 30), circle(100, 150, 30)))
    row = row_of(frame_of(speckle), roi)
    assert math.isnan(row.csa_mm2)
    assert "its parts overlap" in row.reason


@pytest.mark.parametrize("width", [0.0, 1e-38, 1e-4])
def test_an_outline_without_width_is_a_row_with_reasons(frame_of, speckle, width):
    sliver = np.array([[50, 50], [90, 50], [90, 50 + width]])
    row = row_of(frame_of(speckle), Roi(structure="muscle", polygon=sliver))
    assert math.isnan(row.thickness_mm)
    assert "the outline has no width" in row.reason


def test_a_muscle_drawn_in_two_parts_has_an_area_but_no_thickness(frame_of, speckle):
    roi = Roi(structure="rectus_femoris", polygons=(circle(100, 100, 30), circle(100, 200, 30)))
    row = row_of(frame_of(speckle), roi)
    assert row.csa_mm2 == pytest.approx(2 * math.pi * 9, rel=1e-3)
    assert "no thickness: it is drawn in 2 parts" in row.reason


def test_a_combined_structure_has_no_echo_intensity_by_protocol_because_of_the_fascia_inside(
    frame_of, speckle
):
    row = row_of(frame_of(speckle), layer_roi("biceps_brachialis"))
    assert row.thickness_mm == pytest.approx(10.0)
    assert math.isnan(row.echo_intensity_protocol)
    assert "fascia lies between its parts" in row.reason


def test_a_prompt_that_failed_is_a_row_with_its_reason(frame_of, speckle):
    row = row_of(frame_of(speckle), Roi(structure="nerve", flags=("no rim around the seed",)))
    assert row.n_parts == 0
    assert "nothing was drawn (no rim around the seed)" in row.reason


def test_an_unknown_structure_is_refused_with_the_nearest(frame_of, speckle):
    with pytest.raises(AnatomyUnknown, match="median_nerve"):
        measure(frame_of(speckle), [Roi(structure="median nerv", polygon=circle())])


# ---------------------------------------------------------------- flags


def flags_of(frame, roi):
    return row_of(frame, roi)["flags"]  # row.flags is pandas' own


def test_a_good_outline_in_a_good_picture_has_no_flag(frame_of, speckle):
    assert flags_of(frame_of(speckle), Roi(structure="nerve", polygon=circle())) == ""


def test_flags_name_what_is_doubtful_about_the_grey_levels(frame_of):
    gray = np.random.default_rng(2).integers(20, 200, (300, 400), dtype=np.uint8)
    gray[100:150, 50:100] = 255
    gray[100:150, 150:200] = 90
    overlays = np.zeros((300, 400), dtype=bool)
    overlays[120, 250:260] = True
    frame = frame_of(gray, overlays=overlays)
    assert flags_of(frame, Roi(structure="nerve", polygon=circle(125, 60, 30))) == "saturated"
    assert flags_of(frame, Roi(structure="nerve", polygon=circle(125, 175, 15))) == "low contrast"
    assert flags_of(frame, Roi(structure="nerve", polygon=circle(125, 255, 15))) == "overlay in the outline"
    assert flags_of(frame, Roi(structure="nerve", polygon=circle(125, 350, 3))) == "few pixels"


def test_flags_name_an_outline_at_the_border_of_the_field(frame_of, speckle):
    scan_area = np.zeros((300, 400), dtype=bool)
    scan_area[20:280, 50:350] = True
    frame = frame_of(speckle, scan_area=scan_area)
    assert (
        flags_of(frame, Roi(structure="nerve", polygon=circle(150, 91, 40)))
        == "touches the edge of the field"
    )
    assert "picture too shallow" in flags_of(frame, layer_roi(bottom=279.0, first=51, last=349))
    assert "too shallow" not in flags_of(frame, layer_roi(bottom=270.0, first=51, last=349))


def test_the_flags_of_outline_and_scale_are_kept(frame_of, speckle):
    frame = frame_of(speckle).with_calibration(Calibration(0.1, 0.1, "ruler", flags=("scale from 2 ticks",)))
    roi = Roi(structure="nerve", polygon=circle(), flags=("faint rim",), confidence=0.4)
    row = row_of(frame, roi)
    assert row["flags"] == "faint rim; scale from 2 ticks"
    assert row.confidence == 0.4
    assert row.scale_source == "ruler"


# ---------------------------------------------------------------- the table itself


def test_the_columns_and_their_dtypes_are_always_the_same(frame_of, speckle):
    frame = frame_of(speckle)
    empty = measure(frame, [])
    full = measure(frame, [layer_roi(), Roi(structure="nerve"), Roi(structure="nerve", polygon=circle())])
    assert list(empty.columns) == list(full.columns) == list(COLUMNS)
    assert len(empty) == 0
    assert (empty.dtypes == full.dtypes).all()
    assert full.thickness_mm.dtype == float
    assert full.validated.dtype == bool


def test_edges_without_an_outline_give_a_thickness_and_say_what_is_missing(frame_of, speckle):
    upper, lower = layer()
    row = row_of(frame_of(speckle), Roi(structure="biceps", upper=upper, lower=lower))
    assert row.thickness_mm == pytest.approx(10.0)
    assert "no closed outline" in row.reason


def test_a_definition_that_was_not_read_in_a_source_says_so_in_its_row(frame_of, speckle):
    frame = frame_of(speckle)
    upper, lower = layer()
    outline = np.r_[upper, lower[::-1]]
    verified = row_of(frame, Roi(structure="forearm_radial", site="distal_third", polygon=outline))
    assert verified.definition_verified
    assert verified.definition_source.startswith("DOI")
    assert not row_of(frame, Roi(structure="biceps_brachii", polygon=outline)).definition_verified
    nerve = row_of(frame, Roi(structure="median_nerve", site="wrist", polygon=circle()))
    assert not nerve.definition_verified
    assert "PMC8104199" in nerve.definition_source


@st.composite
def any_roi(draw):
    structure = draw(
        st.sampled_from(["muscle", "nerve", "tongue", "subcutaneous_fat", "femur", "biceps_brachialis"])
    )
    plane = draw(st.sampled_from(["", "transverse", "longitudinal"]))
    point = st.tuples(st.floats(-40, 340), st.floats(-40, 440))
    if draw(st.booleans()):
        points = draw(st.lists(point, min_size=3, max_size=8))
        return Roi(structure=structure, plane=plane, polygon=np.array(points))
    if draw(st.booleans()):
        return Roi(structure=structure, plane=plane, line=np.array([draw(point), draw(point)]))
    return Roi(structure=structure)


@settings(max_examples=150, deadline=None)
@given(st.lists(any_roi(), max_size=3), st.booleans())
def test_no_number_is_missing_without_a_reason(frame_of, speckle, rois, calibrated):
    table = measure(frame_of(speckle, (0.1, 0.07) if calibrated else None), rois)
    numbers = table.select_dtypes("float64").drop(columns="confidence")
    assert (table.reason[numbers.isna().any(axis=1)] != "").all()
    assert not np.isinf(numbers).any(axis=None)


def test_measuring_loads_neither_scikit_learn_nor_scikit_image():
    code = (
        "import sys, usimg; usimg.measure;"
        "print([m for m in ('sklearn', 'skimage', 'matplotlib', 'torch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_caliper_on_a_layer_that_is_cut_by_the_field_gives_it_no_area(frame_of, speckle):
    upper, lower = np.array([[50.0, 0], [50, 399]]), np.array([[150.0, 0], [150, 399]])
    layer = Roi(
        polygon=np.concatenate([upper, lower[::-1]]), upper=upper, lower=lower, structure="biceps_brachii"
    )
    measured = replace(layer, line=[[50, 200], [150, 200]])
    row = measure(frame_of(speckle), [measured]).iloc[0]
    assert row["thickness_rule"] == "caliper"
    assert row["thickness_mm"] == pytest.approx(10.0)
    assert np.isnan(row["csa_mm2"])
    assert "cut by the edge" in row["reason"]
