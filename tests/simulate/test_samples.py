"""The sample archive in the checkout is what the simulator makes, and it opens as its tables say."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pydicom
import pytest

import usimg
from usimg import anatomy
from usimg.simulate import samples

# One file for each encoding, and each awkward one that is not larger than the rest.
REMADE = ("IM_0001.dcm", "IM_0002.dcm", "IM_0006.dcm", "IM_0007", "IM_0037.dcm", "IM_0039.dcm", "IM_0040.dcm")
# Value representations that can hold what a person typed.
TEXT = ("AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UN", "UR", "UT")
# Words a label, a maker or an archive could leak; the samples' own words are listed instead of these.
OWN_WORDS = re.compile(
    r"^(PHANTOM|S0[1-8]|MSK|SIM-[A-Z0-9]+|usimg simulated|USIMG_SIMULATED|US|1|ORIGINAL|PRIMARY"
    r"|MUSCULOSKELETAL|0001|ISO_IR 192|ISO_10918_1|MONOCHROME2|YBR_FULL|YBR_FULL_422|PALETTE COLOR"
    r"|NO|00|01|20260101|120000|[0-9.]+|)$"
)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def scans(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.name.startswith("IM_"))


def assert_same_scan(path: Path, again: Path, *, lossless: bool) -> None:
    first, second = usimg.read(path), usimg.read(again)
    assert len(first.frames) == len(second.frames)
    for one, other in zip(first.frames, second.frames, strict=True):
        difference = np.abs(one.gray.astype(int) - other.gray.astype(int))
        if lossless:  # a sum in another order may round a grey level the other way
            assert difference.max() <= 1
            assert (difference > 0).mean() <= 0.001
        else:
            assert difference.mean() < 0.5
        assert one.calibration_reason == other.calibration_reason


def assert_same_truth(made: dict[str, object], kept: dict[str, str]) -> None:
    for column in samples.TRUTH_COLUMNS:
        value = made.get(column)
        if isinstance(value, float):
            tolerance = 0.01 if column == "echo_intensity" else 1e-9
            assert float(kept[column]) == pytest.approx(value, rel=1e-9, abs=tolerance)
        else:
            assert kept[column] == ("" if value is None else str(value))


@pytest.mark.parametrize("name", REMADE)
def test_a_sample_is_made_again_as_it_lies_here(sample_dicoms: Path, tmp_path: Path, name: str) -> None:
    (sample,) = (s for s in samples.plan() if s.name == name)
    frames = sample.make()
    samples.write_sample(tmp_path / name, sample, frames)
    lossless = samples.ENCODINGS[sample.encoding].lossless
    assert_same_scan(sample_dicoms / name, tmp_path / name, lossless=lossless)
    kept = [r for r in rows(sample_dicoms / "truth.csv") if r["file"] == name]
    made = list(samples.truth_rows(sample, frames))
    assert len(made) == len(kept)
    outlines = json.loads((sample_dicoms / "truth_outlines.json").read_text(encoding="utf-8"))
    for (row, outline), line in zip(made, kept, strict=True):
        assert_same_truth(row, line)
        known = outlines["/".join(line[k] for k in ("file", "frame", "region", "structure"))]
        for edge, points in outline.items():
            assert np.abs(np.array(points) - np.array(known[edge])).max() <= 0.002


@pytest.mark.slow
def test_the_whole_archive_is_made_again_as_it_lies_here(sample_dicoms: Path, tmp_path: Path) -> None:
    written = samples.write(tmp_path)
    assert sorted(p.name for p in written) == sorted(p.name for p in sample_dicoms.iterdir())
    lossless = {s.name: samples.ENCODINGS[s.encoding].lossless for s in samples.plan()}
    for path in scans(sample_dicoms):
        assert_same_scan(path, tmp_path / path.name, lossless=lossless[path.name])
    assert (tmp_path / "manifest.csv").read_text() == (sample_dicoms / "manifest.csv").read_text()
    for made, kept in zip(rows(tmp_path / "truth.csv"), rows(sample_dicoms / "truth.csv"), strict=True):
        for column in ("thickness_mm", "csa_mm2", "row_mm"):
            if kept[column]:
                assert float(made[column]) == pytest.approx(float(kept[column]), rel=1e-9)


def test_the_archive_stays_under_ten_megabytes(sample_dicoms: Path) -> None:
    assert sum(p.stat().st_size for p in sample_dicoms.iterdir()) < 10_000_000


def test_every_planned_file_is_there_and_no_other(sample_dicoms: Path) -> None:
    assert [p.name for p in scans(sample_dicoms)] == sorted(s.name for s in samples.plan())


def test_every_sample_opens_with_the_scale_of_its_truth(sample_dicoms: Path) -> None:
    truth = rows(sample_dicoms / "truth.csv")
    for path in scans(sample_dicoms):
        scan = usimg.read(path)
        mine = [r for r in truth if r["file"] == path.name]
        assert {int(r["frame"]) for r in mine} == set(range(len(scan.frames)))
        frame = scan.frames[0]
        if path.name == "IM_0041.dcm":
            assert frame.calibration is None
            continue
        for line in mine:
            region = frame.regions[int(line["region"])]
            assert region.calibration is not None
            assert region.calibration.spacing == pytest.approx((float(line["row_mm"]), float(line["col_mm"])))
        if path.name == "IM_0037.dcm":
            assert frame.calibration is None
            assert "two scales" in frame.calibration_reason


def test_the_scan_area_found_is_the_field_that_was_drawn(sample_dicoms: Path) -> None:
    for name in ("IM_0001.dcm", "IM_0036.dcm", "IM_0039.dcm"):
        (sample,) = (s for s in samples.plan() if s.name == name)
        drawn = np.logical_or.reduce([p.phantom.scan_area for p in sample.make()[0]])
        found = usimg.read(sample_dicoms / name).frames[0].scan_area
        assert (drawn & found).sum() / (drawn | found).sum() > 0.97


def test_labels_are_names_of_the_anatomy_list(sample_dicoms: Path) -> None:
    labels = rows(sample_dicoms / "manifest.csv")
    assert tuple(labels[0]) == samples.MANIFEST_COLUMNS
    for line in labels:
        view = anatomy.view(line["view"])
        assert view.name == line["view"]
        assert line["side"] in ("left", "right")
    for line in rows(sample_dicoms / "truth.csv"):
        structure = anatomy.structure(line["structure"])
        assert structure.name == line["structure"]
        assert not line["site"] or line["site"] in structure.sites
        view = anatomy.view(line["view"])
        shown = {*view.structures, *view.layers, "subcutaneous_fat"}
        assert structure.name in shown or structure.kind == "combined"


def test_no_sample_holds_words_of_a_patient_or_a_place(sample_dicoms: Path) -> None:
    for path in scans(sample_dicoms):
        header = pydicom.dcmread(path, stop_before_pixels=True)
        for element in [*header, *header.file_meta]:
            if element.VR not in TEXT:
                continue
            values = element.value if element.VM > 1 else [element.value]
            for value in values:
                assert OWN_WORDS.match(str(value if value is not None else "")), (path.name, element.keyword)


def test_mild_and_severe_differ_by_construction(sample_dicoms: Path) -> None:
    truth = [
        r
        for r in rows(sample_dicoms / "truth.csv")
        if r["structure"] == "biceps_brachii" and r["side"] == "right" and r["region"] == "0"
    ]
    mild = [r for r in truth if r["subject"] <= "S04"]
    severe = [r for r in truth if r["subject"] >= "S05"]
    assert min(float(r["thickness_mm"]) for r in mild) > max(float(r["thickness_mm"]) for r in severe)
    assert max(float(r["echo_intensity"]) for r in mild) < min(float(r["echo_intensity"]) for r in severe)
