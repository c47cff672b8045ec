"""A study's readings, repeats, sessions and methods, compared."""

import numpy as np
import pandas as pd
import pytest

import usimg
from usimg.agreement.from_study import compare_study
from usimg.errors import StudyRefused
from usimg.study import target_of
from usimg.study.schema import outline_of


def square(side, moved):
    top = 10.0 + moved
    return [[top, 10.0], [top, 10.0 + side], [top + side, 10.0 + side], [top + side, 10.0]]


def draw(sitting, row, side, *, parents=(), moved=0.0):
    """Draw and accept a square, as the viewer does."""
    target = target_of(row)
    values = {"csa_mm2": (side / 10) ** 2, "echo_intensity": 50.0 + side, "trace_rule": "inside_rim"}
    values |= {"row_mm": 0.1, "col_mm": 0.1}
    geometry = outline_of(usimg.Roi(polygon=square(side, moved)))
    drawn = sitting.outline(target, geometry, values, parents=parents)
    sitting.accept(target, drawn.id, parents=(drawn.id,))


@pytest.fixture
def read_blind(study, add_run, row_of, sizes):
    """Two readers, each from scratch in one arm and from the automatic outline in another."""
    rows = [row_of(number, size) for number, size in enumerate(sizes)]
    add_run(rows)
    rng = np.random.default_rng(1)
    for reader, bias in (("Ada", 0.0), ("Bo", 1.0)):
        with study.sitting(reader, arm="scratch") as sitting:
            for row, size in zip(rows, sizes, strict=True):
                draw(sitting, row, size + bias + rng.normal(0, 0.5), moved=bias)
        with study.sitting(reader, arm="automatic") as sitting:
            for number, row in enumerate(rows):
                if number == 0 and reader == "Bo":
                    sitting.reject(target_of(row), "border not visible", parents=(row["outline"],))
                elif number % 3 == 0:
                    draw(sitting, row, sizes[number] + bias, parents=(row["outline"],))
                else:
                    sitting.accept(target_of(row), row["outline"])
    return study


def of(found, measure, start):
    return next(
        one for one in found.estimates if (one.comparison.measure, one.comparison.start) == (measure, start)
    )


def test_readers_are_split_by_what_they_started_from(read_blind):
    found = compare_study(read_blind, "readers")
    scratch, automatic = (of(found, "csa_mm2", start) for start in ("scratch", "automatic"))
    assert (scratch.patients, automatic.patients, automatic.incomplete) == (14, 13, 1)
    assert scratch.pairs[0].bias.value < -0.5
    assert automatic.errors[0].sem.value < scratch.errors[0].sem.value
    unedited = {level.name: level.unedited for level in automatic.levels}
    assert unedited == {"Ada": pytest.approx(9 / 14), "Bo": pytest.approx(9 / 13)}
    assert [level.failed for level in automatic.levels] == [0, 1]
    assert any("not independent" in note for note in automatic.notes)


def test_outlines_of_readers_are_compared_in_mm(read_blind):
    drawn, started = compare_study(read_blind, "readers").outlines
    scratch, automatic = (drawn, started) if "scratch" in drawn.name else (started, drawn)
    assert (scratch.pictures, scratch.lacking, scratch.identical) == (14, 0, 0.0)
    assert 0.85 < scratch.dice.low < scratch.dice.value < scratch.dice.high < 1.0
    # One pixel down and one pixel larger: corners lie 0.2 mm apart.
    assert 0.05 < scratch.hausdorff95_mm < 0.3
    assert (automatic.pictures, automatic.lacking) == (13, 1)
    assert automatic.identical == pytest.approx(9 / 13)
    assert automatic.dice_with_failures < automatic.dice.value


def test_the_page_of_a_study_reads_again(read_blind, tmp_path):
    html = compare_study(read_blind, "readers").report(tmp_path / "out").read_text()
    assert "Overlap of the outlines" in html
    assert "no patient was scanned again" in html
    assert not any(scan in html for scan in (f"{1:064x}", str(read_blind.root)))


def test_open_sittings_are_compared_and_said_to_be_open(study, add_run, row_of, sizes):
    rows = [row_of(number, size) for number, size in enumerate(sizes)]
    add_run(rows)
    for reader, extra in (("Ada", 0.0), ("Bo", 0.5)):
        with study.sitting(reader) as sitting:
            for row, size in zip(rows, sizes, strict=True):
                draw(sitting, row, size + extra + float(size) % 0.3)
    found = compare_study(study, "readers")
    assert found.estimates
    assert any("No sitting was blind" in note for note in found.notes)


def test_the_same_picture_twice_is_a_reading_of_its_own(study, add_run, row_of, sizes):
    rows = [row_of(number, size) for number, size in enumerate(sizes)]
    add_run(rows)
    rng = np.random.default_rng(2)
    for arm in ("first", "second"):
        with study.sitting("Ada", arm=arm) as sitting:
            for row, size in zip(rows, sizes, strict=True):
                draw(sitting, row, size + rng.normal(0, 0.5))
    estimate = of(compare_study(study, "readings"), "csa_mm2", "scratch")
    assert (estimate.comparison.reader, estimate.comparison.levels) == ("Ada", ("1", "2"))
    assert estimate.errors[0].kind == "re-reading, same reader"


def test_methods_are_compared_with_each_other_and_with_people(study, add_run, row_of, sizes):
    rows = [row_of(number, size) for number, size in enumerate(sizes)]
    add_run(rows)
    add_run(
        [row_of(number, size * 1.05, method="network 3") for number, size in enumerate(sizes)],
        run="run2",
        generation=2,
    )
    with study.sitting("Ada", arm="scratch") as sitting:
        for row, size in zip(rows, sizes, strict=True):
            draw(sitting, row, size + 0.3)
    found = compare_study(study, "methods")
    area = of(found, "csa_mm2", "")
    assert area.comparison.levels == ("classical", "network", "people")
    bias = {(pair.first, pair.second): pair.bias.value for pair in area.pairs}
    assert bias["classical", "network"] == pytest.approx(-(1.05**2 - 1) * np.mean((sizes / 10) ** 2))
    assert {(one.first, one.second) for one in found.outlines} == set(bias)
    assert any("started from scratch" in note for note in found.notes)


def test_versions_are_compared_of_the_method_that_holds(study, add_run, row_of, sizes):
    add_run([row_of(number, size) for number, size in enumerate(sizes)])
    newer = [row_of(number, size + 0.5, usimg_version="0.2.0") for number, size in enumerate(sizes)]
    add_run(newer, run="run2", generation=2)
    area = of(compare_study(study, "versions"), "csa_mm2", "")
    assert area.comparison.levels == ("classical 1 / usimg 0.1.0", "classical 1 / usimg 0.2.0")


def test_sessions_take_the_values_that_count(study, add_run, row_of, sizes):
    rng = np.random.default_rng(3)
    rows = []
    for number, size in enumerate(sizes):
        for session in ("a", "b"):
            for repeat in (1, 2):
                scan = f"{number:060x}{session}{repeat:03x}"
                size_now = size + rng.normal(0, 1.0)
                rows.append(row_of(number, size_now, scan=scan, session=session, repeat=repeat))
    add_run(rows)
    found = compare_study(study, "sessions")
    area = of(found, "csa_mm2", "")
    assert area.images == "mean of 2 images"
    assert [(error.kind, error.images) for error in area.errors] == [
        ("re-scan, sessions", 1),
        ("re-scan, sessions", 2),
    ]
    repeats = compare_study(study, "repeats")
    assert of(repeats, "csa_mm2", "").comparison.levels == ("1", "2")


def test_two_visits_are_no_sessions(study, add_run, row_of, sizes):
    rows = [
        row_of(number, size, visit=visit, scan=f"{number:060x}{visit:>04}")
        for number, size in enumerate(sizes)
        for visit in ("1", "2")
    ]
    add_run(rows)
    found = compare_study(study, "sessions")
    assert not found.estimates
    assert any("two visits are no sessions" in note for note in found.notes)


def test_a_study_without_readings_says_what_to_do(study, add_run, row_of, sizes):
    add_run([row_of(number, size) for number, size in enumerate(sizes)])
    with pytest.raises(StudyRefused, match="nobody has accepted"):
        compare_study(study, "readers")


def test_pictures_without_a_repeat_are_numbered(study, add_run, row_of, sizes):
    rows = [
        row_of(number, size + extra, scan=f"{number:060x}{extra:04x}", repeat=None)
        for number, size in enumerate(sizes)
        for extra in (0, 1)
    ]
    add_run(rows)
    area = of(compare_study(study, "repeats"), "csa_mm2", "")
    assert area.comparison.levels == ("1", "2")
    assert isinstance(area.comparison.rows, pd.DataFrame)
