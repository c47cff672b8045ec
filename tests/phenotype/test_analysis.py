"""A study, from its outlines to the page: what counts, who the patients are, what correcting changes."""

import numpy as np
import pandas as pd
import pytest

from tests.study.conftest import add_run as add_run
from tests.study.conftest import automatic_row as automatic_row
from tests.study.conftest import study as study
from usimg.errors import StudyRefused
from usimg.phenotype.analysis import Asked, analyse
from usimg.phenotype.recipe import Preparation
from usimg.phenotype.sources import rows_of
from usimg.study import target_of

N = 60
MUSCLES = ("biceps_brachii", "tibialis_anterior", "soleus")


@pytest.fixture
def worked(study, automatic_row, add_run):
    """A study of 60 people: the thinner half's biceps was corrected by a person, to 6 mm less."""
    rng = np.random.default_rng(1)
    severity = np.linspace(-2, 2, N)
    rows = []
    for person in range(N):
        for number, muscle in enumerate((*MUSCLES, "subcutaneous_fat")):
            thickness = 20 - 2.5 * severity[person] + rng.normal(0, 0.5)
            rows.append(
                automatic_row(
                    subject=f"P{person:02d}",
                    structure=muscle,
                    scan=f"{person * 10 + number:064x}",
                    thickness_mm=4.0 if muscle == "subcutaneous_fat" and person % 2 else thickness,
                    echo_intensity=60 + 8 * severity[person] + rng.normal(0, 2),
                    device="Acme | One | L12",
                    maker="Acme",
                    model="One",
                    probe="L12",
                )
            )
    add_run(*rows)
    with study.sitting("Ada") as sitting:
        for row in rows:
            if row["structure"] == MUSCLES[0] and int(row["subject"][1:]) >= N // 2:
                drawn = sitting.outline(
                    target_of(row),
                    {"polygons": []},
                    {"thickness_mm": row["thickness_mm"] - 6.0, "thickness_rule": "mean_vertical"},
                    parents=(row["outline"],),
                )
                sitting.accept(target_of(row), drawn.id, parents=(drawn.id,))
    return study


def test_corrections_fat_and_device_of_a_study_reach_the_report(worked):
    found = analyse(rows_of(worked), None, Asked(), study=worked)
    result, beside = found.result, found.beside
    assert len(result.labels) == N
    assert set(result.clinical["device"]) == {"Acme | One | L12"}
    assert not any("fat" in name for name in result.roles)
    by_state = {trend.state: trend for trend in beside.corrections.trends}
    assert by_state["corrected"].p < 0.01
    assert by_state["corrected"].thirds[0] < by_state["corrected"].thirds[2]
    reruns = {one.what.split(",")[0]: one for one in beside.reruns}
    assert len(reruns) == 3
    # What a person corrected is most of the biceps' difference; who was never looked at has no value at all.
    assert reruns["all outlines automatic"].compared == N
    assert "not run" in reruns["only outlines that a person accepted or corrected"].claim
    assert beside.flow[0].left == N
    assert any("devices.csv" in sentence for sentence in beside.sentences)  # the methods text


def test_automatic_values_are_those_before_any_correction(worked):
    column = f"{MUSCLES[0]}__mid_arm__left__thickness_mm"
    before = rows_of(worked, outlines="automatic only").set_index("subject")[column]
    now = rows_of(worked).set_index("subject")[column]
    people = rows_of(worked, outlines="people only").set_index("subject")[column]
    assert (before - now).round(6).tolist() == [0.0] * (N // 2) + [6.0] * (N // 2)
    assert people.tolist() == now.tolist()[N // 2 :]


def test_settings_that_differ_in_the_same_muscle_stop_the_run(study, automatic_row, add_run):
    rows = [
        automatic_row(
            subject=f"P{person}",
            scan=f"{person * 2 + (side == 'left'):064x}",
            side=side,
            thickness_mm=20.0 + person % 7,
            echo_intensity=50.0 + person % 5,
            device="Acme | One | L12",
            depth_mm=40.0 if person % 2 else 60.0,
        )
        for person in range(12)
        for side in ("left", "right")
    ]
    add_run(*rows)
    rows = rows_of(study)
    for sides in ("apart", "average"):
        with pytest.raises(StudyRefused, match="several settings"):
            analyse(rows, None, Asked(sides=sides), study=study, full=False)
    raw = Asked(preparation=Preparation(echo="raw"), echo_chosen=True)
    assert len(analyse(rows, None, raw, study=study, full=False).result.labels) == 12


def test_settings_that_nobody_knows_are_said_and_stop_nothing(worked):
    unknown = f"preset, gain, depth, dynamic range, map: {N} of {N} patients"
    found = analyse(rows_of(worked), None, Asked(), study=worked, full=False).result
    assert found.checks["echo settings"].startswith("not run")
    assert unknown in found.checks["echo settings"]
    said = next(note for note in found.notes if unknown in note)
    assert "devices.csv" in said
    assert "--without-echo" in said
    without = Asked(preparation=Preparation(echo="without"), echo_chosen=True)
    none = analyse(rows_of(worked), None, without, study=worked, full=False).result
    assert "echo settings" not in none.checks
    assert not any("settings" in note for note in none.notes)


def test_settings_that_are_declared_need_no_caution(worked):
    line = (
        "maker,model,probe,preset,gain_db,depth_mm,dynamic_range_db,map,by\nAcme,One,L12,MSK,50,40,60,A,Ada\n"
    )
    (worked.root / "devices.csv").write_text(line, encoding="utf-8")
    found = analyse(rows_of(worked), None, Asked(), study=worked, full=False).result
    assert found.checks["echo settings"] == f"passed: all are known of {N} patients, and alike in each muscle"
    assert not any("settings" in note for note in found.notes)


def test_a_clinical_table_of_other_people_is_refused(worked):
    strangers = pd.DataFrame({"sex": ["f"]}, index=pd.Index(["nobody"], name="subject"))
    with pytest.raises(StudyRefused, match="shares no subject"):
        analyse(rows_of(worked), strangers, Asked(), study=worked, full=False)


def test_months_between_visits_that_are_only_numbered_come_from_the_days_of_the_scans(
    study, automatic_row, add_run
):
    rows = [
        automatic_row(
            subject=f"P{person}",
            visit=visit,
            structure=muscle,
            scan=f"{person * 100 + number * 10 + int(visit[1]):064x}",
            thickness_mm=20.0 + person * (1 + number) - 6.0 * (visit == "v2"),
            day=1000 * person + 365 * (visit == "v2"),
        )
        for person in range(8)
        for number, muscle in enumerate(MUSCLES)
        for visit in ("v1", "v2")
    ]
    add_run(*rows)
    measure = f"{MUSCLES[0]}__mid_arm__left__thickness_mm"
    asked = Asked(preparation=Preparation(echo="without"), echo_chosen=True, measure=measure, error=1.0)
    found = analyse(rows_of(study), None, asked, study=study)
    table = found.beside.change.table
    assert table["change_per_month"].to_numpy() == pytest.approx([-6 / 12] * 8, abs=0.002)
    assert (table["says"] == "falls").all()
    assert len(found.beside.later) == 8
