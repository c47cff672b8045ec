"""A slice of `make fuzz`: mutants end in a picture or in a refusal that names the file."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "fuzz.py"


@pytest.fixture(scope="module")
def fuzz():
    spec = importlib.util.spec_from_file_location("usimg_fuzz", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_mutants_end_in_a_picture_or_a_refusal(fuzz, tmp_path):
    of = [base for base in fuzz.bases() if base[0].startswith(("IM_00", "still"))]
    outcomes = {}
    for number in range(60):
        name, raw = fuzz.mutant(number, 1, of)
        path = tmp_path / name
        path.write_bytes(raw)
        outcomes[name] = fuzz.trial(path)
    assert not [f"{name}: {said}" for name, said in outcomes.items() if said.startswith("FINDING")]
    assert set(outcomes.values()) == {"picture", "refused"}


def test_a_bomb_of_blank_tags_is_refused_before_it_is_read(fuzz, tmp_path):
    import zlib

    raw = next(raw for name, raw in fuzz.bases() if name == "IM_0040.dcm")
    length = 144 + int.from_bytes(raw[140:144], "little")
    pack = zlib.compressobj(9, zlib.DEFLATED, -15)
    meta = raw[:length].replace(b"1.2.840.10008.1.2.1\x00", b"1.2.840.10008.1.2.1.99")
    path = tmp_path / "bomb.dcm"
    path.write_bytes(meta + pack.compress(bytes(10**8)) + pack.flush())
    assert fuzz.trial(path) == "refused"
