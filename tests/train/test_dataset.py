"""What a training folder is, and what is refused."""

from __future__ import annotations

import csv
from collections import defaultdict

import numpy as np
import pytest

from usimg.errors import StudyRefused
from usimg.train.dataset import band_edges, divide, load, read_manifest

from .conftest import layered, write_folder


def test_an_edge_lies_half_way_between_the_last_band_pixel_and_the_first_beside_it():
    drawn = np.zeros((40, 30), bool)
    drawn[5:8] = True
    drawn[20:26] = True
    edges = band_edges(drawn)
    assert edges is not None
    assert np.allclose(edges, [[4.5], [7.5], [19.5], [25.5]])


def test_the_two_uppermost_bands_count_and_short_specks_do_not():
    drawn = np.zeros((60, 40), bool)
    drawn[2:4, :10] = True
    drawn[10:12] = True
    drawn[30:33] = True
    drawn[50:53] = True
    edges = band_edges(drawn)
    assert edges is not None
    assert edges[1, 0] == 11.5
    assert edges[2, 0] == 29.5


def test_columns_with_one_band_only_are_unknown():
    drawn = np.zeros((40, 40), bool)
    drawn[5:8] = True
    drawn[20:26, :25] = True
    edges = band_edges(drawn)
    assert edges is not None
    assert np.isfinite(edges[:, :25]).all()
    assert np.isnan(edges[:, 25:]).all()


def test_a_written_folder_is_read_back_with_its_edges(tmp_path):
    made = [layered(k) for k in range(1, 5)]
    examples, left = load(write_folder(tmp_path / "set", made))
    assert not left
    assert [e.group for e in examples] == [e.group for e in made]
    for ours, theirs in zip(examples, made, strict=True):
        r0, c0, _, c1 = ours.pane.box
        assert np.nanmax(np.abs(ours.truth + r0 - theirs.truth[:, c0:c1])) <= 0.51


def test_a_group_in_two_splits_is_refused(tmp_path):
    folder = write_folder(tmp_path / "set", [layered(k) for k in range(1, 5)])
    with (folder / "manifest.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    for row in rows:
        row["group"] = "one person"
    with (folder / "manifest.csv").open("w", newline="") as handle:
        table = csv.DictWriter(handle, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    with pytest.raises(StudyRefused, match="one person is in train and in val"):
        load(folder)


def test_a_folder_without_manifest_says_which_columns_it_needs(tmp_path):
    with pytest.raises(StudyRefused, match=r"no manifest\.csv; it needs the columns file, mask, group"):
        load(tmp_path)


def test_two_bands_of_one_split_fascia_are_left_out_with_the_reason(tmp_path):
    split = layered(1)
    rows = split.pane.gray.shape[0]
    split.truth[2:] = split.truth[:2] + 0.05 * rows
    examples, left = load(write_folder(tmp_path / "set", [split, layered(2), layered(3)]))
    assert len(examples) == 2
    assert "one split fascia" in left[0].reason


def test_a_picture_skipped_by_hand_is_left_out_and_val_pictures_cannot_be(tmp_path):
    folder = write_folder(tmp_path / "set", [layered(k) for k in range(1, 5)])
    examples, left = load(folder, skip=["images/1.png"])
    assert [e.group for e in examples] == ["person 1", "person 3", "person 4"]
    assert "left out by hand" in left[0].reason
    with pytest.raises(StudyRefused, match="no training picture is called"):
        load(folder, skip=["images/3.png"])


def test_a_left_out_device_never_teaches_and_val_is_not_watched_instead():
    examples = [layered(k, device="A" if k % 2 else "B") for k in range(1, 12)]
    learn, watch = divide(examples, leave_out="A")
    assert {e.device for e in learn} == {"B"}
    assert {e.device for e in watch} == {"A"}
    assert {e.split for e in (*learn, *watch)} == {"train"}


def test_no_group_of_the_real_set_straddles_the_split(shared_data):
    splits = defaultdict(set)
    for row in read_manifest(shared_data / "dltrack_apo"):
        splits[row["group"]].add(row["split"])
    assert len(splits) > 70
    assert all(len(where) == 1 for where in splits.values())
