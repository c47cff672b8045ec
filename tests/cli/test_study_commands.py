"""What a laboratory does with a study: where a value comes from, a patient's page, two copies made one."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from usimg.study import Study, target_of
from usimg.study.exports import tables_of
from usimg.study.schema import write_part


@pytest.fixture
def study(installed, usimg_command, make_dicom, archive, tmp_path):
    """Two visits of one patient, two repeats each, extracted."""
    manifest = tmp_path / "labels.csv"
    lines = ["file,subject,visit,structure,side,repeat"]
    for n in range(4):
        make_dicom(archive / f"{n}.dcm", seed=n)
        lines.append(f"{n}.dcm,P07,{n // 2 + 1},soleus,left,{n % 2 + 1}")
    manifest.write_text("\n".join(lines))
    folder = tmp_path / "study"
    options = ["--manifest", manifest, "--segmenter", "square", "--workers", 1, "--study", folder]
    said = usimg_command("extract", archive, "--dry-run", *options)
    assert "to do: 4 scans" in said.out
    assert not folder.exists()
    assert usimg_command("extract", archive, *options).code == 0
    return Study.open(folder)


def read_rows(part):
    return pq.read_table(part).to_pylist()


def source(study):
    with (study.exports / "sources.csv").open(newline="") as file:
        return next(row for row in csv.DictReader(file) if row["column"].endswith("thickness_mm"))


def test_a_value_leads_back_to_its_pictures_scale_and_authors(usimg_command, study):
    row = study.fold().rows.query("visit == '1'").iloc[0].to_dict()
    with study.sitting("Ada") as sitting:
        sitting.accept(target_of(row), row["outline"])
    assert usimg_command("export", study.root).code == 0
    wanted = source(study)
    facts = json.loads(usimg_command("info", study.root, "--value", wanted["value_id"].lower(), "--json").out)
    assert facts["value"] == pytest.approx(float(wanted["value"]), abs=1e-5)
    assert len(facts["measurements"]) == 2
    page = (study.exports / f"value_{facts['id']}.html").read_text(encoding="utf-8")
    for fact in ("square 1", "0.1 mm a pixel", "Ada", "data:image/webp", "1 automatic, 1 accepted", ">1 mm<"):
        assert fact in page
    assert "ZZMARKER" not in page
    one = facts["measurements"][0].split()[0]
    assert (
        json.loads(usimg_command("info", study.root, "--value", one, "--json").out)["kind"] == "measurement"
    )


def test_an_id_of_a_value_that_has_changed_since_says_so(usimg_command, study):
    wanted = source(study)
    row = study.fold().rows.query("visit == '1'").iloc[0].to_dict()
    with study.sitting("Ada") as sitting:
        sitting.reject(target_of(row), "wrong plane", parents=row["heads"])
    said = usimg_command("info", study.root, "--value", wanted["value_id"])
    assert said.code == 1
    assert "has changed since" in said.err


def test_a_patients_page_has_both_visits_and_is_not_signed_until_it_is(usimg_command, study):
    page = study.exports / "patient_P07_2.html"
    assert usimg_command("patient", study.root, "P07").code == 0
    html = page.read_text(encoding="utf-8")
    for said in (
        "NOT SIGNED",
        "since visit 1",
        "Soleus",
        "patient&#39;s sticker",
        "research use only",
        "was ",
    ):
        assert said in html or said == "patient&#39;s sticker"
    assert html.count("data:image/webp") == 2
    assert "ZZMARKER" not in html
    assert usimg_command("patient", study.root, "P07", "--sign", "Dr Roe").code == 2  # which visit?
    assert usimg_command("patient", study.root, "P07", "--visit", "2", "--sign", "Dr Roe").code == 0
    html = page.read_text(encoding="utf-8")
    assert "Signed by Dr Roe" in html
    assert "NOT SIGNED" not in html
    row = study.fold().rows.query("visit == '2'").iloc[0].to_dict()
    with study.sitting("Ada") as sitting:
        sitting.reject(target_of(row), "wrong plane", parents=row["heads"])
    usimg_command("patient", study.root, "P07")
    html = page.read_text(encoding="utf-8")
    assert "NOT SIGNED" in html
    assert "has changed since: 1 measurements count no longer" in html
    assert "wrong plane" in html


def test_choose_lets_another_methods_numbers_hold(usimg_command, study):
    (part,) = study.automatic.glob("*.parquet")
    other = [row | {"method": "other 2", "run": "later", "generation": 2} for row in read_rows(part)]
    write_part(study.automatic / "later-0001.parquet", other)
    first, second = json.loads(usimg_command("choose", study.root, "--json").out)["methods"]
    assert usimg_command("choose", study.root, "--method", second).code == 2  # who decides?
    said = usimg_command("choose", study.root, "--method", second, "--author", "Dr Roe")
    assert f"holds  {second}" in said.out
    assert study.fold(geometry=False).rows["method"].unique().tolist() == ["other 2"]
    wrong = usimg_command("choose", study.root, "--method", "none", "--author", "Dr Roe")
    assert (wrong.code, first in wrong.err) == (1, True)


def test_an_unknown_patient_is_one_line_with_those_there_are(usimg_command, study):
    said = usimg_command("patient", study.root, "P99")
    assert said.code == 1
    assert "P07" in said.err


def test_merge_says_what_came_over(usimg_command, study, tmp_path):
    laptop = tmp_path / "laptop"
    shutil.copytree(study.root, laptop)
    row = study.fold().rows.iloc[0].to_dict()
    with Study.open(laptop).sitting("Ben") as sitting:
        sitting.accept(target_of(row), row["outline"])
    said = usimg_command("merge", study.root, laptop)
    assert (said.code, "1 new decisions" in said.out) == (0, True)


def test_remeasure_takes_no_scans(usimg_command, study):
    said = usimg_command("extract", "--remeasure", "--study", study.root)
    assert said.code == 0
    assert "4 outlines of 4 scans measured again" in said.out


def test_a_row_that_was_replaced_is_still_found_by_its_id(usimg_command, study, archive, make_dicom):
    (one,) = study.fold().rows.query("visit == '1'").head(1).to_dict("records")
    old = tables_of(study).current.set_index("outline").loc[one["outline"], "measurement_id"]
    manifest = archive.parent / "labels.csv"
    manifest.write_text(manifest.read_text().replace("soleus", "tibialis_anterior"))
    options = ["--manifest", manifest, "--segmenter", "square", "--workers", 1, "--study", study.root]
    assert usimg_command("extract", archive, *options).code == 0
    facts = json.loads(usimg_command("info", study.root, "--value", old, "--json").out)
    assert "replaced since" in facts["measurements"][0]
    assert "data:image/webp" in (study.exports / f"value_{old}.html").read_text(encoding="utf-8")


def test_the_queries_that_the_readme_shows_run_in_the_studys_folder(usimg_command, study, monkeypatch):
    row = study.fold().rows.query("visit == '1'").iloc[0].to_dict()
    with study.sitting("Ada") as sitting:
        sitting.reject(target_of(row), "wrong plane", parents=row["heads"])
    assert usimg_command("export", study.root).code == 0
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```sql\n(.*?)```", readme, flags=re.DOTALL)
    thickness, states, left_out = (query.strip() for query in block.split(";") if query.strip())
    monkeypatch.chdir(study.root)
    assert len(duckdb.sql(thickness.replace("biceps_brachii", "soleus")).fetchall()) == 2
    assert sum(n for _, _, n, _ in duckdb.sql(states).fetchall()) == 4
    assert sum(scans for _, scans in duckdb.sql(left_out).fetchall()) == 1
