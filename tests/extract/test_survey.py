"""What an archive holds, from headers alone."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from usimg.errors import FileRefused
from usimg.extract import Labelling, survey
from usimg.study.manifest import read_manifest
from usimg.study.private import SubjectIds

SUBJECTS = SubjectIds({}, b"key")


def test_files_are_counted_as_readable_calibrated_and_labelled(make_dicom, archive):
    make_dicom(archive / "a.dcm", SeriesDescription="Biceps brachii left")
    make_dicom(archive / "b.dcm", spacing_cm=None)
    (archive / "cut.dcm").write_bytes(make_dicom(archive / "c.dcm").read_bytes()[:400])
    found = survey(archive)
    assert (len(found.files), len(found.readable), found.calibrated, found.labelled) == (4, 3, 2, 1)
    assert [file.relative for file in found.files if file.refused] == ["cut.dcm"]


def test_files_that_are_no_pictures_are_skipped_and_counted_by_kind(make_dicom, archive):
    make_dicom(archive / "a.dcm")
    (archive / "README.txt").write_text("Scans of 2026\n")
    (archive / "deep").mkdir()
    (archive / "deep" / "list.CSV").write_text("a,b\n")
    (archive / "LICENSE").write_text("free\n")
    assert survey(archive).skipped == {".csv": 1, ".txt": 1, "no suffix": 1}


def test_files_with_equal_bytes_are_taken_once(make_dicom, archive):
    make_dicom(archive / "b.dcm")
    shutil.copy(archive / "b.dcm", archive / "a.dcm")
    found = survey(archive)
    assert [file.relative for file in found.files] == ["a.dcm"]
    assert found.copies == [("b.dcm", "a.dcm")]


def test_one_uid_with_two_contents_is_reported_and_both_are_kept(make_dicom, archive):
    make_dicom(archive / "a.dcm", SOPInstanceUID="1.2.3")
    make_dicom(archive / "b.dcm", seed=1, SOPInstanceUID="1.2.3")
    found = survey(archive)
    assert found.contradictions == [["a.dcm", "b.dcm"]]
    assert len(found.files) == 2


def test_more_than_a_fifth_without_label_needs_labels(make_dicom, archive):
    for n in range(5):
        make_dicom(archive / f"{n}.dcm", seed=n, SeriesDescription="" if n == 0 else "Biceps brachii")
    assert not survey(archive).needs_labels
    make_dicom(archive / "6.dcm", seed=6)
    assert survey(archive).needs_labels


def test_a_manifest_stands_above_the_command_line_and_that_above_tags(make_dicom, archive, tmp_path):
    make_dicom(archive / "a.dcm", SeriesDescription="soleus right")
    make_dicom(archive / "b.dcm", seed=1, SeriesDescription="soleus right")
    table = tmp_path / "labels.csv"
    table.write_text("file,structure,side,subject\na.dcm,median nerve,left,P1\nz.dcm,biceps,,\n")
    labelling = Labelling("biceps_brachii", read_manifest(table), SUBJECTS)
    found = survey(archive, labelling)
    (a,), (b,) = (file.labels for file in found.files)
    assert (a.structure, a.side, a.subject, a.source) == ("median_nerve", "left", "P1", "manifest")
    assert (b.structure, b.side, b.source) == ("biceps_brachii", "right", "structure")
    assert found.unmatched == ["labels.csv line 3: z.dcm"]


def test_a_manifest_line_without_structure_takes_the_command_lines(make_dicom, archive, tmp_path):
    make_dicom(archive / "a.dcm")
    table = tmp_path / "labels.csv"
    table.write_text("file,subject\n*.dcm,P1\n")
    (file,) = survey(archive, Labelling("upper_arm", read_manifest(table), SUBJECTS)).files
    assert (file.labels[0].view, file.labels[0].subject) == ("upper_arm", "P1")


def test_a_subject_from_the_tags_is_a_hash_and_the_visit_a_date(make_dicom, archive):
    make_dicom(archive / "a.dcm")
    (file,) = survey(archive, Labelling(subjects=SUBJECTS)).files
    assert file.labels[0].subject == SUBJECTS.hashed("ZZMARKER-17")
    assert file.labels[0].visit == "2026-02-03"


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(FileRefused, match="no such file or folder"):
        survey(tmp_path / "nothing")


def test_links_out_of_the_archive_are_not_followed(make_dicom, archive, tmp_path):
    make_dicom(tmp_path / "elsewhere" / "a.dcm")
    (archive / "link").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert survey(archive).files == []


def test_the_survey_decodes_nothing(make_dicom, archive):
    make_dicom(archive / "a.dcm")
    code = (
        "import sys; from usimg.extract import survey\n"
        f"assert len(survey({str(archive)!r}).files) == 1\n"
        "assert 'cv2' not in sys.modules and 'pandas' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_of_equal_files_the_one_a_person_spoke_of_stands_for_all(make_dicom, archive, tmp_path):
    (archive / "backup").mkdir()
    for seed, name in enumerate(("kept", "twin")):
        shutil.copy(make_dicom(archive / "scans" / f"{name}.dcm", seed=seed), archive / "backup")
    table = tmp_path / "labels.csv"
    table.write_text("file,view,exclude,reason\nscans/kept.dcm,upper_arm,,\nscans/twin.dcm,,yes,calipers\n")
    found = survey(archive, Labelling(manifest=read_manifest(table)))
    assert [(file.relative, file.labelled) for file in found.readable] == [("scans/kept.dcm", True)]
    assert [file for file, _ in found.excluded] == ["scans/twin.dcm"]
