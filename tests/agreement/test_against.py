"""Old spreadsheets beside new values: what matches, and what explains the difference."""

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from usimg.agreement.against import compare_old, study_values
from usimg.agreement.column_map import read_map, read_old, template
from usimg.agreement.table import tidy
from usimg.cli import app
from usimg.errors import StudyRefused

MAP = """
[columns]
subject = "Patient"
side = "Seite"
device = "Gerät"

[words.side]
R = "right"
L = "left"

[[value]]
column = "Dicke"
measure = "thickness_mm"
structure = "rectus_femoris"
mean_of = 2
"""


def new_values(n=24, *, seed=0, measure="thickness_mm"):
    """Two images of each patient; the mean vertical thickness is reported, the largest lies beside it."""
    rng = np.random.default_rng(seed)
    people = zip(rng.uniform(12, 30, n), rng.uniform(1.05, 1.3, n), strict=True)
    rows = [
        {
            "subject": f"P{number:02d}", "structure": "rectus_femoris", "site": "mid_thigh", "side": "left",
            "measure": measure, "repeat": str(repeat), "device": "GE" if number % 2 else "Philips",
            "value": size + noise, "thickness_mm": size + noise,
            "thickness_max_vertical_mm": (size + noise) * wider,
        }
        for number, (size, wider) in enumerate(people)
        for repeat, noise in ((1, 0.3), (2, -0.3))
    ]  # fmt: skip
    return pd.DataFrame(rows)


def old_values(change, new=None):
    """An old table whose numbers are `change` of the patient's mean row, with one per cent of noise."""
    new = new_values() if new is None else new
    means = new.groupby(["subject", "device"], as_index=False).mean(numeric_only=True)
    rng = np.random.default_rng(9)
    return pd.DataFrame(
        {
            "subject": means["subject"], "visit": "", "structure": "rectus_femoris", "site": "",
            "side": "left", "repeat": "", "device": means["device"], "measure": "thickness_mm",
            "old": change(means) * np.exp(rng.normal(0, 0.01, len(means))), "mean_of": 2,
        },
    )  # fmt: skip


def best(change):
    found = compare_old(old_values(change), new_values())
    return next(one for one in found.explanations if one.best)


@pytest.mark.parametrize(
    ("change", "definition", "rule"),
    [
        (lambda m: m["value"], "thickness_mm", "as it is"),
        (lambda m: m["value"] / 10, "thickness_mm", "times 0.1"),
        (lambda m: m["value"] * 1.17, "thickness_mm", "one factor for all"),
        (
            lambda m: m["value"] * np.where(m["device"] == "GE", 1.1, 0.8),
            "thickness_mm",
            "one factor for each device",
        ),
        (lambda m: m["value"] + 2.5, "thickness_mm", "a constant difference"),
        (lambda m: m["thickness_max_vertical_mm"], "thickness_max_vertical_mm", "as it is"),
        (lambda m: m["thickness_max_vertical_mm"] / 10, "thickness_max_vertical_mm", "times 0.1"),
    ],
)
def test_what_was_done_to_the_old_numbers_is_found(change, definition, rule):
    found = best(change)
    assert (found.definition, found.rule) == (definition, rule)
    assert found.error_percent < 2


def test_the_difference_is_given_in_numbers():
    found = compare_old(old_values(lambda m: m["value"] + 2.5), new_values())
    assert float(found.explanations[0].fitted) == pytest.approx(2.5, abs=0.15)
    pair = found.estimates[0].pairs[0]
    assert (pair.first, pair.second) == ("old numbers", "usimg")
    assert pair.bias.value == pytest.approx(2.5, abs=0.15)


def test_what_has_no_partner_is_listed_on_both_sides():
    old = old_values(lambda m: m["value"])
    old.loc[3, "subject"] = "somebody else"
    old.loc[4, "side"] = "right"
    found = compare_old(old, new_values())
    assert [
        (one.side, one.name.split(":")[0], one.reason) for one in found.unmatched if one.side == "old"
    ] == [
        ("old", "line 3", "no new value of this subject"),
        ("old", "line 4", "no new value of this side"),
    ]
    assert {one.name.split(",")[0] for one in found.unmatched if one.side == "new"} == {"P03", "P04"}
    assert not any("somebody" in one.name for one in found.unmatched)


def test_two_visits_need_a_column():
    new = new_values()
    both = pd.concat([new.assign(visit="1"), new.assign(visit="2")], ignore_index=True)
    with pytest.raises(StudyRefused, match="several new values: map visit"):
        compare_old(old_values(lambda m: m["value"]), both)


def test_a_spreadsheet_is_read_by_its_map(tmp_path):
    (tmp_path / "map.toml").write_text(MAP + 'unit = "cm"\n', encoding="utf-8")
    (tmp_path / "old.csv").write_bytes(
        "Patient;Seite;Gerät;Dicke\nP01;R;GE;2,1\nP02;l;GE;\n".encode("cp1252")
    )
    rows = read_old(tmp_path / "old.csv", read_map(tmp_path / "map.toml"))
    assert len(rows) == 1
    one = rows.loc[2]
    assert (one["subject"], one["side"], one["structure"], one["old"], one["mean_of"]) == (
        "P01",
        "right",
        "rectus_femoris",
        21.0,
        2,
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[columns]\npatient = 'P'", "patient is not known"),
        ("[columns]\nsubject = 'P'", r"needs subject under \[columns\], and a \[\[value\]\]"),
        (MAP + 'unit = "inch"', "unit 'inch' is none of mm, cm, mm2, cm2"),
        (MAP + "mean_of_three = true", "mean_of_three under"),
    ],
)
def test_a_map_that_is_not_understood_says_where(tmp_path, text, message):
    (tmp_path / "map.toml").write_text(text, encoding="utf-8")
    with pytest.raises(StudyRefused, match=message):
        read_map(tmp_path / "map.toml")


def test_a_template_names_the_columns_that_are_there(tmp_path):
    (tmp_path / "old.csv").write_text("Patient;Dicke\nP01;2\n")
    assert "# old.csv has the columns: patient, dicke" in template(tmp_path / "old.csv")


def test_a_study_gives_its_definitions_and_knows_old_names(study, add_run, row_of, sizes, tmp_path):
    rows = [
        row_of(n, size, structure="rectus_femoris", site="mid_thigh", thickness_mm=size / 2,
               thickness_rule="mean_vertical", thickness_max_vertical_mm=size / 2 + 1 + n % 3)
        for n, size in enumerate(sizes)
    ]  # fmt: skip
    add_run(rows)
    lines = "".join(f"H-{n},P{n:02d}\n" for n in range(len(sizes)))
    (study.private / "subjects.csv").write_text("alias,id\n" + lines)
    old = "".join(f"H-{n},L,{size / 2 + 1 + n % 3:.2f}\n" for n, size in enumerate(sizes))
    (tmp_path / "old.csv").write_text("Patient,Seite,Dicke\n" + old)
    (tmp_path / "map.toml").write_text(
        MAP.replace('device = "Gerät"', "").replace("mean_of = 2", ""), "utf-8"
    )
    command = ["agreement", str(study.root), "--against", str(tmp_path / "old.csv"), "--map"]
    done = CliRunner().invoke(app, [*command, str(tmp_path / "map.toml"), "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert "fit thickness_max_vertical_mm as it is best" in done.output
    html = (tmp_path / "out" / "agreement.html").read_text()
    assert "Which definition and scale the old numbers fit" in html
    assert "H-1" not in html
    assert len(study_values(study)) == 3 * len(sizes)


def test_a_tidy_table_can_be_compared_with_old_numbers_too():
    found = compare_old(old_values(lambda m: m["value"] / 10), tidy(new_values()))
    assert found.explanations[0].rule == "times 0.1"


def test_without_a_map_the_command_prints_one_to_fill_in(tmp_path):
    new_values().to_csv(tmp_path / "new.csv", index=False)
    (tmp_path / "old.csv").write_text("Patient,Dicke\nP01,2\n")
    done = CliRunner().invoke(
        app, ["agreement", str(tmp_path / "new.csv"), "--against", str(tmp_path / "old.csv")]
    )
    assert isinstance(done.exception, StudyRefused)
    assert "--map is missing" in str(done.exception)
    assert "[[value]]" in done.output
