"""Reference equations from controls whose truth is known, and where no z is given."""

import json

import numpy as np
import pandas as pd
import pytest

from usimg.agreement.fat import fat_corrected, read_fat_correction
from usimg.agreement.reference import Reference, fit
from usimg.agreement.scores import score
from usimg.agreement.values import averaged, read
from usimg.errors import StudyRefused

SD, IMAGE = 3.0, 1.5


def people(n=80, *, seed=0, images=3, measure="thickness_mm", sides=("left",), sd_per_year=0.0, **fields):
    """Controls: 20 + 0.1 height - 0.1 age + 2 for men, SD 3 between them and 1.5 between images."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(n):
        age, height, male = rng.uniform(20, 80), rng.uniform(155, 190), number % 2
        expected = 20 + 0.1 * height - 0.1 * age + 2 * male
        for side in sides:
            true = expected + rng.normal(0, SD + sd_per_year * (age - 20))
            rows += [
                {
                    "subject": f"C{number:03d}",
                    "structure": "rectus_femoris",
                    "site": "mid_thigh",
                    "side": side,
                    "measure": measure,
                    "repeat": str(image),
                    "value": true + rng.normal(0, IMAGE),
                    "rule": "mean_vertical",
                    "settings": "GE LOGIQ e",
                    "age": age,
                    "sex": "male" if male else "female",
                    "height_cm": height,
                }
                | fields
                for image in range(images)
            ]
    return averaged(pd.DataFrame(rows))


def patient(value=20.0, **fields):
    row = {
        "subject": "P1", "structure": "rectus_femoris", "site": "mid_thigh", "side": "left",
        "measure": "thickness_mm", "value": value, "images": 3, "rule": "mean_vertical",
        "settings": "GE LOGIQ e", "age": 50.0, "sex": "female", "height_cm": 170.0,
    }  # fmt: skip
    return averaged(pd.DataFrame([row | fields]))


@pytest.fixture(scope="module")
def reference():
    return fit(people(), citation="simulated")


def one(reference, **fields):
    return score(patient(**fields), reference).iloc[0]


def test_the_equation_of_the_controls_comes_back():
    model = fit(people(700)).models[0]
    assert dict(zip(model.terms, model.coefficients, strict=True)) == pytest.approx(
        {"1": 20, "age": -0.1, "sex=male": 2, "height_cm": 0.1}, rel=0.2, abs=4.0
    )
    assert model.sd == pytest.approx(np.sqrt(SD**2 + IMAGE**2 / 3), rel=0.05)
    assert model.image_variance == pytest.approx(IMAGE**2, rel=0.1)
    assert (model.n, model.images, model.sd_by_age) == (700, 3, None)


def test_z_is_the_distance_from_expected_with_its_interval(reference):
    model = reference.models[0]
    expected = float(np.dot(model.coefficients, [1, 50.0, 0, 170.0]))
    found = one(reference, value=expected - 2 * model.sd)
    assert (found["z"], found["n"]) == (pytest.approx(-2.0), 80)
    assert found["z_low"] < -2.0 < found["z_high"]
    assert found["sign"] == "above 0: larger than controls"
    assert found["value"] == expected - 2 * model.sd


def test_intervals_of_z_hold_the_true_z():
    hits = 0
    for seed in range(30):
        found = one(fit(people(40, seed=seed)), value=24.0)
        true = (24.0 - (20 + 17 - 5)) / np.sqrt(SD**2 + IMAGE**2 / 3)
        hits += found["z_low"] <= true <= found["z_high"]
    assert hits >= 26


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"age": 85.0}, "age 85 is outside of the controls'"),
        ({"height_cm": 140.0}, "height 140 is outside of the controls'"),
        ({"height_cm": np.nan}, "height is not known"),
        ({"sex": "diverse"}, "sex is diverse; controls are female and male"),
        ({"rule": "caliper"}, "measured by caliper; controls by mean_vertical"),
        ({"structure": "tibialis_anterior"}, "no controls of this structure, site and measure"),
        ({"unit": "cm"}, "in cm; controls are in mm"),
    ],
)
def test_no_z_is_given_where_controls_cannot_say(reference, fields, reason):
    found = one(reference, **fields)
    assert np.isnan(found["z"])
    assert reason in found["reason"]


def test_echo_intensity_needs_the_settings_of_the_controls():
    reference = fit(people(measure="echo_intensity"))
    echo = {"measure": "echo_intensity"}
    assert np.isfinite(one(reference, **echo)["z"])
    assert one(reference, **echo)["sign"] == "above 0: brighter than controls"
    assert "other settings (Philips CX50)" in one(reference, settings="Philips CX50", **echo)["reason"]
    assert "not fully known" in one(reference, settings="", **echo)["reason"]
    assert "not fully known" in one(reference, settings="GE | preset ?", **echo)["reason"]


def test_settings_do_not_matter_for_lengths(reference):
    assert np.isfinite(one(reference, settings="Philips CX50")["z"])


def test_a_mean_of_fewer_images_is_rescaled(reference):
    three, single = one(reference), one(reference, images=1)
    assert single["sd"] ** 2 - three["sd"] ** 2 == pytest.approx(
        reference.models[0].image_variance * (1 - 1 / 3)
    )
    assert abs(single["z"]) < abs(three["z"])


def test_another_number_of_images_is_refused_where_single_images_are_not_known():
    found = one(fit(people(images=1)), images=3)
    assert "a mean of 3 images; controls are means of 1" in found["reason"]


def test_two_sides_of_a_control_are_not_two_controls():
    one_side, two = fit(people(60)).models[0], fit(people(60, sides=("left", "right"))).models[0]
    assert (two.n, two.sides) == (60, "left and right")
    assert two.freedom == one_side.freedom
    # The SD is that of one side.
    assert two.sd == pytest.approx(one_side.sd, rel=0.25)


def test_an_sd_that_grows_with_age_is_found_and_used():
    reference = fit(people(400, sd_per_year=0.1))
    model = reference.models[0]
    assert model.sd_age_p < 0.05
    young, old = (one(reference, age=age)["sd"] for age in (25.0, 75.0))
    assert young == pytest.approx(np.hypot(3.5, IMAGE / np.sqrt(3)), rel=0.25)
    assert old == pytest.approx(np.hypot(8.5, IMAGE / np.sqrt(3)), rel=0.25)


def test_models_with_and_without_fat_stand_beside_each_other():
    controls = people(measure="echo_intensity")
    rng = np.random.default_rng(1)
    fat = pd.Series(rng.uniform(3, 20, len(controls)))
    controls = controls.assign(fat_mm=fat, value=controls["value"] + 50 - fat)
    reference = fit(controls)
    assert [model.with_fat for model in reference.models] == [False, True]
    assert reference.models[1].sd < reference.models[0].sd
    echo = {"measure": "echo_intensity", "value": 60.0}
    found = one(reference, fat_mm=19.0, **echo)
    assert found["z_with_fat"] > found["z"]
    assert "fat is not known" in one(reference, **echo)["reason_with_fat"]
    assert np.isfinite(one(reference, **echo)["z"])


def test_too_few_controls_are_refused_with_the_number_needed():
    with pytest.raises(StudyRefused, match=r"12 controls.*19 are needed for 4 coefficients"):
        fit(people(12))


def test_controls_of_one_sex_give_an_equation_for_that_sex():
    controls = people()
    women = fit(controls[controls["sex"] == "female"])
    assert women.models[0].terms == ("1", "age", "height_cm")
    assert "sex is male" in one(women, sex="male")["reason"]


def test_constant_controls_are_not_fitted():
    with pytest.raises(StudyRefused, match="nothing varies"):
        fit(people().assign(value=20.0))


def test_the_file_says_all_and_reads_back_as_it_was(reference, tmp_path):
    path = reference.write(tmp_path / "reference.json")
    back = Reference.read(path)
    assert back.models == reference.models
    assert back.citation == "simulated"
    said = json.loads(path.read_text())
    model = set(said["models"][0])
    assert {"rule", "origin", "settings", "images", "n", "ranges", "covariance", "sd_age_p"} <= model
    assert score(patient(), back).equals(score(patient(), reference))


def test_another_file_is_refused(tmp_path):
    path = tmp_path / "other.json"
    path.write_text('{"kind": "something else"}')
    with pytest.raises(StudyRefused, match="no file of reference values"):
        Reference.read(path)


def test_values_come_from_a_german_csv_with_a_clinical_table(tmp_path):
    (tmp_path / "v.csv").write_text(
        "subject;structure;measure;value;repeat\nP1;rectus_femoris;thickness_mm;20,5;1\n"
        "P1;rectus_femoris;thickness_mm;21,5;2\n"
    )
    (tmp_path / "c.csv").write_text("subject,age,sex,height_cm\nP1,61,w,165\n")
    found = read(tmp_path / "v.csv", tmp_path / "c.csv").iloc[0]
    assert (found["value"], found["images"], found["image_variance"]) == (21.0, 2, 0.5)
    assert (found["age"], found["sex"], found["height_cm"]) == (61.0, "female", 165.0)


def test_images_under_two_settings_have_no_mean():
    rows = pd.concat([patient(measure="echo_intensity"), patient(measure="echo_intensity", settings="B")])
    made = averaged(rows.assign(images=1))
    assert np.isnan(made["value"].iloc[0])
    assert "several settings" in score(made, fit(people(measure="echo_intensity"))).iloc[0]["reason"]


FAT = """[fat_correction]
per_cm = 40.0
source = "our phantom, 2026"
settings = "GE LOGIQ e"
range_mm = [0, 20]
"""


def test_a_fat_correction_is_a_column_of_its_own_and_says_its_source(tmp_path):
    (tmp_path / "fat.toml").write_text(FAT)
    correction = read_fat_correction(tmp_path / "fat.toml")
    echo = {"measure": "echo_intensity", "value": 60.0}
    found = fat_corrected(patient(fat_mm=5.0, **echo), correction).iloc[0]
    assert (found["value"], found["echo_intensity_fat_corrected"]) == (60.0, 80.0)
    assert found["fat_correction"] == "40 per cm, our phantom, 2026"
    for fields, reason in (
        ({"fat_mm": 5.0, "settings": "Philips"}, "not under the settings"),
        ({"fat_mm": 30.0}, "fat outside of the 0 to 20 mm"),
        ({}, "thickness of fat is not known"),
    ):
        other = fat_corrected(patient(**echo | fields), correction).iloc[0]
        assert np.isnan(other["echo_intensity_fat_corrected"])
        assert reason in other["reason"]


@pytest.mark.parametrize("line", ["per_cm", "source", "settings", "range_mm"])
def test_a_fat_correction_without_a_source_or_device_is_refused(tmp_path, line):
    text = "\n".join(kept for kept in FAT.splitlines() if not kept.startswith(line))
    (tmp_path / "fat.toml").write_text(text)
    with pytest.raises(StudyRefused, match=f"{line} is missing"):
        read_fat_correction(tmp_path / "fat.toml")
