import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score

import usimg
from usimg.errors import StudyRefused

FAST = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)


def cohort(n=80, d=3.0, seed=0, severe_share=0.4):
    """Two planted groups ``d`` SD apart per feature; columns named as the study's wide table names them."""
    rng = np.random.default_rng(seed)
    severe = np.arange(n) < round(severe_share * n)
    thin = {f"rectus_femoris__mid_thigh__{side}__thickness_mm": (20.0, -2.0) for side in ("left", "right")}
    bright = {
        f"biceps_brachii__mid_upper_arm__{side}__echo_intensity": (60.0, 9.0) for side in ("left", "right")
    }
    table = pd.DataFrame(
        {
            name: mean + sd * d * severe + abs(sd) * rng.normal(size=n)
            for name, (mean, sd) in {**thin, **bright}.items()
        },
        index=[f"P{i:03d}" for i in range(n)],
    )
    roles = dict.fromkeys(thin, "muscle_thickness") | dict.fromkeys(bright, "muscle_echo")
    return table, roles, pd.Series(np.where(severe, "Severe", "Mild"), index=table.index)


def gradient(n=454, features=22, loading=0.6, seed=1):
    """One latent severity, no groups: the simulation of reference section 6."""
    rng = np.random.default_rng(seed)
    severity = rng.normal(size=(n, 1))
    values = loading * severity + np.sqrt(1 - loading**2) * rng.normal(size=(n, features))
    table = pd.DataFrame(values, columns=[f"f{i}" for i in range(features)])
    return table, dict.fromkeys(table.columns, "muscle_echo")


def test_two_planted_groups_are_recovered_and_named_by_who_is_thin_and_bright():
    table, roles, truth = cohort()
    result = usimg.cluster(table, roles=roles)
    assert result.k == 2
    assert (result.labels == truth).mean() > 0.97
    assert result.severity[truth == "Severe"].mean() > result.severity[truth == "Mild"].mean()


def test_column_names_of_the_study_give_the_roles_without_help():
    table, _, truth = cohort()
    result = usimg.cluster(table)
    assert set(result.roles.values()) == {"muscle_thickness", "muscle_echo"}
    assert (result.labels == truth).mean() > 0.97


def test_no_groups_are_claimed_where_nobody_said_which_device_and_sex():
    table, roles, _ = cohort(d=6.0)
    result = usimg.cluster(table, roles=roles)
    assert result.claim == "separated, not checked for device, sex"
    assert result.k == 2
    assert result.p_value < 0.01
    assert not result.label_supported.any()
    assert result.label_supported.index.equals(table.index)
    assert result.checks["separation"].startswith("passed")
    assert result.checks["device"].startswith("not run")


def test_a_mere_gradient_gives_what_the_reason_says_it_gives():
    for seed in range(5):
        table, roles = gradient(seed=seed)
        result = usimg.cluster(table, roles=roles)
        assert max(result.silhouettes, key=result.silhouettes.get) == 2
        assert 0.15 <= result.silhouette <= 0.30
        assert (result.claim, result.k) == ("no groups shown", 1)
        assert set(result.labels) == {"Mild", "Severe"}


def test_small_cohorts_of_a_mere_gradient_scatter_as_the_reason_says():
    found = []
    for seed in range(40):
        for loading in (0.5, 0.7):
            table, roles = gradient(n=8, features=17, loading=loading, seed=seed)
            result = usimg.cluster(table, roles=roles)
            found.append(result.silhouettes[2])
    low, high = np.quantile(found, [0.05, 0.95])
    assert (low, high) == pytest.approx((0.11, 0.43), abs=0.04)
    assert "0.11 to 0.43" in result.reason


@FAST
@given(seed=st.integers(0, 10**6))
def test_the_order_of_rows_and_columns_changes_no_bit(seed):
    table, roles, _ = cohort(n=30, d=1.0)
    rng = np.random.default_rng(seed)
    shuffled = table.iloc[rng.permutation(len(table)), rng.permutation(table.shape[1])]
    first, second = usimg.cluster(table, roles=roles), usimg.cluster(shuffled, roles=roles)
    assert list(second.labels.index) == list(shuffled.index)
    assert (second.labels[table.index] == first.labels).all()
    assert (second.severity[table.index].to_numpy() == first.severity.to_numpy()).all()
    assert second.silhouettes == first.silhouettes


@FAST
@given(factor=st.floats(1e-3, 1e3), shift=st.floats(-1e3, 1e3), column=st.integers(0, 3))
def test_the_unit_of_a_column_does_not_matter(factor, shift, column):
    table, roles, _ = cohort(n=30, d=1.5)
    other = table.copy()
    other.iloc[:, column] = other.iloc[:, column] * factor + shift
    first, second = usimg.cluster(table, roles=roles), usimg.cluster(other, roles=roles)
    assert (second.labels == first.labels).all()
    np.testing.assert_allclose(second.severity, first.severity, atol=1e-6)


@pytest.mark.parametrize("severe_share", [0.2, 0.5, 0.8])
def test_orientation_follows_the_roles_when_every_column_flips(severe_share):
    table, roles, truth = cohort(severe_share=severe_share)
    flipped = 2 * table.mean() - table
    result = usimg.cluster(flipped, roles=roles)
    assert (result.labels != truth).mean() > 0.97
    assert result.severity.corr((truth == "Severe").astype(float)) < -0.8


def test_fat_and_nerves_never_orient():
    table, roles, truth = cohort()
    severe = (truth == "Severe").to_numpy()
    for i, role in enumerate(["fat", "nerve_csa", "other"] * 4):
        name = f"{role}{i}"
        table[name] = np.where(severe, -5.0, 5.0) + np.random.default_rng(i).normal(size=len(table))
        roles[name] = role
    assert (usimg.cluster(table, roles=roles).labels == truth).mean() > 0.97


def test_an_axis_that_is_not_about_muscle_is_said():
    table, roles, _ = cohort(d=0.0)
    half = np.arange(len(table)) % 2
    for i in range(6):
        table[f"other{i}"] = 10.0 * half + np.random.default_rng(i).normal(size=len(table))
    (note,) = usimg.cluster(table, roles=roles).notes
    assert "caution" in note


def test_the_same_call_gives_the_same_bits():
    table, roles = gradient(n=120)
    first, second = (usimg.cluster(table, roles=roles, random_state=7) for _ in range(2))
    assert first.labels.equals(second.labels)
    assert (first.severity.to_numpy() == second.severity.to_numpy()).all()


def test_three_parts_have_ordered_names():
    table, roles, _ = cohort(n=90, d=0.0)
    level = np.arange(90) % 3
    for name, role in roles.items():
        table[name] += level * (-30.0 if role == "muscle_thickness" else 90.0)
    result = usimg.cluster(table, roles=roles)
    assert result.k == 3
    assert list(result.labels[:3]) == ["Mild", "Moderate", "Severe"]


def test_a_patient_without_most_values_is_left_out_by_name_and_reason():
    table, roles, _ = cohort()
    table.loc["P003", table.columns[:3]] = np.nan
    table.loc["P005"] = np.nan
    result = usimg.cluster(table, roles=roles)
    assert set(result.excluded) == {"P003", "P005"}
    assert table.columns[0] in result.excluded["P003"]
    assert result.excluded["P005"] == "no value in any feature"
    assert set(result.labels.index) == set(table.index) - {"P003", "P005"} == set(result.severity.index)


def test_a_patient_who_lacks_one_feature_gets_a_label_and_is_not_part_of_the_clustering():
    table, roles, truth = cohort(n=300, d=3.0)
    gaps = table.copy()
    lacking = gaps.index[::10]
    gaps.loc[lacking, table.columns[0]] = np.nan
    result = usimg.cluster(gaps, roles=roles)
    assert not result.excluded
    assert list(result.incomplete.index) == sorted(lacking)
    assert not result.standardised.index.isin(lacking).any()
    assert (result.labels == truth).mean() > 0.97
    whole = usimg.cluster(table, roles=roles)
    assert np.corrcoef(result.severity[lacking], whole.severity[lacking])[0, 1] > 0.95
    assert result.imputed.p_value < 0.05


def test_empty_constant_and_sparse_features_are_dropped_with_a_reason():
    table, roles, _ = cohort()
    table["empty"] = np.nan
    table["constant"] = 3.3
    table["sparse"] = np.where(np.arange(len(table)) % 3 == 0, np.nan, np.arange(len(table)))
    result = usimg.cluster(table, roles=roles)
    assert set(result.dropped) == {"empty", "constant", "sparse"}
    assert "34%" in result.dropped["sparse"]
    assert not result.excluded


def test_a_feature_that_becomes_constant_with_the_patients_left_is_dropped():
    table, roles, _ = cohort()
    table["nearly"] = 1.0
    table.loc["P000", "nearly"] = 2.0
    table.loc["P000", table.columns[0]] = np.nan
    result = usimg.cluster(table, roles=roles)
    assert "same value" in result.dropped["nearly"]


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda t: t.iloc[:1], r"1 patient\(s\)"),
        (lambda t: t.iloc[:, :1], r"1 usable feature"),
        (lambda t: t.assign(**dict.fromkeys(t.columns, 1.0)), "same value in every patient"),
        (lambda t: t * np.nan, "no patient has a value"),
        (lambda t: t.assign(sex=["m", "f"] * 40), "'sex' is not a measurement: patient P000 has 'm'"),
        (lambda t: t.assign(bad=[1.0, "n/a"] * 40), "patient P001 has 'n/a'"),
        (lambda t: t.assign(bad=[True, False] * 40), "not a measurement"),
        (lambda t: t.assign(bad=np.inf), "infinite"),
        (lambda t: pd.concat([t, t.iloc[:1]]), "'P000' stands more than once"),
        (lambda t: pd.concat([t, t.iloc[:, :1]], axis=1), "column .* more than once"),
        (lambda t: t.set_axis([None, *t.index[1:]]), "no patient"),
        (lambda t: t.iloc[:0], "empty"),
        (lambda t: t.to_numpy(), "ndarray"),
    ],
)
def test_bad_tables_are_refused_in_words(spoil, says):
    table, roles, _ = cohort()
    spoiled = spoil(table)
    known = {c: r for c, r in roles.items() if c in getattr(spoiled, "columns", ())}
    with pytest.raises(StudyRefused, match=says):
        usimg.cluster(spoiled, roles=known)


def test_names_without_a_role_ask_for_roles():
    table, _, _ = cohort()
    with pytest.raises(StudyRefused, match="roles="):
        usimg.cluster(table.set_axis(list("abcd"), axis=1))


@pytest.mark.parametrize(
    ("roles", "says"), [({"nowhere": "fat"}, "does not have"), ({"a": "thick"}, "is not a role")]
)
def test_wrong_roles_are_refused(roles, says):
    table, _, _ = cohort()
    with pytest.raises(StudyRefused, match=says):
        usimg.cluster(table.set_axis(list("abcd"), axis=1), roles=roles)


def test_clinical_is_checked_and_decides_why_a_check_was_not_run():
    table, roles, _ = cohort()
    without = usimg.cluster(table, roles=roles).checks["device"]
    clinical = pd.DataFrame({"device": "A"}, index=table.index)
    given_ = usimg.cluster(table, clinical, roles=roles).checks
    assert "no column 'device'" in without
    assert "no column" not in given_["device"]
    assert "no column 'sex'" in given_["sex"]
    with pytest.raises(StudyRefused, match="share no patient"):
        usimg.cluster(table, clinical.set_axis(range(len(clinical))), roles=roles)
    with pytest.raises(StudyRefused, match="more than once"):
        usimg.cluster(table, pd.concat([clinical, clinical]), roles=roles)


def test_the_input_is_left_as_it_was_and_the_result_is_frozen():
    table, roles, _ = cohort()
    before = table.copy()
    result = usimg.cluster(table, roles=roles)
    pd.testing.assert_frame_equal(table, before)
    with pytest.raises(AttributeError):
        result.claim = "groups"


def test_clustering_starts_no_threads():
    code = (
        "import os, numpy as np, pandas as pd, usimg\n"
        "from usimg.phenotype import cluster\n"
        "threads = lambda: len(os.listdir('/proc/self/task'))\n"
        "t = pd.DataFrame(np.random.default_rng(0).normal(size=(1000, 6)), columns=list('abcdef'))\n"
        "before = threads()\n"
        "cluster(t, roles={'a': 'muscle_echo'})\n"
        "print(threads() - before)\n"
    )
    if not os.path.isdir("/proc/self/task"):  # noqa: PTH112
        pytest.skip("threads are counted in /proc, which this system does not have")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0"]


def test_labels_do_not_depend_on_which_group_comes_first():
    table, roles, truth = cohort(severe_share=0.5)
    reversed_ = usimg.cluster(table.iloc[::-1].set_axis(table.index), roles=roles)
    assert adjusted_rand_score(truth[::-1], reversed_.labels) > 0.9
    assert (reversed_.labels.to_numpy() == truth[::-1].to_numpy()).mean() > 0.97
