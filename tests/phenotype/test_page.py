import re

import numpy as np
import pandas as pd
import pytest

import usimg
from usimg.phenotype.drawings import patient_map, severity_histogram
from usimg.phenotype.figures import as_svg, figures
from usimg.phenotype.page import Beside
from usimg.simulate import cohort


@pytest.fixture(scope="module")
def result():
    rng = np.random.default_rng(3)
    severe = np.linspace(0.0, 1.0, 60)
    names = [f"rectus_femoris__mid_thigh__{side}__thickness_mm" for side in ("left", "right")]
    table = pd.DataFrame(
        {name: 22 - 8 * severe + rng.normal(size=60) for name in names},
        index=[f"S{i:02d}" for i in range(60)],
    )
    table["<b>hostile</b>"] = rng.normal(size=60)
    table["empty"] = np.nan
    table.iloc[7, :2] = np.nan
    table.iloc[8, 0] = np.nan
    return usimg.cluster(table)


@pytest.fixture(scope="module")
def page(result, tmp_path_factory):
    return seen(result.report(tmp_path_factory.mktemp("page") / "phenotypes.html"))


def seen(path):
    html = path.read_text("utf-8")
    return html, re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html.split("</style>")[1]))


def test_the_page_says_that_no_groups_are_shown_and_why(result, page):
    _, text = page
    assert "No groups shown" in text
    assert f"{result.silhouette:.2f} at k = 2" in text
    assert "gradient" in text
    assert "partition of a continuum" in text
    assert all(outcome.split("'")[0] in text for outcome in result.checks.values())


def test_the_page_and_parts_do_not_speak_of_mild_and_severe_groups(result, page):
    _, text = page
    assert not re.search(r"\b(Mild|Severe)\b", text)
    assert set(result.parts) == {"lower part of severity", "upper part of severity"}
    assert ((result.parts == "upper part of severity") == (result.labels == "Severe")).all()
    for name, size in result.parts.value_counts().items():
        assert f"{name}: {size} patients" in text


def test_who_and_what_was_left_out_is_named(result, page):
    _, text = page
    assert "1 of 60 patients have no label" in text
    assert "S07" in text
    assert "empty: no patient has a value" in text


def test_the_page_asks_nothing_of_the_network_and_escapes_names(page):
    html, _ = page
    assert "<script" not in html
    assert "<b>hostile" not in html
    assert not re.search(r"url\((?!#)|@import|https?://|src=", html)


def test_every_patient_stands_in_one_bar_of_the_histogram(result):
    (axes,) = severity_histogram(result).axes
    assert sum(bar.get_height() for bar in axes.patches) == len(result.labels)


@pytest.mark.parametrize("patients", [4, 60])
def test_small_and_large_cohorts_give_a_page(patients, tmp_path):
    rng = np.random.default_rng(patients)
    table = pd.DataFrame(rng.normal(size=(patients, 3)), columns=list("abc"))
    page = usimg.cluster(table, roles={"a": "muscle_echo"}).report(tmp_path / "p.html")
    assert f"({patients} patients, 3 features)" in seen(page)[1]
    assert ("Too few patients" in seen(page)[1]) == (patients < 50)


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Text of the page of a cohort of each kind."""
    folder = tmp_path_factory.mktemp("pages")
    texts = {}
    for kind in ("groups", "device_bimodal"):
        made = cohort(210, kind, seed=1)
        result = usimg.cluster(made.features, made.clinical)
        texts[kind] = seen(result.report(folder / f"{kind}.html", command="usimg cluster <study>"))[1], result
    return texts


def test_groups_are_called_so_on_their_page_and_the_parts_have_their_names(pages):
    text, result = pages["groups"]
    assert "form 2 groups along severity" in text
    assert f"Severe: {(result.labels == 'Severe').sum()} patients" in text
    assert "continuum." not in text.split("Method")[0]


def test_the_page_names_what_explains_the_parts(pages):
    text, _ = pages["device_bimodal"]
    assert "explained by device, not by the disease" in text
    assert "The colours are parts, not groups" in text


def test_the_page_says_what_would_have_been_seen_and_how_to_make_it_again(pages):
    text, result = pages["groups"]
    power = result.evidence.power
    assert f"groups {power.enough:.1f} SD apart are found in at least nine of ten" in text
    assert "on the axis between the groups" in text
    assert "usimg cluster &lt;study&gt;" in text


def test_every_patient_stands_on_the_map_at_their_severity(pages):
    _, result = pages["groups"]
    (axes,) = patient_map(result).axes
    drawn = np.concatenate([np.asarray(points.get_offsets())[:, 0] for points in axes.collections])
    assert sorted(drawn) == pytest.approx(sorted(result.severity))


def test_the_page_draws_every_figure_with_its_words_as_text(pages):
    text, _ = pages["groups"]
    for words in ("second component", "number of parts k", "share seen", "one SD of severity", "patients"):
        assert words in text


def test_figures_are_the_same_file_every_time_and_follow_the_pages_colours(pages):
    _, result = pages["groups"]
    once, again = (as_svg(figures(result, Beside())["map"][0]) for _ in range(2))
    assert once == again
    assert "var(--ink)" in as_svg(figures(result, Beside())["silhouettes"][0], for_page=True)


def test_outcomes_and_leaving_out_are_in_the_page(pages):
    text, result = pages["groups"]
    for one in result.meanings:
        assert one.label in text
    assert "block: nerve" in text
    assert "device: synthetic scanner A" in text


def test_features_left_out_for_one_reason_stand_together(tmp_path):
    made = cohort(60, "gradient")
    table = made.features.assign(**{f"empty{i}": np.nan for i in range(5)})
    text = seen(usimg.cluster(table).report(tmp_path / "p.html"))[1]
    assert text.count("empty: no patient has a value") == 1
    assert "empty0, empty1, empty2, empty3, empty4" in text
