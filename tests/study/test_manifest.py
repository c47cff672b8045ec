"""Manifests as people and Excel write them."""

from __future__ import annotations

import pytest

from usimg.errors import StudyRefused
from usimg.study.manifest import read_manifest


@pytest.fixture
def written(tmp_path):
    def _written(text: str, encoding: str = "utf-8"):
        path = tmp_path / "manifest.csv"
        path.write_bytes(text.encode(encoding))
        return path

    return _written


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
def test_every_flavour_of_csv_gives_the_same_label(written, separator, encoding):
    number = '"0,0592"' if separator == "," else "0,0592"
    text = "\r\n".join(
        [
            separator.join(["File", "Subject", "Structure", "Side", "Repeat", "row_mm"]),
            separator.join(["Übung*.dcm", "P1", "Biceps brachii", "L", "2", number]),
            "",
        ]
    )
    (label,) = read_manifest(written(text, encoding)).labels("visit1/übung 7.dcm")
    assert (label.subject, label.structure, label.side, label.repeat) == ("P1", "biceps_brachii", "left", 2)
    assert label.spacing == (0.0592, 0.0592)


def test_a_kind_of_picture_is_read_as_people_write_it_and_an_unknown_one_is_refused_by_its_line(written):
    path = written("file,structure,kind\na.dcm,soleus,B-Mode\nb.dcm,soleus,\n")
    assert [line.label.kind for line in read_manifest(path).lines] == ["b_mode", ""]
    path = written("file,structure,kind\na.dcm,soleus,b_mode\nb.dcm,soleus,doppler\n")
    with pytest.raises(StudyRefused, match=r"line 3, column kind: 'doppler' is not one of b_mode, .*m_mode"):
        read_manifest(path)


def test_a_misspelt_structure_is_refused_with_line_column_and_the_near_name(written):
    path = written("file,structure\na.dcm,biceps brachii\nb.dcm,biceps brachi\n")
    with pytest.raises(StudyRefused, match=r"line 3, column structure.*biceps_brachii"):
        read_manifest(path)


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("a.dcm,x,,,,", "line 2, column frame"),
        ("a.dcm,,1.5,,,", "line 2, column repeat"),
        ("a.dcm,,,lefft,,", "line 2, column side"),
        ("a.dcm,,,,0,", "line 2, column row_mm"),
        ("a.dcm,,,,,0.1", "line 2, column row_mm"),
        (",,,,,", ""),
        ("a.dcm,,,,,,surplus", "line 2: 7 cells"),
    ],
)
def test_each_bad_cell_is_named_by_line_and_column(written, line, named):
    path = written(f"file,frame,repeat,side,row_mm,col_mm\n{line}\n")
    with pytest.raises(StudyRefused, match=named or "no lines"):
        read_manifest(path)


def test_a_column_nobody_knows_is_refused_not_ignored(written):
    with pytest.raises(StudyRefused, match="'strcture' is not known"):
        read_manifest(written("file,strcture\na.dcm,biceps\n"))


def test_a_line_that_names_the_file_stands_before_a_pattern(written):
    manifest = read_manifest(written("file,structure\n*.dcm,biceps brachii\nb.dcm,median nerve\n"))
    assert [label.structure for label in manifest.labels("b.dcm")] == ["median_nerve"]
    assert [label.structure for label in manifest.labels("sub/c.dcm")] == ["biceps_brachii"]


def test_a_pattern_with_a_folder_matches_below_the_archive_only(written):
    manifest = read_manifest(written("file,subject\np1/*.dcm,P1\n"))
    assert manifest.labels("p1/a.dcm")
    assert not manifest.labels("a.dcm")


def test_one_picture_cannot_belong_to_two_persons(written):
    manifest = read_manifest(written("file,subject,structure\na.dcm,P1,biceps\na.dcm,P2,brachialis\n"))
    with pytest.raises(StudyRefused, match="lines 2 and 3"):
        manifest.labels("a.dcm")


def test_two_panels_of_one_file_may_differ_in_side(written):
    manifest = read_manifest(
        written("file,region,structure,side\na.dcm,0,biceps,left\na.dcm,1,biceps,right\n")
    )
    assert [(label.region, label.side) for label in manifest.labels("a.dcm")] == [(0, "left"), (1, "right")]


def test_a_site_of_the_laboratorys_own_is_kept_and_a_misspelt_one_refused(written):
    own = read_manifest(written("file,structure,site\na.dcm,biceps brachii,Mid arm\n"))
    assert own.labels("a.dcm")[0].site == "mid_arm"
    with pytest.raises(StudyRefused, match=r"line 2, column site.*distal_third"):
        read_manifest(written("file,structure,site\na.dcm,biceps brachii,distal thrid\n"))


def test_lines_that_match_no_file_are_told(written):
    manifest = read_manifest(written("file,structure\na.dcm,biceps\nIMG_0O1.dcm,biceps\n"))
    assert [line.line for line in manifest.unmatched(["a.dcm", "IMG_001.dcm"])] == [3]


@pytest.mark.parametrize("content", [b"", b"\x00\x01\x02\xff", b"file\n"])
def test_what_is_no_manifest_is_refused(tmp_path, content):
    path = tmp_path / "manifest.csv"
    path.write_bytes(content)
    with pytest.raises(StudyRefused, match=r"manifest\.csv"):
        read_manifest(path)
