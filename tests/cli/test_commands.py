"""Each command as a person or a script meets it: output, exit code, and one line where it fails."""

from __future__ import annotations

import json
import subprocess
import sys

import pandas as pd
import pytest

from usimg.study import Study

COMMANDS = ("info", "measure", "extract", "review", "cluster", "export")


@pytest.mark.parametrize("command", [*COMMANDS, "advanced", "advanced simulate samples"])
def test_every_help_shows_an_example_or_its_commands(usimg_command, command):
    said = usimg_command(*command.split(), "--help")
    assert said.code == 0
    assert "Example: usimg" in said.out or "Commands" in said.out


def test_info_says_kind_device_frames_scale_and_its_source(usimg_command, make_dicom, archive):
    said = usimg_command("info", make_dicom(archive / "a.dcm", frames=3))
    assert said.code == 0
    for fact in ("Acme", "0.1 mm/px", "region", "frames", "3", "MONOCHROME2"):
        assert fact in said.out


def test_info_as_json_is_one_document(usimg_command, make_dicom, archive):
    facts = json.loads(usimg_command("info", make_dicom(archive / "a.dcm"), "--json").out)
    assert facts["scale"]["row_mm"] == pytest.approx(0.1)
    assert (facts["frames"], facts["rows"]) == (1, 96)


def test_info_says_why_there_is_no_scale(usimg_command, make_dicom, archive):
    said = usimg_command("info", make_dicom(archive / "a.dcm", spacing_cm=None))
    assert (said.code, "states no scale" in said.out) == (0, True)


def test_info_shows_no_patient(usimg_command, make_dicom, archive):
    path = make_dicom(archive / "a.dcm")
    assert "ZZMARKER" not in usimg_command("info", path).out + usimg_command("info", path, "--json").out


def test_info_of_what_is_no_scan_is_one_line_and_exit_1(usimg_command, archive):
    path = archive / "notes.txt"
    path.write_text("notes")
    said = usimg_command("info", path)
    assert said.code == 1
    assert said.err.count("\n") == 1
    assert "notes.txt" in said.err
    assert json.loads(usimg_command("info", path, "--json").out)["error"]


def test_info_of_a_damaged_picture_says_what_cannot_be_used(usimg_command, make_dicom, archive):
    path = make_dicom(archive / "a.dcm")
    path.write_bytes(path.read_bytes()[:-5000])
    said = usimg_command("info", path)
    assert said.code == 1
    assert "a.dcm" in said.out + said.err


def test_info_of_the_installation_names_the_versions(usimg_command):
    said = usimg_command("info", "--self", "--json")
    assert json.loads(said.out)["numpy"]


def test_info_loads_no_table_library_and_no_viewer(make_dicom, archive, tmp_path):
    path = make_dicom(archive / "a.dcm")
    study = Study.create(tmp_path / "study")
    code = (
        "import sys\nfrom usimg.cli import main\n"
        "for path in sys.argv[1:]:\n"
        "    sys.argv = ['usimg', 'info', path]\n"
        "    try:\n        main()\n    except SystemExit as end:\n        assert not end.code\n"
        "heavy = {'pandas', 'pyarrow', 'duckdb', 'sklearn', 'skimage', 'torch', 'napari', 'qtpy'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code, path, study.root], check=True)


def test_measure_prints_numbers_their_rules_and_each_reason(usimg_command, make_dicom, archive):
    path = make_dicom(archive / "a.dcm")
    said = usimg_command("measure", path, "--structure", "median nerve", "--box", "30,30,60,60", "--json")
    (row,) = json.loads(said.out)["rows"]
    assert row["structure"] == "median_nerve"
    if row["csa_mm2"] is None:
        assert row["reason"]
        assert said.code == 3
    else:
        assert row["trace_rule"] == "inside_rim"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--at", "12"], "--at takes 2 number"),
        (["--box", "1,2,3"], "--box takes 4 number"),
        (["--spacing", "nan"], "--spacing takes 1 number"),
        (["--frame", "9"], "1 frames"),
    ],
)
def test_a_bad_option_of_measure_is_a_usage_error(usimg_command, make_dicom, archive, options, said):
    ended = usimg_command("measure", make_dicom(archive / "a.dcm"), *options)
    assert ended.code == 2
    assert said in " ".join(ended.err.replace("│", " ").split())


def test_an_unknown_structure_is_one_line_with_the_near_names(usimg_command, make_dicom, archive):
    said = usimg_command("measure", make_dicom(archive / "a.dcm"), "--structure", "bizeps brachi")
    assert said.code == 1
    assert "biceps_brachii" in said.err
    assert "Traceback" not in said.err


def test_control_characters_of_a_file_never_reach_the_terminal(usimg_command, make_dicom, archive):
    said = usimg_command(
        "info", make_dicom(archive / "a.dcm", ManufacturerModelName="\x1b[31mred\x1b]0;t\x07")
    )
    assert "\x1b" not in said.out
    assert "\x07" not in said.out


@pytest.mark.usefixtures("installed")
class TestExtract:
    def test_it_writes_tables_failures_and_the_report(self, usimg_command, make_dicom, archive, tmp_path):
        make_dicom(archive / "a.dcm")
        make_dicom(archive / "b.dcm", seed=1).write_bytes(b"\0" * 128 + b"DICM" + b"\0" * 40)
        (archive / "README.txt").write_text("notes")
        study = tmp_path / "study"
        options = ["--study", study, "--structure", "soleus", "--segmenter", "square", "--workers", 1]
        said = usimg_command("extract", archive, *options)
        assert said.code == 1
        assert "2 scans: 1 readable, 1 calibrated, 1 labelled" in said.out
        assert "1 files are no pictures and were skipped (.txt 1)" in said.out
        assert "b.dcm" in said.err
        rows = pd.read_csv(study / "exports" / "measurements.csv")
        assert rows["structure"].tolist() == ["soleus"]
        failures = pd.read_csv(study / "exports" / "failures.csv")
        assert len(failures) == 1
        assert "b.dcm" not in failures.to_string()
        assert "b.dcm" in (study / "private" / "failures.csv").read_text()
        assert "<html" in (study / "exports" / "report.html").read_text(encoding="utf-8")

        again = json.loads(usimg_command("extract", archive, *options, "--json").out)
        assert again["counts"]["done_before"] == 1
        assert [failure["file"] for failure in again["failures"]] == ["b.dcm"]

        exported = json.loads(usimg_command("export", study, "--json").out)
        assert exported["rows"] == 1
        assert pd.read_parquet(study / "exports" / "current.parquet")["state"].tolist()
        shown = usimg_command("info", study, "--scan", rows["scan"][0])
        assert "a.dcm" in shown.out

    def test_one_scan_is_an_archive_too_and_the_study_may_lie_beside_it(
        self, usimg_command, make_dicom, archive
    ):
        path = make_dicom(archive / "a.dcm")
        options = ["--structure", "soleus", "--segmenter", "square", "--workers", 1]
        said = usimg_command("extract", path, "--study", archive / "study", *options)
        assert said.code == 0
        assert len(Study.open(archive / "study").current()) == 1

    def test_too_few_labels_stop_it_with_the_next_command(self, usimg_command, make_dicom, archive, tmp_path):
        make_dicom(archive / "a.dcm")
        study = tmp_path / "study"
        said = usimg_command("extract", archive, "--study", study)
        assert said.code == 2
        assert f"usimg extract {archive} --study {study} --manifest labels.csv" in said.err
        assert not list((study / "automatic").iterdir())

    def test_anyway_goes_on_and_lists_the_unlabelled(self, usimg_command, make_dicom, archive, tmp_path):
        make_dicom(archive / "a.dcm")
        study = tmp_path / "study"
        said = usimg_command("extract", archive, "--study", study, "--anyway", "--workers", 1)
        assert said.code == 1
        assert "label it in a manifest" in (study / "exports" / "failures.csv").read_text()

    def test_an_empty_folder_is_exit_3(self, usimg_command, archive, tmp_path):
        (archive / "README.txt").write_text("nothing yet")
        said = usimg_command("extract", archive, "--study", tmp_path / "study")
        assert said.code == 3
        assert "no scan found" in said.err

    @pytest.mark.parametrize("option", ["--manifest", "archive"])
    def test_a_file_or_folder_that_is_not_there_is_a_usage_error(
        self, usimg_command, archive, tmp_path, option
    ):
        missing = tmp_path / "missing"
        arguments = [missing] if option == "archive" else [archive, option, missing]
        said = usimg_command("extract", *arguments, "--study", tmp_path / "study")
        assert said.code == 2
        assert not (tmp_path / "study").exists()

    def test_a_study_inside_the_archive_is_one_line(self, usimg_command, make_dicom, archive):
        make_dicom(archive / "a.dcm")
        said = usimg_command("extract", archive, "--study", archive / "study", "--structure", "soleus")
        assert said.code == 1
        assert said.err.count("\n") == 1
        assert not (archive / "study").exists()

    def test_an_unknown_structure_is_a_usage_error(self, usimg_command, make_dicom, archive, tmp_path):
        make_dicom(archive / "a.dcm")
        said = usimg_command("extract", archive, "--study", tmp_path / "study", "--structure", "soleuss")
        assert said.code == 2
        assert "soleus" in said.err


def test_review_without_the_viewer_says_how_to_install_it(usimg_command, tmp_path, monkeypatch):
    import importlib.util

    found = importlib.util.find_spec
    monkeypatch.setattr("usimg.cli.review.find_spec", lambda name: None if name == "napari" else found(name))
    said = usimg_command("review", Study.create(tmp_path / "study").root)
    assert said.code == 1
    assert "pip install 'usimg[napari]'" in said.err


@pytest.fixture
def patients(tmp_path):
    """Eight patients, four thin and bright; as Excel in German writes it."""
    lines = ["subject;soleus__calf__left__thickness_mm;soleus__calf__left__echo_intensity"]
    for n in range(8):
        severe = n >= 4
        lines.append(
            f"P{n};{(10 if severe else 20) + n / 10:.1f};{80 if severe else 50 + n}".replace(".", ",")
        )
    path = tmp_path / "patients.csv"
    path.write_text("\n".join(lines), encoding="cp1252")
    return path


def test_cluster_reads_a_csv_and_says_that_it_shows_no_groups(usimg_command, patients, tmp_path):
    said = usimg_command("cluster", patients, "--out", tmp_path / "out")
    assert said.code == 0
    assert "k = 2" in said.out
    assert "no groups shown" in said.out
    labels = pd.read_csv(tmp_path / "out" / "labels.csv")
    assert labels["part"].tolist() == ["lower part of severity"] * 4 + ["upper part of severity"] * 4
    assert (tmp_path / "out" / "phenotypes.html").exists()


def test_cluster_as_json(usimg_command, patients):
    result = json.loads(usimg_command("cluster", patients, "--json").out)
    assert (result["k"], result["parts"]) == (1, 2)
    assert result["labels"]["P7"] == "Severe"


def test_cluster_of_a_synthetic_cohort_claims_groups_once_device_and_sex_are_known(usimg_command, tmp_path):
    folder = tmp_path / "cohort"
    assert usimg_command("advanced", "simulate", "cohort", "--patients", "300", "-o", folder).code == 0
    alone = usimg_command("cluster", folder / "features.csv")
    assert "separated, not checked for device, sex" in alone.out
    both = ("cluster", folder / "features.csv", "--clinical", folder / "clinical.csv")
    stopped = usimg_command(*both)
    assert (stopped.code, "--echo z" in stopped.err, "--without-echo" in stopped.err) == (1, True, True)
    known = usimg_command(*both, "--echo", "raw", "--out", tmp_path / "out")
    assert known.code == 0
    assert "groups" in known.out.splitlines()
    labels = pd.read_csv(tmp_path / "out" / "labels.csv").set_index("subject")["part"]
    truth = pd.read_csv(folder / "truth.csv").set_index("subject")["group"]
    assert (labels == truth).mean() > 0.95


def test_features_left_out_for_one_reason_are_one_line(usimg_command, patients):
    head, *lines = patients.read_text("cp1252").splitlines()
    empty = [f"soleus__{site}__left__csa_mm2" for site in ("a", "b", "c", "d", "e", "f")]
    rows = [";".join([head, *empty]), *(line + ";" * len(empty) for line in lines)]
    patients.write_text("\n".join(rows), encoding="cp1252")
    said = usimg_command("cluster", patients)
    assert said.err.count("left out") == 1
    assert "6 features" in said.err


def test_cluster_asks_which_visit(usimg_command, tmp_path):
    path = tmp_path / "visits.csv"
    rows = [f"P{n},{visit},{n}.5,{n * n}" for n in range(6) for visit in ("a", "b")]
    path.write_text(
        "subject,visit,soleus__calf__left__thickness_mm,soleus__calf__left__csa_mm2\n" + "\n".join(rows)
    )
    said = usimg_command("cluster", path)
    assert said.code == 1
    assert "--visit" in said.err
    assert usimg_command("cluster", path, "--visit", "b").code == 0


def test_cluster_of_a_study_where_nothing_counts_says_what_to_do(usimg_command, tmp_path):
    said = usimg_command("cluster", Study.create(tmp_path / "study").root)
    assert said.code == 1
    assert "usimg review" in said.err


def test_measure_leaves_doppler_to_a_person_who_may_say_otherwise(usimg_command, tmp_path):
    from usimg.simulate import kinds
    from usimg.simulate.dicom import ENCODINGS, Tags, write_dicom

    path = tmp_path / "flow.dcm"
    screen = kinds.colour_doppler(1)
    write_dicom(path, screen.image[None], ENCODINGS["ybr_rle"], Tags("S01", "MSK", "SIM"), screen.regions)
    refused = usimg_command("measure", path, "--structure", "biceps_brachii")
    assert refused.code == 3
    assert "colour doppler" in refused.err
    allowed = usimg_command("measure", path, "--structure", "biceps_brachii", "--kind", "b_mode", "--json")
    assert "thickness_mm" in allowed.out
