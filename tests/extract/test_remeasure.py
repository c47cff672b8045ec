"""Numbers measured again from stored outlines; nothing is outlined."""

from __future__ import annotations

import pytest

from tests.extract.test_archive import run
from usimg.extract import measure_again
from usimg.study import outline_of, roi_of, target_of
from usimg.study.schema import read_parts


@pytest.fixture
def extracted(installed, make_dicom, archive, study):
    for n in range(2):
        make_dicom(archive / f"{n}.dcm", seed=n)
    run(archive, study)
    return study


NUMBERS = ["thickness_mm", "csa_mm2", "echo_intensity"]


def numbers(study):
    return study.current().set_index("outline").sort_index()[[*NUMBERS, "flags", "reason"]]


def test_the_same_outlines_give_the_same_numbers_and_ids(extracted):
    before = numbers(extracted)
    summary = measure_again(extracted)
    assert (summary.counts["measured"], summary.failed) == (2, 0)
    assert extracted.current()["run"].tolist() == [summary.run] * 2
    assert numbers(extracted).equals(before)


def test_a_persons_outline_is_measured_again_too(extracted):
    row = extracted.fold().rows.iloc[0].to_dict()
    roi = roi_of(row)
    smaller = outline_of(roi.with_polygons(roi.polygons[0][:, :] * 0.9))
    with extracted.sitting("Ada") as sitting:  # with numbers of an old protocol
        drawn = sitting.outline(target_of(row), smaller, {"thickness_mm": 99.0}, parents=row["heads"])
        sitting.accept(target_of(row), drawn.id, parents=(drawn.id,))
    measure_again(extracted)
    held = extracted.current().set_index("outline").loc[drawn.id]
    assert held["state"] == "corrected"
    assert held["thickness_mm"] != 99.0
    assert held["csa_mm2"] == pytest.approx(0.81 * row["csa_mm2"])
    assert len(extracted.current()) == 2


def test_a_scan_that_is_gone_keeps_its_numbers_and_is_listed(extracted, archive):
    before = numbers(extracted)
    (archive / "1.dcm").unlink()
    summary = measure_again(extracted)
    assert summary.failed == 1
    assert "old ones" in summary.problems[0][1]
    assert numbers(extracted).equals(before)


def test_another_usimg_lies_beside_until_it_is_chosen(extracted, monkeypatch):
    monkeypatch.setattr("usimg.__version__", "99.0")
    measure_again(extracted)
    held = extracted.fold()
    assert held.rows["usimg_version"].unique().tolist() != ["99.0"]
    extracted.choose(held.methods[1], author="Ada")
    assert extracted.fold().rows["usimg_version"].unique().tolist() == ["99.0"]
    assert len(read_parts(extracted.automatic, geometry=False)[0]) == 4
