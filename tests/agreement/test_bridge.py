"""Grey levels from one machine to another: a line with its interval, raw values untouched."""

import numpy as np
import pandas as pd
import pytest

from usimg.agreement.bridge import Bridge, bridged, deming, fit_bridge
from usimg.agreement.values import averaged
from usimg.errors import StudyRefused


def paired(n=40, *, slope=1.2, intercept=10.0, error=(3.0, 3.0), images=2, seed=0, measure="echo_intensity"):
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(n):
        true = rng.uniform(30, 90)
        for machine, value, sd in (("A", true, error[0]), ("B", intercept + slope * true, error[1])):
            rows += [
                {
                    "subject": f"S{number}", "structure": "biceps_brachii", "measure": measure,
                    "settings": machine, "repeat": str(image), "value": value + rng.normal(0, sd),
                }
                for image in range(images)
            ]  # fmt: skip
    table = pd.DataFrame(rows)
    return pd.concat([averaged(group) for _, group in table.groupby("settings")], ignore_index=True)


def test_deming_is_the_same_line_seen_from_either_machine():
    values = paired(seed=1)
    x, y = (values[values["settings"] == one]["value"].to_numpy() for one in "AB")
    intercept, slope = deming(x, y, 2.0)
    back_intercept, back_slope = deming(y, x, 0.5)
    assert slope == pytest.approx(1 / back_slope)
    assert intercept == pytest.approx(-back_intercept / back_slope)


def test_error_in_both_machines_does_not_flatten_the_line():
    values = paired(800, error=(12.0, 12.0))
    found = fit_bridge(values, "A", "B")
    x, y = (values[values["settings"] == one]["value"].to_numpy() for one in "AB")
    flattened = np.polyfit(x, y, 1)[0]
    assert flattened < 1.1
    assert found.slope.value == pytest.approx(1.2, abs=0.08)
    assert (found.ratio_from, found.ratio) == ("repeats", pytest.approx(1.0, rel=0.1))


def test_intervals_of_the_slope_hold_it():
    hits = 0
    for seed in range(40):
        found = fit_bridge(paired(25, seed=seed), "A", "B")
        hits += found.slope.low <= 1.2 <= found.slope.high
    assert hits >= 35


def test_bridged_values_stand_beside_raw_ones_and_end_where_the_bridge_does():
    values = paired()
    bridge = fit_bridge(values, "A", "B", citation="simulated")
    new = averaged(
        pd.DataFrame(
            {
                "subject": ["P1", "P2", "P3", "P4"],
                "structure": "biceps_brachii",
                "measure": ["echo_intensity"] * 3 + ["thickness_mm"],
                "settings": ["A", "A", "B", "A"],
                "value": [60.0, 120.0, 60.0, 60.0],
            }
        )
    )
    found = bridged(new, bridge)
    assert found["value"].tolist() == [60.0, 120.0, 60.0, 60.0]
    assert found["echo_intensity_bridged"].iloc[0] == pytest.approx(82, abs=2)
    assert found["bridged_low"].iloc[0] < 82 < found["bridged_high"].iloc[0]
    assert found["echo_intensity_bridged"].isna().tolist() == [False, True, True, True]
    assert "outside of" in found["reason"].iloc[1]
    assert found["reason"].tolist()[2:] == [
        "already of the target machine",
        "the bridge is of echo_intensity",
    ]


def test_a_bridge_reads_back_as_it_was(tmp_path):
    bridge = fit_bridge(paired(), "A", "B", citation="simulated")
    assert Bridge.read(bridge.write(tmp_path / "bridge.json")) == bridge


def test_too_few_people_are_no_bridge():
    with pytest.raises(StudyRefused, match="6 patients were scanned on both machines"):
        fit_bridge(paired(6), "A", "B")


def test_an_unknown_machine_names_the_known_ones():
    with pytest.raises(StudyRefused, match="no values of 'C'; column settings has 'A', 'B'"):
        fit_bridge(paired(), "A", "C")


def test_lengths_need_no_bridge():
    with pytest.raises(StudyRefused, match="lengths and areas need no bridge"):
        fit_bridge(paired(measure="thickness_mm"), "A", "B")
