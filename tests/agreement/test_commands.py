"""The commands, as typed."""

import csv
import json

import pytest
from typer.testing import CliRunner

from usimg.cli import app
from usimg.errors import StudyRefused
from usimg.simulate import reader_study
from usimg.simulate.readers import write


def run(*arguments):
    return CliRunner().invoke(app, [*map(str, arguments)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write(
        reader_study(14, readers=2, sessions=2, images=2, seed=1), tmp_path_factory.mktemp("readers")
    )


def test_a_simulated_study_is_written_and_compared(tmp_path):
    assert run("advanced", "simulate", "readers", "-o", tmp_path / "r", "--patients", 12).exit_code == 0
    truth = json.loads((tmp_path / "r" / "truth.json").read_text())
    assert truth["thickness_mm"]["sd"]["session"] == 0.6
    said = run("agreement", tmp_path / "r" / "readers.csv", "--out", tmp_path / "out")
    assert said.exit_code == 0
    assert "MDC95 (re-reading), one image:" in said.output
    assert "MDC95 (re-scan, sessions), mean of 3 images:" in said.output
    page = (tmp_path / "out" / "agreement.html").read_text()
    assert "usimg agreement TABLE --between readers" in page
    assert str(tmp_path) not in page


def test_a_script_reads_the_numbers(folder):
    found = json.loads(run("agreement", folder / "readers.csv", "--between", "sessions", "--json").output)
    assert found["what_was_repeated"] == "Patients were scanned again."
    assert {row["error"] for row in found["errors"]} == {"re-scan, sessions"}
    assert found["agreement"][0]["patients"] == 14


def test_nothing_to_compare_is_its_own_exit_code(folder):
    said = run("agreement", folder / "readers.csv", "--between", "operators")
    assert said.exit_code == 3
    assert "column operator is empty" in said.output


def test_from_controls_to_z_scores(tmp_path):
    header = "subject,structure,measure,value,age,sex,height_cm\n"
    rows = [
        f"C{n},soleus,thickness_mm,{20 + n % 7},{20 + n},{'mf'[n % 2]},{160 + n % 11}\n" for n in range(40)
    ]
    (tmp_path / "controls.csv").write_text(header + "".join(rows))
    (tmp_path / "patients.csv").write_text(
        header + "P1,soleus,thickness_mm,12,40,f,165\nP2,soleus,thickness_mm,12,90,f,165\n"
    )
    cited = ("--citation", "ours")
    said = run("reference", "fit", tmp_path / "controls.csv", "--out", tmp_path / "r.json", *cited)
    assert said.exit_code == 0, said.output
    assert "40 controls, 1 + age + sex=male + height_cm" in said.output
    said = run(
        "reference", "apply", tmp_path / "r.json", tmp_path / "patients.csv", "--out", tmp_path / "z.csv"
    )
    assert "1 of 2 values have z" in said.output
    assert "age 90 is outside of the controls' 20 to 59" in said.output
    with (tmp_path / "z.csv").open() as file:
        first, second = csv.DictReader(file)
    assert float(first["z_low"]) < float(first["z"]) < float(first["z_high"]) < 0
    assert (second["z"], second["value"]) == ("", "12.0")


def test_a_bridge_is_made_and_used(tmp_path):
    pairs = [(n, "A", 40 + n) for n in range(15)] + [(n, "B", 60 + 2 * n) for n in range(15)]
    lines = [f"S{n},soleus,echo_intensity,{value},{machine}\n" for n, machine, value in pairs]
    (tmp_path / "paired.csv").write_text("subject,structure,measure,value,settings\n" + "".join(lines))
    machines = ("--from", "A", "--to", "B")
    said = run("reference", "bridge", tmp_path / "paired.csv", *machines, "-o", tmp_path / "b.json")
    assert said.exit_code == 0, said.output
    assert "holds from 40 to 54" in said.output
    (tmp_path / "new.csv").write_text(
        "subject,structure,measure,value,settings\nP,soleus,echo_intensity,50,A\nQ,soleus,echo_intensity,70,A\n"
    )
    said = run("reference", "apply", tmp_path / "b.json", tmp_path / "new.csv", "--out", tmp_path / "out.csv")
    assert "1 of 2 values have echo_intensity_bridged" in said.output
    with (tmp_path / "out.csv").open() as file:
        first, second = csv.DictReader(file)
    assert (float(first["value"]), float(first["echo_intensity_bridged"])) == (50.0, pytest.approx(80.0))
    assert second["echo_intensity_bridged"] == ""


def test_another_file_is_not_taken_for_reference_values(tmp_path):
    (tmp_path / "x.json").write_text("[1, 2]")
    (tmp_path / "v.csv").write_text("subject,measure,value\nP1,csa_mm2,10\n")
    said = run("reference", "apply", tmp_path / "x.json", tmp_path / "v.csv")
    assert isinstance(said.exception, StudyRefused)
