"""From a messy folder to the complete, correct table, with the manifest that a person would write."""

from __future__ import annotations

import csv
import shutil
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from usimg.extract import Labelling, Survey, extract_archive, survey
from usimg.extract.duplicates import find_duplicates
from usimg.extract.index import Index, index
from usimg.extract.labelsheet import sheet_lines
from usimg.simulate import archive
from usimg.study import Study, target_of
from usimg.study.manifest import own_manifest, read_manifest
from usimg.study.private import SubjectIds
from usimg.study.subjects import covariates, read_people

# Outlines have errors of their own (their tests say how large); what is wrong by more is another's value.
OUTLINE_ERROR_MM = 1.2


@dataclass(frozen=True)
class Messy:
    folder: Path

    @property
    def scans(self) -> Path:
        return self.folder / "scans"

    def rows(self, name: str) -> list[dict[str, str]]:
        with (self.folder / name).open(encoding="utf-8", newline="") as stream:
            return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def messy(tmp_path_factory) -> Messy:
    folder = tmp_path_factory.mktemp("messy")
    archive.write(folder)
    return Messy(folder)


@pytest.fixture(scope="module")
def bare(messy) -> Index:
    """The archive as it is met, before anybody wrote anything."""
    return index(messy.scans, Labelling(subjects=SubjectIds({}, b"key")))


@pytest.fixture(scope="module")
def labelled(messy, tmp_path_factory) -> tuple[Study, Survey]:
    """The study with what a person knows in its private folder."""
    study = Study.create(tmp_path_factory.mktemp("work") / "study")
    for name in ("manifest.csv", "subjects.csv"):
        shutil.copy(messy.folder / name, study.private / name)
    manifest = read_manifest(own_manifest(study.private))
    return study, survey(messy.scans, Labelling(manifest=manifest, subjects=study.subjects))


@pytest.fixture(scope="module")
def extracted(labelled) -> Study:
    study, surveyed = labelled
    extract_archive(surveyed, study, workers=1)
    return study


def test_the_index_shows_every_misspelt_id_and_no_other_pair(bare):
    assert {frozenset({pair.one, pair.other}) for pair in bare.alike} == {
        frozenset({"ALS-001", "ALS-OO1"}),
        frozenset({"ALS-002", "als 002"}),
    }


def test_the_index_says_what_is_recognised_and_on_what_evidence(bare):
    assert bare.recognised == {
        ("soleus", "right", "tags"): 1,  # wrong, and said to rest on a tag
        ("anterior_thigh", "left", "file name"): 1,
        ("upper_arm", "right", "file name"): 1,
    }
    assert bare.uncalibrated == {"the file states no scale": 2}
    assert len(bare.survey.copies) == 1
    assert {c.settings.model.value for c in bare.devices} == {"SIM-GREY", "SIM-JPEG"}


def test_of_a_clean_frame_and_its_marked_twin_the_clean_one_is_proposed(bare):
    twins = find_duplicates(bare)
    # The clean frame goes by the name of its copy in the backup: nobody has said yet which to take.
    assert [(Path(t.keep).name, t.drop) for t in twins] == [
        ("IM_0001.dcm", "clinic_a/IM_0004.dcm"),
        ("0001.dcm", "clinic_b/ALS-001/2026-04-20/0002.dcm"),
    ]
    proposed = {line.picture.file: line.cells[-3:-1] for line in sheet_lines(bare, twins)}
    assert proposed["clinic_a/IM_0004.dcm"][0] == "yes"
    assert "marks drawn on it" in proposed["clinic_a/IM_0004.dcm"][1]
    assert proposed["clinic_a/IM_0002.dcm"] == ("", "")


def test_with_the_persons_tables_every_picture_is_named_or_left_out_with_its_reason(messy, labelled):
    _, surveyed = labelled
    assert all(file.labelled and file.calibrated for file in surveyed.readable)
    assert surveyed.unmatched == []
    assert dict(surveyed.excluded) == {row["file"]: row["why"] for row in messy.rows("left_out.csv")}


def test_what_is_measured_without_a_person_is_right_or_left_out_with_a_reason(messy, extracted):
    table = extracted.wide(include_unvalidated=True).set_index(["subject", "visit"])
    current = extracted.current(include_unvalidated=True)
    place = ["subject", "visit", "structure", "site", "side"]
    places = current.groupby(place)["counts_reason"].min()  # empty where one counts
    for row in messy.rows("truth.csv"):
        at = tuple(row[part] for part in ("structure", "site", "side"))
        value = table.loc[(row["subject"], row["visit"]), f"{'__'.join(at)}__thickness_mm"]
        if pd.notna(value):
            assert value == pytest.approx(float(row["thickness_mm"]), abs=OUTLINE_ERROR_MM), at
        else:
            assert places.loc[(row["subject"], row["visit"], *at)] != "", at


def test_the_study_says_what_was_left_out_and_why(messy, extracted):
    rows = extracted.current()
    said = rows[rows["reason"].str.startswith("left out by a person")]["reason"]
    assert sorted(said) == sorted(f"left out by a person: {row['why']}" for row in messy.rows("left_out.csv"))


def test_accepted_by_a_person_the_table_is_complete_and_correct(messy, extracted):
    # The outlines of this archive are good (the test above); a person who looks at them accepts them all.
    with extracted.sitting("A. Reader") as sitting:
        for row in extracted.fold().rows.query("state == 'automatic'").to_dict("records"):
            sitting.accept(target_of(row), row["outline"])
    table = extracted.wide().set_index(["subject", "visit"])
    truth = messy.rows("truth.csv")
    assert set(table.index) == {(row["subject"], row["visit"]) for row in truth}
    for row in truth:
        at = (row["subject"], row["visit"])
        name = "__".join(row[part] for part in ("structure", "site", "side"))
        assert table.loc[at, f"{name}__thickness_mm"] == pytest.approx(
            float(row["thickness_mm"]), abs=OUTLINE_ERROR_MM
        ), (at, name)
        assert table.loc[at, f"{name}__n_accepted"] == int(row["repeats"]), (at, name)
    # Nothing is in the table that is not true: no soleus of the wrong tag, no twin, no Doppler.
    stated = {f"{r['structure']}__{r['site']}__{r['side']}__thickness_mm" for r in truth}
    assert {name for name in table.columns if name.endswith("__thickness_mm")} == stated


def test_what_is_known_of_the_patients_comes_along_without_a_date(labelled):
    study, _ = labelled
    people = read_people(study.private / "subjects.csv")
    facts = covariates(people["ALS-001"], "2026-01-12")
    assert (facts["sex"], facts["age_years"], facts["years_since_onset"]) == ("female", 64.5, 0.9)
    assert covariates(people["ALS-003"], "2026-04-21")["age_years"] is None
