"""Outlines to and from other programs: nothing is lost or shifted, what is no outline is refused."""

from __future__ import annotations

import json
from importlib.resources import files

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from usimg.errors import FileRefused
from usimg.measurement import area, grey_levels
from usimg.roi import Roi
from usimg.study.roifiles import SavedRoi, read_rois, write_rois

SQUARE = np.array([[10.25, 20.5], [10.25, 40.0], [30.0, 40.0], [30.0, 20.5]])


def everything() -> list[SavedRoi]:
    upper, lower = np.array([[50.0, 5], [52, 50], [51, 95]]), np.array([[80.0, 5], [82, 50], [81, 95]])
    layer = Roi(
        polygon=np.concatenate([upper, lower[::-1]]), upper=upper, lower=lower, structure="biceps_brachii",
        side="left", plane="transverse", site="distal_third", trace_rule="inner_edges",
        line=[[51, 50], [81, 50]],
    )  # fmt: skip
    bifid = Roi(polygons=(SQUARE, SQUARE + np.array([0.0, 30.0])), structure="median_nerve", side="right")
    caliper = Roi(line=[[10.5, 10.25], [40.0, 12.0]], structure="diaphragm", side="right")
    return [SavedRoi(layer), SavedRoi(bifid, frame=7), SavedRoi(caliper, frame=0)]


@pytest.mark.parametrize("suffix", [".geojson", ".zip"])
def test_outlines_parts_lines_and_frames_come_back(tmp_path, suffix):
    path = write_rois(tmp_path / f"rois{suffix}", everything())
    back = read_rois(path)
    assert [one.frame for one in back] == [None, 7, 0]
    for one, other in zip(everything(), back, strict=True):
        assert (other.roi.structure, other.roi.side) == (one.roi.structure, one.roi.side)
        assert len(other.roi.polygons) == len(one.roi.polygons)
        for first, second in zip(one.roi.polygons, other.roi.polygons, strict=True):
            assert second == pytest.approx(first, abs=1e-4)
        assert (one.roi.line is None) == (other.roi.line is None)
        if one.roi.line is not None:
            assert other.roi.line == pytest.approx(one.roi.line, abs=1e-4)


def test_geojson_keeps_the_edges_of_a_layer_and_every_digit(tmp_path):
    (layer, *_) = read_rois(write_rois(tmp_path / "rois.geojson", everything()))
    original = everything()[0].roi
    assert np.array_equal(layer.roi.upper, original.upper)
    assert np.array_equal(layer.roi.lower, original.lower)
    assert (layer.roi.trace_rule, layer.roi.site, layer.roi.plane) == (
        "inner_edges",
        "distal_third",
        "transverse",
    )


@given(st.lists(st.tuples(st.floats(-50, 2000), st.floats(-50, 2000)), min_size=3, max_size=40))
def test_any_outline_comes_back_from_geojson_within_a_billionth_of_a_pixel(tmp_path_factory, points):
    roi = Roi(polygon=points, structure="nerve")
    path = write_rois(tmp_path_factory.mktemp("rois") / "one.geojson", [SavedRoi(roi)])
    back = read_rois(path)[0].roi.polygons[0]
    kept = roi.polygons[0]
    if np.array_equal(kept[0], kept[-1]):  # a ring is closed once
        kept = kept[:-1]
    assert back[: len(kept)] == pytest.approx(kept, abs=1e-9)


@pytest.mark.parametrize("suffix", [".geojson", ".roi", ".zip"])
def test_half_a_pixel_on_a_one_pixel_checkerboard(tmp_path, suffix):
    """The square round one white pixel holds that pixel alone, before and after."""
    board = np.where(np.add.outer(np.arange(8), np.arange(8)) % 2 == 0, 255, 0).astype(np.uint8)
    round_one = np.array([[1.5, 1.5], [1.5, 2.5], [2.5, 2.5], [2.5, 1.5]])  # pixel (2, 2)
    path = write_rois(tmp_path / f"one{suffix}", [SavedRoi(Roi(polygon=round_one, structure="nerve"))])
    (back,) = read_rois(path)
    grey = grey_levels(board, [list(back.roi.polygons)])
    assert (grey.pixel_count[0], grey.mean[0]) == (1, 255.0)
    if suffix == ".geojson":
        ring = json.loads(path.read_text())["features"][0]["geometry"]["coordinates"][0]
        assert ring == [[2, 2], [3, 2], [3, 3], [2, 3], [2, 2]]  # corners of pixel (2, 2)


def test_imagej_itself_would_take_the_rectangle_of_that_pixel(tmp_path):
    """ImageJ's integer rectangle at x=2, y=2 of size 1 is the pixel (2, 2)."""
    from roifile import ROI_TYPE, ImagejRoi

    rectangle = ImagejRoi(roitype=ROI_TYPE.RECT, left=2, top=2, right=3, bottom=3, name="nerve")
    path = tmp_path / "rectangle.roi"
    path.write_bytes(rectangle.tobytes())
    (back,) = read_rois(path)
    assert back.roi.polygons[0].min(axis=0) == pytest.approx([1.5, 1.5])
    assert back.roi.polygons[0].max(axis=0) == pytest.approx([2.5, 2.5])


def test_an_oval_has_the_area_of_its_ellipse(tmp_path):
    from roifile import ROI_TYPE, ImagejRoi

    oval = ImagejRoi(roitype=ROI_TYPE.OVAL, left=10, top=20, right=50, bottom=40, name="left median nerve")
    path = tmp_path / "oval.roi"
    path.write_bytes(oval.tobytes())
    (back,) = read_rois(path)
    assert area(back.roi.polygons) == pytest.approx(np.pi * 20 * 10, rel=2e-4)
    assert (back.roi.structure, back.roi.side) == ("median_nerve", "left")


def test_what_is_written_fits_the_schema_and_the_schema_refuses_another(tmp_path, require):
    require("module:jsonschema", package="napari")
    import jsonschema

    schema = json.loads((files("usimg.study") / "roi.schema.json").read_text())
    document = json.loads(write_rois(tmp_path / "rois.geojson", everything()).read_text())
    jsonschema.validate(document, schema)
    document["features"][0]["geometry"]["coordinates"][0][0] = ["a", 1]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, schema)


def feature(**changes):
    ring = [[0, 0], [10, 0], [10, 10], [0, 0]]
    one = {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": {"structure": "nerve"},
    }
    return {"type": "FeatureCollection", "features": [one | changes]}


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ("[", "not JSON"),
        ({"type": "Topology"}, "no GeoJSON"),
        (feature(geometry=None), "no feature with a geometry"),
        (feature(geometry={"type": "Point", "coordinates": [1, 2]}), "Point"),
        (feature(geometry={"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]}), "positions are needed"),
        (
            feature(geometry={"type": "Polygon", "coordinates": [[[0, 0], [1, "x"], [1, 1], [0, 0]]]}),
            "position",
        ),
        (feature(geometry={"type": "Polygon", "coordinates": [[], []]}), "hole"),
        (feature(properties={"structure": "unicorn"}), "unicorn"),
        (feature(properties={"structure": "nerve", "frame": -1}), "frame"),
        (feature(properties={"structure": 3}), "text"),
    ],
)
def test_a_file_that_is_no_set_of_outlines_is_refused_by_what_is_wrong(tmp_path, document, words):
    path = tmp_path / "bad.geojson"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    with pytest.raises(FileRefused, match=words) as refusal:
        read_rois(path)
    assert "bad.geojson" in str(refusal.value)


@pytest.mark.parametrize("damage", [b"", b"Iout", b"PK\x03\x04 no zip", bytes(200)])
@pytest.mark.parametrize("suffix", [".roi", ".zip"])
def test_a_damaged_file_of_imagej_is_refused(tmp_path, damage, suffix):
    path = tmp_path / f"bad{suffix}"
    path.write_bytes(damage)
    with pytest.raises(FileRefused, match="bad"):
        read_rois(path)


def test_a_name_that_is_no_structure_asks_which_one_is_meant(tmp_path):
    path = write_rois(tmp_path / "one.roi", [SavedRoi(Roi(polygon=SQUARE, structure="nerve"), name="Roi 1")])
    with pytest.raises(FileRefused, match="no structure of the anatomy list"):
        read_rois(path)
    (back,) = read_rois(path, structure="ulnar nerve")
    assert back.roi.structure == "ulnar_nerve"


def test_a_composite_with_a_hole_is_refused_and_one_in_two_parts_is_not(tmp_path):
    outer = np.array([[0.0, 0], [0, 40], [40, 40], [40, 0]])
    hole = Roi(polygons=(outer, outer / 4 + 10), structure="nerve")
    with pytest.raises(FileRefused, match="hole"):
        read_rois(write_rois(tmp_path / "hole.roi", [SavedRoi(hole)]))
    apart = Roi(polygons=(outer, outer + 50), structure="nerve")
    (back,) = read_rois(write_rois(tmp_path / "apart.roi", [SavedRoi(apart)]))
    assert area(back.roi.polygons) == pytest.approx(3200)


def test_other_suffixes_and_several_outlines_in_one_roi_are_refused(tmp_path):
    with pytest.raises(FileRefused, match="geojson"):
        write_rois(tmp_path / "rois.csv", everything())
    with pytest.raises(FileRefused, match="zip"):
        write_rois(tmp_path / "rois.roi", everything())
    assert not list(tmp_path.iterdir())


def test_a_studys_outlines_come_out_per_frame_without_a_name_of_a_patient(study, add_run, automatic_row):
    from usimg.study.roi_export import export_rois

    muscle, nerve = automatic_row(), automatic_row(structure="median_nerve", site="wrist", frame=3)
    add_run(
        muscle, nerve, automatic_row(structure="brachialis", status="empty", polygon=[[0, 0], [0, 1], [1, 1]])
    )
    with study.sitting("A. Smith") as sitting:
        from usimg.study.schema import target_of

        sitting.reject(target_of(nerve), "wrong plane", parents=[nerve["outline"]])
    folder, outlines, frames = export_rois(study)
    assert (outlines, frames) == (1, 1)
    assert {path.name for path in folder.iterdir()} == {
        f"{muscle['scan'][:12]}-frame0.geojson",
        f"{muscle['scan'][:12]}-frame0.zip",
    }
    for path in folder.iterdir():
        (back,) = read_rois(path)
        assert (back.roi.structure, back.roi.side, back.frame) == ("biceps_brachii", "left", 0)
        assert back.roi.polygons[0] == pytest.approx(np.array(muscle["polygons"][0]), abs=1e-4)
