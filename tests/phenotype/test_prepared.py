"""What is done to the features before they are clustered, seen from `usimg.cluster`."""

import numpy as np
import pandas as pd
import pytest

import usimg
from usimg.errors import StudyRefused
from usimg.phenotype import Preparation
from usimg.simulate import cohort


@pytest.fixture(scope="module")
def two_devices():
    """Patients of a gradient on two devices 2 SD apart in echo intensity, and 40 controls of each."""
    made = cohort(300, "device_bimodal", seed=3)
    healthy = cohort(80, "device_bimodal", seed=4)
    controls = healthy.features.rename("C{}".format)
    of_controls = healthy.clinical.rename("C{}".format).assign(group="control")
    features = pd.concat([made.features, controls])
    return features, pd.concat([made.clinical.assign(group="patient"), of_controls])


def clustered(tables, **choices):
    return usimg.cluster(*tables, preparation=Preparation(**choices))


def test_controls_are_a_reference_and_not_patients(two_devices):
    result = clustered(two_devices)
    assert (len(result.labels), result.controls) == (300, 80)
    assert result.excluded["CS0001"].startswith("control")


def test_echo_intensity_against_controls_of_the_same_device_loses_the_device(two_devices):
    raw, z = clustered(two_devices), clustered(two_devices, echo="z")
    assert raw.claim == "explained by device"
    assert "compared as it is" in raw.said
    assert z.claim == "no groups shown"
    assert "controls scanned with the same device" in z.said


def test_centring_by_device_needs_an_assumption_that_is_said(two_devices):
    with pytest.raises(StudyRefused, match="assume-equal-case-mix"):
        clustered(two_devices, echo="centred")
    result = clustered(two_devices, echo="centred", assume_equal_case_mix=True)
    assert "assuming that all devices saw equally ill patients" in result.said
    assert result.claim == "no groups shown"


def test_without_echo_intensity_there_is_none(two_devices):
    result = clustered(two_devices, echo="without")
    assert "muscle_echo" not in result.roles.values()
    assert "Echo intensity was left out (8 features)." in result.said


def test_bridged_values_take_the_place_of_raw_ones(two_devices):
    features, clinical = two_devices
    raw = [name for name in features if name.endswith("echo_intensity")]
    bridged = features[raw].add_suffix("_bridged")
    roles = dict.fromkeys(bridged, "muscle_echo")
    both = pd.concat([features, bridged], axis=1)
    result = usimg.cluster(both, clinical, roles=roles, preparation=Preparation(echo="bridged"))
    assert set(raw) <= set(result.dropped)
    assert set(bridged) <= set(result.roles)
    with pytest.raises(StudyRefused, match="usimg agreement"):
        clustered(two_devices, echo="bridged")


def test_a_device_without_controls_gives_no_z_score(two_devices):
    features, clinical = two_devices
    lost = clinical.index.str.startswith("C") & (clinical["device"] == "synthetic scanner B")
    with pytest.raises(StudyRefused, match="0 controls were scanned with synthetic scanner B"):
        clustered((features[~lost], clinical[~lost]), echo="z")


def test_adjusting_for_age_and_sex_takes_their_difference_out_of_severity():
    made = cohort(454, "sex_bimodal", seed=1)
    plain = usimg.cluster(made.features, made.clinical)
    adjusted = usimg.cluster(made.features, made.clinical, preparation=Preparation(adjust=("age", "sex")))
    female = made.clinical["sex"] == "female"

    def gap(severity):
        return abs(severity[female].mean() - severity[~female].mean())

    assert plain.claim == "explained by sex"
    assert (adjusted.claim, gap(adjusted.severity) < 0.2 * gap(plain.severity)) == ("no groups shown", True)
    assert "adjusted for age and sex" in adjusted.recipe.said
    assert "the 454 patients themselves" in adjusted.recipe.said


def test_adjusting_for_weight_is_done_only_where_asked_and_said():
    made = cohort(100, "gradient", seed=1)
    facts = made.clinical.assign(bmi=25.0 + np.arange(100) % 7)
    result = usimg.cluster(made.features, facts, preparation=Preparation(adjust=("bmi",)))
    assert "The disease lowers bmi" in result.recipe.said
    with pytest.raises(StudyRefused, match="no column weight_kg or weight"):
        usimg.cluster(made.features, facts, preparation=Preparation(adjust=("weight",)))


def test_blocks_of_equal_weight_let_few_nerves_count_as_much_as_many_muscles():
    made = cohort(200, "correlated", seed=1)
    result = usimg.cluster(made.features, preparation=Preparation(weights={}))
    variance = result.standardised.var(ddof=0)
    by_role = variance.groupby(pd.Series(result.roles)).sum()
    assert by_role.to_numpy() == pytest.approx([22 / 3] * 3)


def test_a_patient_without_a_fact_to_adjust_for_is_left_out_and_words_for_ages_are_refused():
    made = cohort(60, "gradient", seed=1)
    facts = made.clinical.copy()
    facts.loc["S0003", "age"] = np.nan
    result = usimg.cluster(made.features, facts, preparation=Preparation(adjust=("age",)))
    assert result.excluded == {"S0003": "no 'age', which the features are adjusted for"}
    facts["age"] = "old"
    with pytest.raises(StudyRefused, match="'old' of S0001 is no age"):
        usimg.cluster(made.features, facts, preparation=Preparation(adjust=("age",)))


def test_only_declared_core_features_are_used_and_needed():
    made = cohort(120, "gradient", missing=0.1, seed=1)
    result = usimg.cluster(made.features, preparation=Preparation(core=("*thickness_mm",)))
    assert set(result.roles.values()) == {"muscle_thickness"}
    assert any("declared core" in why for why in result.dropped.values())


def test_one_patient_under_two_ids_is_noticed():
    made = cohort(60, "gradient", seed=1)
    twin = made.features.iloc[:1].rename(index={"S0001": "T"})
    (note,) = usimg.cluster(pd.concat([made.features, twin])).notes
    assert "S0001 and T" in note


def test_patients_who_lack_values_are_compared_with_those_who_do_not():
    made = cohort(300, "gradient", seed=2)
    table = made.features.copy()
    thick = [name for name in table if name.endswith("thickness_mm")]
    ill = made.truth["severity_sd"].nlargest(40).index
    table.loc[ill, thick[:2]] = np.nan
    result = usimg.cluster(table, made.clinical)
    found = result.missingness
    assert (found.patterns[0].features, found.patterns[0].patients) == (tuple(thick[:2]), 40)
    severity, outcome, age = found.compared
    assert severity.p < 0.01 > outcome.p
    assert severity.mean_missing > 1 > severity.mean_complete
    assert age.p > 0.05
    assert "they differ" in severity.sentence
    assert result.imputed.p_value > 0.05
    assert usimg.cluster(made.features).missingness is None


def test_the_p_value_of_imputed_data_is_twice_the_median():
    from usimg.phenotype.imputation import Imputed

    assert Imputed(3, 5, (0.01, 0.02, 0.9)).p_value == pytest.approx(0.04)
