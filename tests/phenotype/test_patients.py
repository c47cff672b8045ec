"""From rows per visit to one row per patient with its clinical facts."""

import numpy as np
import pandas as pd
import pytest

from usimg.errors import StudyRefused
from usimg.phenotype.clinical import joined, read_clinical
from usimg.phenotype.patients import Step, baseline, flow_to_groups
from usimg.phenotype.scales import scored

THICK = "soleus__calf__{}__thickness_mm"


def rows(*lines):
    return pd.DataFrame(lines, columns=["subject", "visit", THICK.format("left"), THICK.format("right")])


def test_the_first_visit_counts_and_later_ones_are_kept():
    made = baseline(rows(["A", "2025-03-01", 9, 8], ["A", "3.1.2025", 10, 9], ["B", "2025-02-01", 5, 5]))
    assert made.table[THICK.format("left")].to_dict() == {"A": 10, "B": 5}
    assert made.visits.to_dict() == {"A": "3.1.2025", "B": "2025-02-01"}
    assert made.later["visit"].tolist() == ["2025-03-01"]


def test_numbered_visits_have_an_order_and_words_have_none():
    numbered = baseline(rows(["A", "V10", 1, 1], ["A", "V9", 2, 2]))
    assert numbered.visits["A"] == "V9"
    with pytest.raises(StudyRefused, match="--visit"):
        baseline(rows(["A", "before", 1, 1], ["A", "after", 2, 2]))


def test_of_two_sides_the_worse_needs_both():
    table = rows(["A", "", 10, 8], ["B", "", 7, np.nan])
    worse = baseline(table, sides="worst").table["soleus__calf__worse__thickness_mm"]
    assert worse["A"] == 8
    assert np.isnan(worse["B"])
    mean = baseline(table, sides="average")
    assert mean.table["soleus__calf__both__thickness_mm"].to_dict() == {"A": 9, "B": 7}
    assert "1 values are of one side alone" in mean.sentences[-1]


def test_the_flow_chart_adds_up():
    made = baseline(rows(["A", "1", 1, 1], ["B", "2", 1, 1], ["C", "1", 1, 1]), visit="1")
    steps = flow_to_groups(made.flow, {"C": "no value for x"}, 0)
    assert steps[1:] == [Step("no visit 1", 1, 2), Step("too few of the features", 1, 1)]


def clinical_csv(tmp_path, text):
    path = tmp_path / "clinical.csv"
    path.write_text(text)
    return read_clinical(path)


def test_the_nearest_line_within_the_window_counts_and_lasting_facts_always(tmp_path):
    table = clinical_csv(
        tmp_path,
        "subject;date;sex;alsfrs_r;onset_date\nA;2025-01-01;f;40;01.01.2024\nA;2025-06-01;;30;\n"
        "B;2020-01-01;m;48;\n",
    )
    visits = pd.Series({"A": "2025-05-15", "B": "2025-05-15", "C": "2025-05-15"})
    made = joined(table, visits)
    assert made.table.loc["A", "alsfrs_r"] == 30
    assert made.table.loc[["A", "B"], "sex"].tolist() == ["f", "m"]
    assert np.isnan(made.table.loc["B", "alsfrs_r"])
    assert (made.by, made.outside, made.absent) == ("date", 1, 1)
    assert made.table.loc["A", "months_since_onset"] == pytest.approx(16.4, abs=0.1)
    assert made.table.loc["A", "delta_fs"] == pytest.approx(18 / 16.43, abs=0.01)
    assert "onset_date" not in made.table


def test_several_lines_that_nothing_chooses_between_are_refused(tmp_path):
    table = clinical_csv(tmp_path, "subject,alsfrs_r\nA,40\nA,39\n")
    with pytest.raises(StudyRefused, match="A has several lines"):
        joined(table, pd.Series({"A": ""}))


def test_a_date_that_is_none_names_its_line(tmp_path):
    with pytest.raises(StudyRefused, match="line 2, column date"):
        clinical_csv(tmp_path, "subject,date\nA,yesterday\n")


def test_a_table_without_a_line_or_of_other_people_is_refused(tmp_path):
    with pytest.raises(StudyRefused, match="no patient"):
        clinical_csv(tmp_path, "subject,date\n")
    with pytest.raises(StudyRefused, match="it has 'A', they have 'B'"):
        joined(clinical_csv(tmp_path, "subject,mmt\nA,1\n"), pd.Series({"B": ""}))


def items(**changed):
    scores = {f"alsfrs_r_q{i}": 4.0 for i in range(1, 13)} | changed
    return scored(pd.DataFrame([scores], index=["A"])).loc["A"]


@pytest.mark.parametrize(
    ("changed", "kings", "mitos"),
    [
        ({}, 1, 0),
        ({"alsfrs_r_q1": 3, "alsfrs_r_q4": 2, "alsfrs_r_q8": 1}, 3, 1),
        ({"alsfrs_r_q12": 3}, 4, 0),
        ({"alsfrs_r_q12": 2}, 4, 1),
        ({"alsfrs_r_q10": 0}, 4, 1),
        ({"alsfrs_r_q1": 1}, 1, 0),  # communication is lost when writing is lost too
        ({"alsfrs_r_q1": 1, "alsfrs_r_q4": 1}, 2, 1),
        ({"alsfrs_r_q3": 1, "alsfrs_r_q6": 0}, 1, 2),
        ({"gastrostomy": 1}, 4, 0),
        ({"alsfrs_r_q5": np.nan, "alsfrs_r_q5a": np.nan, "alsfrs_r_q5b": np.nan}, np.nan, 0),
    ],
)
def test_stages_follow_the_rules_of_the_papers(changed, kings, mitos):
    made = items(**changed)
    assert made["kings_stage"] == pytest.approx(kings, nan_ok=True)
    assert made["mitos_stage"] == pytest.approx(mitos, nan_ok=True)


def test_totals_are_sums_and_a_missing_item_leaves_the_total_missing():
    made = items(alsfrs_r_q2=1, alsfrs_r_q7=0)
    wanted = [41, 9, 20, 8, 12]
    names = ["alsfrs_r", "alsfrs_r_bulbar", "alsfrs_r_motor", "alsfrs_r_gross_motor", "alsfrs_r_respiratory"]
    assert made[names].tolist() == wanted
    assert np.isnan(items(alsfrs_r_q2=np.nan)["alsfrs_r"])


def test_item_five_with_a_tube_counts_and_both_forms_are_refused():
    table = pd.DataFrame([{f"alsfrs_r_q{i}": 4.0 for i in range(1, 13) if i != 5}], index=["A"])
    fed = scored(table.assign(alsfrs_r_q5a=np.nan, alsfrs_r_q5b=2.0)).loc["A"]
    assert (fed["alsfrs_r"], fed["kings_stage"]) == (46, 4)
    with pytest.raises(StudyRefused, match="A has both"):
        scored(table.assign(alsfrs_r_q5a=1.0, alsfrs_r_q5b=2.0))


def test_a_score_that_is_none_is_refused_by_name():
    with pytest.raises(StudyRefused, match="alsfrs_r_q3: 7 of A"):
        items(alsfrs_r_q3=7)
