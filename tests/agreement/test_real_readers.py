"""Three observers of published images; the coefficients are those computed in the data's README."""

import pandas as pd
import pytest

from usimg.agreement import compare
from usimg.agreement.icc import icc_agreement, mean_squares


@pytest.fixture(scope="module")
def heights(request):
    shared_data = request.getfixturevalue("shared_data")
    rows = pd.read_csv(shared_data / "timtrack_observers" / "observers.csv")
    rows["set"] = rows["source_path"].str.extract(r"^dataset (\d)")[0]
    return rows[rows["height_px"].notna()]


@pytest.mark.parametrize(("which", "pictures", "icc"), [("2", 56, 0.911), ("3", 100, 0.814)])
def test_agreement_of_published_observers_comes_back(heights, which, pictures, icc):
    table = heights[heights["set"] == which].pivot_table("height_px", "source_path", "observer").dropna()
    assert len(table) == pictures
    assert icc_agreement(mean_squares(table.to_numpy())).value == pytest.approx(icc, abs=0.001)


def test_pictures_of_one_leg_are_not_patients(heights):
    rows = heights[heights["set"] == "1"]
    leg = rows["source_path"].str.extract(r"/(S\d+)/S\d+_([LR])")
    table = pd.DataFrame(
        {
            "subject": leg[0], "side": leg[1], "structure": "vastus_lateralis", "measure": "height_px",
            "repeat": rows["source_path"], "reader": rows["observer"].astype(str), "value": rows["height_px"],
        }
    )  # fmt: skip
    found = compare(table, "readers")
    assert sum(one.patients for one in found.estimates) < 20
    for one in found.estimates:
        pair = one.pairs[0]
        assert pair.n_pairs > 2 * pair.patients
