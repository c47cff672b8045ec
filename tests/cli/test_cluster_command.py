"""``usimg cluster`` with what people ask beside the claim."""

import csv
import json

import numpy as np
import pandas as pd
import pytest

from usimg.simulate.cohorts import cohort, write


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A cohort with controls on two devices."""
    return write(cohort(200, "gradient", controls=80, seed=3), tmp_path_factory.mktemp("cohort"))


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_folder_has_page_labels_figures_tables_and_model(usimg_command, folder, tmp_path):
    plan = tmp_path / "plan.toml"
    plan.write_text('[vary]\nsides = ["apart", "average"]\nstandardise = ["plain", "robust"]\n')
    said = usimg_command(
        *("cluster", folder / "features.csv", "--clinical", folder / "clinical.csv", "--without-echo"),
        *("--adjust", "age,sex", "--weights", "blocks", "--sensitivity", plan, "--out", tmp_path / "out"),
    )
    assert said.code == 0, said.err
    assert "4 ways to ask" in said.out
    out = tmp_path / "out"
    names = {path.name for path in (out / "figures").iterdir()}
    assert {"map.svg", "map.png", "flow.svg", "specifications.png", "outcomes.svg"} <= names
    flow = rows_of(out / "tables" / "flow.csv")
    assert [row["n"] for row in flow] == ["280", "200"]
    assert len(rows_of(out / "tables" / "specifications.csv")) == 4
    assert all(row["n"] for row in rows_of(out / "tables" / "outcomes.csv"))
    page = (out / "phenotypes.html").read_text("utf-8")
    assert "--without-echo --adjust age,sex --weights blocks --sensitivity PLAN" in page
    assert "Echo intensity was left out" in page.split("<h1>")[1].split("</p>")[0]
    assert str(tmp_path) not in page

    placed = usimg_command(
        *("cluster", folder / "features.csv", "--clinical", folder / "clinical.csv"),
        *("--assign", out / "model.json", "--out", tmp_path / "placed"),
    )
    assert placed.code == 0, placed.err
    assert "280 patients placed" in placed.out
    labels = {row["subject"]: row["part"] for row in rows_of(out / "labels.csv")}
    again = {row["subject"]: row["part"] for row in rows_of(tmp_path / "placed" / "assigned.csv")}
    assert {who: again[who] for who in labels} == labels


def test_echo_intensity_of_two_devices_stops_until_somebody_chooses(usimg_command, folder):
    command = ("cluster", folder / "features.csv", "--clinical", folder / "clinical.csv")
    stopped = usimg_command(*command)
    assert stopped.code == 1
    for way in ("--echo z", "--echo bridged", "--without-echo", "--echo raw"):
        assert way in stopped.err
    assert "controls scanned with the same device" in usimg_command(*command, "--echo", "z").out
    assert usimg_command(*command, "--echo", "loud").code == 1


def test_later_visits_are_placed_by_the_model_and_one_measure_is_followed(usimg_command, tmp_path):
    made = cohort(80, "gradient", seed=5)
    table = made.features.reset_index().assign(visit="2025-01-10")
    later = table.iloc[:20].assign(visit="2026-01-10")
    measure = next(name for name in made.features if name.endswith("thickness_mm"))
    later[measure] -= 6
    path = tmp_path / "visits.csv"
    pd.concat([table, later]).to_csv(path, index=False)
    said = usimg_command(
        "cluster", path, "--change", measure, "--error", "1.0", "--out", tmp_path / "out", "--json"
    )
    assert said.code == 0, said.err
    assert len(json.loads(said.out)["labels"]) == 80
    assert len(rows_of(tmp_path / "out" / "tables" / "later_visits.csv")) == 20
    change = rows_of(tmp_path / "out" / "tables" / "change.csv")
    assert {row["says"] for row in change} == {"falls"}
    assert float(change[0]["change_per_month"]) == pytest.approx(-0.5, abs=0.01)


def test_text_in_a_number_column_names_line_and_column(usimg_command, tmp_path):
    path = tmp_path / "features.csv"
    path.write_text("subject,soleus__calf__left__thickness_mm\nP1,12.1\nP2,thin\n")
    said = usimg_command("cluster", path)
    assert said.code == 1
    assert "features.csv line 3, column soleus__calf__left__thickness_mm: 'thin'" in said.err


def test_a_parquet_table_is_read_and_a_file_that_is_none_refused(usimg_command, tmp_path):
    made = cohort(60, "gradient", seed=1)
    made.features.to_parquet(tmp_path / "features.parquet")
    assert usimg_command("cluster", tmp_path / "features.parquet").code == 0
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    said = usimg_command("cluster", tmp_path / "broken.parquet")
    assert (said.code, "no Parquet file" in said.err) == (1, True)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda t: t.iloc[:0], "has no patient"),
        (lambda t: t.iloc[:1], "1 patient(s)"),
        (lambda t: t[["subject", t.columns[1]]], "1 usable feature"),
        (lambda t: t.assign(**dict.fromkeys(t.columns[1:], np.nan)), "no patient has a value"),
        (lambda t: pd.concat([t, t.iloc[:1]]), "S0001"),
    ],
)
def test_tables_that_cannot_be_clustered_are_refused_in_words(spoil, says, usimg_command, tmp_path):
    table = cohort(60, "gradient", seed=1).features.reset_index()
    spoil(table).to_csv(tmp_path / "features.csv", index=False)
    said = usimg_command("cluster", tmp_path / "features.csv")
    assert said.code == 1
    assert says in said.err
