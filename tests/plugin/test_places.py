"""Where the study of a folder of scans lies: beside it, never inside it, never on a stick."""

from __future__ import annotations

from pathlib import Path

import pytest

from usimg.errors import FileRefused
from usimg_napari import places
from usimg_napari.places import beside, is_removable, opened


@pytest.fixture
def scans(tmp_path) -> Path:
    folder = tmp_path / "Visit 3"
    folder.mkdir()
    (folder / "IM_1.dcm").write_bytes(b"scan")
    return folder


def test_a_folder_gets_a_study_beside_it_and_the_same_one_again(scans):
    first = opened(scans)
    assert first.study.root == scans.parent / "Visit 3 usimg study"
    assert [path.name for path in scans.iterdir()] == ["IM_1.dcm"]
    assert opened(scans).study.key == first.study.key
    assert opened(first.study.root).scans is None


def test_a_file_is_opened_in_the_study_of_its_folder(scans):
    one = opened(scans / "IM_1.dcm")
    assert one.scans == scans / "IM_1.dcm"
    assert one.study.root == beside(scans)


def test_a_path_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(FileRefused, match="check the path"):
        opened(tmp_path / "nowhere")


def test_nothing_is_made_on_a_stick(scans, tmp_path, monkeypatch):
    monkeypatch.setattr(places, "_REMOVABLE", (str(tmp_path),))
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    (tmp_path / "home").mkdir()
    assert is_removable(scans)
    assert beside(scans) == tmp_path / "home" / "usimg studies" / "Visit 3 usimg study"
