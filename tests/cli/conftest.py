"""The command in this process, as a terminal sees it; and the tiny archives of the extract tests."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import pytest

from tests.extract.conftest import archive as archive
from tests.extract.conftest import installed as installed
from tests.extract.conftest import make_dicom as make_dicom
from tests.extract.conftest import segmenters as segmenters
from usimg.cli import main


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str


@pytest.fixture
def usimg_command(monkeypatch, capsys):
    """``usimg_command("info", path)`` -> exit code, stdout, stderr."""
    monkeypatch.setenv("COLUMNS", "120")

    def _run(*arguments: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["usimg", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        code = ended.value.code
        return Said(0 if code is None else int(code), captured.out, captured.err)

    return _run
