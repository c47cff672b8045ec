"""Fixtures every room's tests share: the real data, and honest skips."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SERVERS: list[subprocess.Popen] = []  # of X, kept until this process ends


def skip_or_fail(reason: str) -> None:
    """Skip with ``reason``; under USIMG_REQUIRE_ALL=1, where everything is installed, fail instead."""
    if os.environ.get("USIMG_REQUIRE_ALL") == "1":
        pytest.fail(f"USIMG_REQUIRE_ALL=1, yet: {reason}")
    pytest.skip(reason)


@pytest.fixture
def require():
    """``require("xvfb-run", package="xvfb")`` or ``require("module:napari", package=...)``."""

    def _require(what: str, *, package: str) -> None:
        kind, _, name = what.rpartition(":")
        found = importlib.util.find_spec(name) if kind == "module" else shutil.which(name)
        if found is None:
            skip_or_fail(f"{name} is not installed; it comes with {package}")

    return _require


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real images, masks and DICOMs beside the checkout; not part of the project."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real data (../shared/data) is not beside this checkout")
    return folder


@pytest.fixture(scope="session")
def sample_dicoms() -> Path:
    """The synthetic scans that ship with the project."""
    return ROOT / "sample_dicoms"


@pytest.fixture(scope="session")
def xvfb():
    """A display for Qt where there is none: `pytest` alone is enough, without xvfb-run."""
    if sys.platform != "linux" or os.environ.get("DISPLAY") or shutil.which("Xvfb") is None:
        yield
        return
    read, write = os.pipe()
    # -terminate: it ends with its last client. Ended under a running Qt, it would take the tests along.
    command = ["Xvfb", "-terminate", "-displayfd", str(write), "-screen", "0", "1280x800x24"]
    command += ["-nolisten", "tcp"]
    SERVERS.append(subprocess.Popen(command, pass_fds=[write], stderr=subprocess.DEVNULL))
    os.close(write)
    with os.fdopen(read) as pipe:
        os.environ["DISPLAY"] = f":{pipe.readline().strip()}"
    yield
    del os.environ["DISPLAY"]


@pytest.fixture
def viewer(require, xvfb, request):
    """A shown napari viewer; left-over widgets fail the test."""
    if sys.platform == "linux" and not os.environ.get("DISPLAY"):
        require("Xvfb", package="xvfb")
    return request.getfixturevalue("make_napari_viewer")(show=True, strict_qt=True)
