"""What is said of an archive before anything is measured."""

from __future__ import annotations

import shutil
import subprocess
import sys

import openpyxl
import pytest
from pydicom.dataset import Dataset

from usimg.extract.index import index
from usimg.extract.index_json import as_json
from usimg.extract.labels import Labelling
from usimg.extract.labelsheet import sheet_lines, write_sheet
from usimg.extract.moved import find_moved
from usimg.extract.surveying import sha256, survey
from usimg.report.index_page import index_page
from usimg.report.label_page import label_page
from usimg.study.manifest import read_manifest
from usimg.study.private import Source, SubjectIds
from usimg.study.protocol_file import parse

SUBJECTS = SubjectIds({"als1": "A01"}, b"key")
ARMS = parse(
    'name = "arms"\n[[measure]]\nview = "upper_arm"\nsides = ["left", "right"]\n'
    '[[order]]\nshow = "upper_arm"\nside = "left"\n[[order]]\nshow = "upper_arm"\nside = "right"\n',
    "arms.toml",
)


@pytest.fixture
def picture(make_dicom, archive):
    def _picture(name: str, patient: str = "ALS1", time: str = "100000", **tags: object):
        seed = sum(map(ord, name))
        tags = {"PatientID": patient, "ContentDate": "20260203", "ContentTime": time} | tags
        return make_dicom(archive / name, seed=seed, **tags)

    return _picture


def test_each_picture_is_recognised_on_the_evidence_that_is_stated(picture, archive, tmp_path):
    picture("a.dcm", SeriesDescription="biceps left")
    picture("oberschenkel_rechts.dcm")
    picture("c.dcm")
    picture("d.dcm")
    (tmp_path / "m.csv").write_text("file,view\nd.dcm,upper_arm\n")
    found = index(archive, Labelling(manifest=read_manifest(tmp_path / "m.csv"), subjects=SUBJECTS))
    assert found.recognised == {
        ("biceps_brachii", "left", "tags"): 1,
        ("anterior_thigh", "right", "file name"): 1,
        ("upper_arm", "", "manifest"): 1,
    }
    assert [p.file for p in found.unrecognised] == ["c.dcm"]


def test_a_visit_lacks_what_the_protocol_asks_for_and_its_order_proposes_the_rest(picture, archive):
    picture("x.dcm", time="100000")
    picture("y.dcm", time="100100")
    picture("z.dcm", "ALS2", time="100000", SeriesDescription="Oberarm left")
    complete, lacking = sorted(
        index(archive, Labelling(subjects=SUBJECTS), protocol=ARMS).visits, key=lambda v: -v.proposed
    )
    assert (complete.subject, complete.proposed, complete.complete) == ("A01", 2, True)
    assert (lacking.recognised, lacking.missing) == (1, ("upper_arm right: 0 of 1",))
    assert "1 pictures for 2 steps" in lacking.why_no_order


def test_pictures_are_put_in_the_order_in_which_they_were_taken(picture, archive):
    picture("a.dcm", time="110000")
    picture("b.dcm", time="100000")
    shown = {
        p.file: p.shows.side for p in index(archive, Labelling(subjects=SUBJECTS), protocol=ARMS).pictures
    }
    assert shown == {"b.dcm": "left", "a.dcm": "right"}


def test_scale_kind_and_settings_are_counted_with_reasons(picture, archive):
    picture("a.dcm")
    picture("b.dcm", spacing_cm=None)
    picture("c.dcm", frames=3)
    found = index(archive, Labelling(subjects=SUBJECTS))
    assert found.kinds == {"B-mode": 1, "B-mode, clip": 1, "no regions: seen only in its pixels": 1}
    assert found.uncalibrated == {"the file states no scale": 1}
    # 96 rows of 0.1 mm; nothing is known of gain, range and map, so nothing is comparable.
    assert [(str(c.settings.depth_mm), c.count, c.comparable) for c in found.devices] == [
        ("9.6", 2, False), ("?", 1, False),
    ]  # fmt: skip


def test_a_misspelt_id_is_shown_until_subjects_csv_joins_it(picture, archive):
    picture("a.dcm", "ALS-007")
    picture("b.dcm", "als7")
    (pair,) = index(archive, Labelling(subjects=SUBJECTS)).alike
    assert {pair.one, pair.other} == {"ALS-007", "als7"}
    joined = SubjectIds({"als-007": "A7", "als7": "A7"}, b"key")
    assert index(archive, Labelling(subjects=joined)).alike == []


def test_visits_closer_than_the_stated_gap_are_listed(picture, archive):
    for name, date in (("a", "20260203"), ("b", "20260205"), ("c", "20260301")):
        picture(f"{name}.dcm", StudyDate=date)
    close = index(archive, Labelling(subjects=SUBJECTS), gap_days=14).close
    assert close == [("A01", "2026-02-03", "2026-02-05", 2)]
    assert len(index(archive, Labelling(subjects=SUBJECTS), gap_days=30).close) == 2


def test_what_a_manifest_excludes_is_no_picture_and_is_listed_with_its_reason(picture, archive, tmp_path):
    picture("a.dcm")
    picture("b.dcm")
    (tmp_path / "m.csv").write_text("file,exclude,reason\nb.dcm,yes,calipers\n")
    found = index(archive, Labelling(manifest=read_manifest(tmp_path / "m.csv"), subjects=SUBJECTS))
    assert [p.file for p in found.pictures] == ["a.dcm"]
    assert found.survey.excluded == [("b.dcm", "calipers")]


def test_the_page_names_no_patient_no_file_and_no_folder(picture, archive, tmp_path):
    picture("ZZMARKER_left.dcm", "ZZMARKER-1")
    picture("sub/ZZMARKER_right.dcm", "zzmarker1", SeriesDescription="<b>Biceps</b> brachii left")
    (archive / "ZZMARKER_cut.dcm").write_bytes(picture("c.dcm").read_bytes()[:400])
    page = index_page(index(archive, Labelling(subjects=SUBJECTS), protocol=ARMS), tmp_path / "index.html")
    html = page.read_text(encoding="utf-8")
    assert "zzmarker" not in html.casefold()
    assert "Biceps brachii" in html
    assert "the same but for case" in html


def test_a_scan_that_moved_is_found_again_and_one_that_is_gone_is_listed(picture, archive, study, tmp_path):
    kept, gone = picture("a.dcm"), picture("b.dcm")
    sources = [
        Source(sha256(path), str(path), path.stat().st_size, path.stat().st_mtime_ns, uid)
        for path, uid in (
            (kept, survey(kept).files[0].sop_instance_uid),
            (gone, survey(gone).files[0].sop_instance_uid),
        )
    ]
    study.sources.append("run", sources)
    place = tmp_path / "new place"
    place.mkdir()
    shutil.move(kept, place / "renamed.dcm")
    gone.unlink()
    moved = find_moved(study, survey(place))
    assert moved.found == ((sources[0].scan, "renamed.dcm"),)
    assert moved.absent == (sources[1].scan,)
    assert study.source_path(sources[0].scan) == place / "renamed.dcm"


def test_an_index_is_plain_json_and_decodes_nothing(picture, archive):
    picture("a.dcm")
    assert as_json(index(archive, Labelling(subjects=SUBJECTS)))["patients"] == {"A01": ["ALS1"]}
    code = (
        "import sys; from usimg.extract.index import index\n"
        f"assert len(index({str(archive)!r}).pictures) == 1\n"
        "assert 'cv2' not in sys.modules and 'pandas' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_sheet_holds_what_is_not_labelled_and_comes_back_as_a_manifest(picture, archive, tmp_path):
    picture("a.dcm", SeriesDescription="biceps left")
    picture("b.dcm")
    picture("oberschenkel_rechts.dcm")
    subjects = Labelling(subjects=SUBJECTS)
    lines = sheet_lines(index(archive, subjects))
    assert [line.picture.file for line in lines] == ["b.dcm", "oberschenkel_rechts.dcm"]
    table = write_sheet(lines, tmp_path)
    book = openpyxl.load_workbook(table)
    sheet = book["labels"]
    column = {cell.value: cell.column for cell in sheet[1]}
    assert sheet.cell(3, column["view"]).value == "anterior_thigh"
    sheet.cell(2, column["view"]).value, sheet.cell(2, column["side"]).value = "Oberarm", "L"
    book.save(table)
    filled = index(archive, Labelling(manifest=read_manifest(table), subjects=SUBJECTS))
    assert filled.recognised == {
        ("biceps_brachii", "left", "tags"): 1,
        ("upper_arm", "left", "manifest"): 1,
        ("anterior_thigh", "right", "manifest"): 1,
    }
    assert {p.label.subject for p in filled.pictures} == {"A01"}
    assert sheet_lines(filled) == []


def test_a_filled_sheet_is_never_overwritten(picture, archive, tmp_path):
    picture("a.dcm")
    lines = sheet_lines(index(archive, Labelling(subjects=SUBJECTS)))
    first, second = write_sheet(lines, tmp_path), write_sheet(lines, tmp_path)
    assert (first.name, second.name) == ("labels.xlsx", "labels-2.xlsx")


def test_each_panel_of_a_dual_image_has_a_line_and_a_thumbnail_of_its_own(picture, archive, tmp_path):
    def region(c0, c1):
        box = Dataset()
        box.RegionSpatialFormat, box.RegionDataType, box.RegionFlags = 1, 1, 0
        box.RegionLocationMinX0, box.RegionLocationMinY0 = c0, 0
        box.RegionLocationMaxX1, box.RegionLocationMaxY1 = c1, 95
        box.PhysicalUnitsXDirection = box.PhysicalUnitsYDirection = 3
        box.PhysicalDeltaX = box.PhysicalDeltaY = 0.01
        return box

    picture("a.dcm", SequenceOfUltrasoundRegions=[region(0, 40), region(48, 95)])
    found = index(archive, Labelling(subjects=SUBJECTS))
    lines = sheet_lines(found)
    assert [line.region for line in lines if line.picture.file == "a.dcm"] == [0, 1]
    page = label_page(lines, archive, tmp_path / "labels.html", table="labels.xlsx").read_text(
        encoding="utf-8"
    )
    assert page.count("data:image/jpeg") == 2
    assert "ALS1" in page
