"""A simulated reader study: the parts of its variance are known, so that intervals can be checked."""

from __future__ import annotations

import csv
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from usimg.errors import UsimgError
from usimg.simulate.cohorts import SYNTHETIC

if TYPE_CHECKING:
    import pandas as pd

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class Parts:
    """Standard deviations of the parts of one value, in its unit.

    Attributes
    ----------
    patient : float
        Between patients.
    session : float
        Coming back to the patient.
    image : float
        Another capture of the same session.
    reader : float
        Offset of a reader, shared by all patients.
    reader_patient : float
        What a reader makes of one patient.
    rest : float
        Reading one image again.
    """

    patient: float = 4.0
    session: float = 0.6
    image: float = 0.8
    reader: float = 0.4
    reader_patient: float = 0.3
    rest: float = 0.3


@dataclass(frozen=True, eq=False)
class ReaderStudy:
    """A simulated reader study; nothing in it was measured in a person.

    Attributes
    ----------
    table : DataFrame
        One row per reading: subject, structure, site, side, measure, session, repeat, reader, value.
    truth : dict of str to Parts
        By measure.
    offsets : dict
        Measure -> offset of each reader.
    """

    table: pd.DataFrame
    truth: dict[str, Parts]
    offsets: dict[str, dict[str, float]]


def reader_study(
    patients: int = 30,
    *,
    readers: int = 2,
    sessions: int = 1,
    images: int = 1,
    parts: Parts | None = None,
    mean: float = 22.0,
    failed: float = 0.0,
    seed: int = 0,
) -> ReaderStudy:
    """Every reader reads every image of every session of every patient.

    Parameters
    ----------
    patients, readers, sessions, images : int
        Images per session.
    parts : Parts, optional
        Of ``thickness_mm``; that of echo intensity is five times as large in every part.
    mean : float
        Of the thickness, mm.
    failed : float
        Share of readings without an outline.
    seed : int
        The same seed gives the same study.

    Returns
    -------
    ReaderStudy

    Raises
    ------
    UsimgError
        Numbers that describe no study.

    Examples
    --------
    >>> made = reader_study(10, readers=2, images=3, seed=1)
    >>> len(made.table), sorted(set(made.table["measure"]))
    (120, ['echo_intensity', 'thickness_mm'])
    """
    import pandas as pd  # noqa: PLC0415  phantoms need no tables

    if min(patients, readers, sessions, images) < 1 or readers > len(_LETTERS) or not 0 <= failed < 1:
        raise UsimgError(
            "a reader study needs at least 1 patient, reader (26 at most), session and image; failed under 1"
        )
    sd = parts or Parts()
    truth = {
        "thickness_mm": sd,
        "echo_intensity": Parts(**{name: 5 * value for name, value in asdict(sd).items()}),
    }
    rng = np.random.default_rng(seed)
    shape = (patients, sessions, images, readers)
    who = [f"reader {letter}" for letter in _LETTERS[:readers]]
    grid = np.indices(shape).reshape(4, -1)
    tables, offsets = [], {}
    for measure, of in truth.items():
        offset = rng.normal(0, of.reader, readers)
        value = (
            (mean if measure == "thickness_mm" else 70.0)
            + rng.normal(0, of.patient, (patients, 1, 1, 1))
            + rng.normal(0, of.session, (patients, sessions, 1, 1))
            + rng.normal(0, of.image, (patients, sessions, images, 1))
            + offset
            + rng.normal(0, of.reader_patient, (patients, 1, 1, readers))
            + rng.normal(0, of.rest, shape)
        )
        value[rng.random(shape) < failed] = np.nan
        offsets[measure] = dict(zip(who, map(float, offset), strict=True))
        tables.append(
            pd.DataFrame(
                {
                    "subject": [f"{SYNTHETIC}S{number + 1:03d}" for number in grid[0]],
                    "structure": "rectus_femoris",
                    "site": "mid_thigh",
                    "side": "left",
                    "measure": measure,
                    "session": [str(number + 1) for number in grid[1]],
                    "repeat": [str(number + 1) for number in grid[2]],
                    "reader": [who[number] for number in grid[3]],
                    "value": value.ravel(),
                }
            )
        )
    return ReaderStudy(pd.concat(tables, ignore_index=True), truth, offsets)


def write(made: ReaderStudy, folder: str | os.PathLike[str]) -> Path:
    """Write ``readers.csv``, ``truth.json`` and a README that says that it is synthetic.

    Returns
    -------
    Path
        The folder.
    """
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    made.table.to_csv(target / "readers.csv", index=False, lineterminator="\n", quoting=csv.QUOTE_MINIMAL)
    truth = {
        measure: {"sd": asdict(parts), "reader_offsets": made.offsets[measure]}
        for measure, parts in made.truth.items()
    }
    (target / "truth.json").write_text(json.dumps(truth, indent=2) + "\n", encoding="utf-8", newline="\n")
    (target / "README.md").write_text(
        "# A simulated reader study\n\nMade by usimg; nothing in it was measured in a person. `truth.json`"
        " holds the standard deviation of every part of the values.\n",
        encoding="utf-8",
        newline="\n",
    )
    return target
