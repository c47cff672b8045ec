import io
import re
import shutil
from base64 import b64decode

import numpy as np
import pytest
from PIL import Image

import usimg
from usimg.errors import StudyRefused
from usimg.report import extract_report, result_picture
from usimg.simulate.dicom import ENCODINGS, PixelRegion, Tags, write_dicom
from usimg.study import Study, outline_of
from usimg.study.private import Source, short
from usimg.study.schema import features_of, write_part

TEXT = 255  # grey of the burnt-in name, which nothing in the tissue reaches
SQUARE = np.array([[60.0, 60.0], [60.0, 140.0], [110.0, 140.0], [110.0, 60.0]])


def screen(seed):
    """A still of one linear picture with a bright name written above it."""
    pixels = np.zeros((200, 240), np.uint8)
    pixels[30:180, 20:220] = np.random.default_rng(seed).integers(20, 120, (150, 200))
    pixels[5:20, 30:200] = TEXT
    return np.repeat(pixels[None, :, :, None], 3, axis=3)


def row(scan, roi, **changes):
    table = usimg.measure(scan.frames[0], [roi])
    told = {
        "outline": f"o-{scan.id[:8]}-{roi.structure}",
        "status": "measured",
        "subject": "S01",
        "visit": "2",
        "structure": roi.structure,
        "site": roi.site,
        "side": roi.side,
        "scan": scan.id,
        "frame": 0,
        "label_source": "manifest",
        "device": "usimg simulated | TEST",
        "method": "test 1",
        "run": "r1",
        "generation": 1,
    }
    return told | features_of(table.iloc[0].to_dict()) | outline_of(roi) | changes


@pytest.fixture
def study(tmp_path):
    """A study of two scans whose files are named after a patient, a third that failed, one not found."""
    archive = tmp_path / "MUELLER_HANS"
    archive.mkdir()
    study = Study.create(tmp_path / "study")
    rows, sources = [], []
    for seed, confidence in ((1, 0.9), (2, 0.3)):
        path = archive / f"MUELLER_HANS_{seed}.dcm"
        write_dicom(
            path,
            screen(seed),
            ENCODINGS["grey_native"],
            Tags(subject="PAT-4711", protocol="MSK", model="TEST", number=seed),
            [PixelRegion((30, 20, 180, 220), (0.1, 0.1))],
        )
        scan = usimg.read(path)
        roi = usimg.Roi(
            polygon=SQUARE, structure="rectus_femoris", side="left", site="mid_thigh", confidence=confidence
        )
        rows.append(row(scan, roi))
        sources.append(Source(scan.id, str(path), path.stat().st_size, 0, ""))
    rows.append(
        {name: rows[0][name] for name in ("subject", "scan", "frame", "run", "generation", "method")}
        | {
            "outline": "o-nerve",
            "status": "empty",
            "structure": "median_nerve",
            "reason": "no seed was given",
        }
    )
    rows.append(
        {
            "outline": "o-failed",
            "status": "failed",
            "scan": "f" * 64,
            "structure": "rectus_femoris",
            "reason": "JPEG XL is not decoded",
            "run": "r1",
            "generation": 1,
        }
    )
    study.sources.append("r1", sources)
    write_part(study.automatic / "r1-0001.parquet", rows)
    return study


def page(study, tmp_path):
    return extract_report(study, tmp_path / "report.html").read_text("utf-8")


def pictures(html):
    found = re.findall(r'src="data:image/webp;base64,([^"]+)"', html)
    return [np.array(Image.open(io.BytesIO(b64decode(uri))).convert("L")) for uri in found]


def test_a_study_becomes_a_page_with_its_numbers_failures_and_definitions(study, tmp_path):
    html = page(study, tmp_path)
    seen = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))
    assert "3 scans: 2 measured, 1 failed." in seen
    assert "5.0" in seen  # 50 px of 0.1 mm
    for said in ("Rectus femoris", "no seed was given", "JPEG XL is not decoded", "S01, visit 2", "phantoms"):
        assert said in seen


def scan_of(study, confidence):
    current = study.current()
    return current.loc[current["confidence"] == confidence, "scan"].iloc[0]


def test_structures_of_one_picture_share_a_tile_with_or_without_a_region_number(study, tmp_path):
    html = page(study, tmp_path)
    nerve_and_muscle = short(scan_of(study, 0.9))
    assert html.count("<article") == 2
    assert re.findall(r"<header><code>(\w+)", html)[0] == nerve_and_muscle  # what was not found comes first


def test_names_and_paths_of_patients_stay_out(study, tmp_path):
    html = page(study, tmp_path)
    for name in ("MUELLER", "HANS", "4711", str(tmp_path), "PHANTOM"):
        assert name not in html


def test_writing_outside_the_scan_area_is_not_in_the_pictures(study, tmp_path):
    shown = pictures(page(study, tmp_path))
    assert len(shown) == 2
    for picture in shown:
        assert picture.max() < 180  # compression may ring beyond 120, never to 255
        assert picture.shape[0] <= 160


def test_outlines_are_drawn_in_the_frames_own_pixels(study, tmp_path):
    html = page(study, tmp_path)
    assert "M60,60L140,60 140,110 60,110Z" in html
    left, top, width, height = map(float, re.search(r'viewBox="([^"]+)" preserve', html)[1].split())
    assert left >= 19
    assert top >= 29
    assert left + width <= 221
    assert top + height <= 181


def test_a_file_that_moved_or_changed_costs_its_picture_only(study, tmp_path):
    moved, changed = (study.source_path(scan_of(study, c)) for c in (0.9, 0.3))
    moved.unlink()
    changed.write_bytes(changed.read_bytes() + b"\0\0")
    html = page(study, tmp_path)
    assert not pictures(html)
    assert "not where it was" in html
    assert "has changed since" in html
    assert "2 measured" in html


def test_what_a_person_decided_is_shown_as_such(study, tmp_path):
    from usimg.study.schema import target_of

    current = study.fold().rows
    first = current[current["confidence"] == 0.3].to_dict("records")[0]
    with study.sitting("AB", reader="AB") as sitting:
        sitting.accept(target_of(first), first["outline"], parents=list(first["heads"]))
    html = page(study, tmp_path)
    assert "a person has decided on 1" in re.sub(r"\s+", " ", html)
    assert "accepted" in html


def test_an_empty_study_gives_a_page_and_no_picture(tmp_path):
    empty = Study.create(tmp_path / "empty")
    assert "No scan was found" in page(empty, tmp_path)
    with pytest.raises(StudyRefused, match="usimg extract"):
        result_picture(empty, tmp_path / "result.png")


def test_the_result_picture_is_the_same_twice_and_shows_outlines_in_their_colour(study, tmp_path):
    shutil.rmtree(tmp_path / "x", ignore_errors=True)
    first = result_picture(study, tmp_path / "x" / "a.png").read_bytes()
    assert result_picture(study, tmp_path / "x" / "b.png").read_bytes() == first
    pixels = np.array(Image.open(io.BytesIO(first)).convert("RGB")).astype(int)
    muscle = np.array([0x56, 0xB4, 0xE9])
    assert (np.abs(pixels - muscle).sum(axis=2) < 30).sum() > 500


def test_a_page_that_cannot_be_written_says_so(study, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(usimg.UsimgError, match="cannot be written"):
        extract_report(study, tmp_path / "file" / "report.html")
