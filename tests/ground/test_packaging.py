"""What reaches a user: the wheel installs and starts, and starting is light."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("pandas", "pyarrow", "duckdb", "sklearn", "skimage", "matplotlib", "napari", "PySide6", "torch")


def loaded_after(statement: str) -> set[str]:
    """Top-level modules in a fresh interpreter once ``statement`` has run."""
    code = f"{statement}\nimport sys\nprint('|'.join(m.split('.')[0] for m in sys.modules), file=sys.stderr)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(run.stderr.strip().splitlines()[-1].split("|"))


def test_import_usimg_loads_the_standard_library_alone():
    third_party = loaded_after("import usimg") - set(sys.stdlib_module_names) - loaded_after("pass")
    assert third_party == {"usimg"}


def test_usimg_info_loads_no_table_learning_or_window_library(sample_dicoms):
    scan = next(iter(sorted(sample_dicoms.glob("*.dcm"))))
    statement = (
        f"import sys; sys.argv = ['usimg', 'info', {str(scan)!r}]\nfrom usimg.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code"
    )
    assert loaded_after(statement).isdisjoint(HEAVY)


def test_public_names_are_found_and_unknown_ones_are_attribute_errors():
    import usimg

    assert all(callable(getattr(usimg, name)) for name in usimg.__all__)
    with pytest.raises(AttributeError, match="no attribute 'measur'"):
        usimg.measur  # noqa: B018


@pytest.fixture(scope="session")
def installed_wheel(tmp_path_factory) -> Path:
    """Scripts folder of a fresh environment that holds the built wheel; dependencies are borrowed."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    home = folder / "venv"
    venv.create(home, with_pip=False)
    paths = sysconfig.get_paths(vars={"base": str(home), "platbase": str(home)})
    (wheel,) = folder.glob("*.whl")
    site = Path(paths["purelib"])
    install = [
        "-m",
        "pip",
        "--python",
        str(home),
        "install",
        "--no-deps",
        "--no-index",
        "--quiet",
        str(wheel),
    ]
    subprocess.run([sys.executable, *install], check=True, capture_output=True)
    (site / "borrowed.pth").write_text(sysconfig.get_paths()["purelib"])
    return Path(paths["scripts"])


def test_the_wheel_brings_its_data_files_and_starts_the_command(installed_wheel, sample_dicoms, tmp_path):
    scan = next(iter(sorted(sample_dicoms.glob("*.dcm"))))
    command = [str(installed_wheel / "usimg"), "measure", str(scan), "--structure", "muscle"]
    run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    assert "thickness" in run.stdout


def test_the_wheel_holds_the_library_and_the_plugin_and_nothing_else(installed_wheel):
    import zipfile

    (wheel,) = installed_wheel.parents[1].glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"usimg", "usimg_napari"}
    assert "usimg/py.typed" in names
    assert "usimg/anatomy/anatomy.toml" in names
    assert "usimg_napari/napari.yaml" in names
