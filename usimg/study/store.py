"""The study's folder: where each kind of file lies, and who may write it.

There is no database and no lock: automatic parts are written once, each sitting has a file of its
own, and what holds now is computed from them (`usimg.study.fold`). Standard library only; pandas
and pyarrow come in with the first call that needs a table.
"""

from __future__ import annotations

import json
import re
import secrets
import tomllib
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from usimg.errors import StudyRefused
from usimg.study.decisions import ADJUDICATED, Decision, Sitting, Target
from usimg.study.files import write_text
from usimg.study.private import Sources, SubjectIds

if TYPE_CHECKING:
    import pandas as pd

    from usimg.study.fold import Fold
    from usimg.study.protocol import StudyProtocol

# 3: visits without dates, settings and age of a row.
# 2: muscle_state, posture, session and operator of a row; more than one method side by side.
SCHEMA_VERSION = 3
_FOLDERS = ("automatic", "people", "runs", "exports")
_SETTINGS = """\
# This study, for usimg and for people: edit it freely. usimg changes the schema version alone.
schema_version = {version}
id = "{id}"
created = "{created}"
protocol = "generic"

# Whose accepted outlines count where several people read the same picture (a name, or empty).
primary_reader = ""

# Names, ids and paths of patients. Give another folder to keep them off a shared disk.
private = "private"
"""


@dataclass(frozen=True)
class Study:
    """One study folder.

    Attributes
    ----------
    root : Path
    settings : dict
        What ``study.toml`` says.

    Examples
    --------
    ``Study.open("my_study").wide()``: one row per patient and visit.
    """

    root: Path
    settings: dict[str, Any] = field(repr=False)

    @classmethod
    def create(cls, path: str | Path, *, source: str | Path | None = None) -> Self:
        """Make a new study in an empty or missing folder.

        Parameters
        ----------
        path : path
        source : path, optional
            Folder of the scans; a study is never made inside it.

        Raises
        ------
        StudyRefused
            The folder holds something else, lies inside ``source``, or cannot be written.
        """
        root = Path(path).resolve()
        if source is not None:
            refuse_inside(root, Path(source).resolve())
        try:
            if root.exists() and any(root.iterdir()):
                raise StudyRefused(f"{path} is not empty; give a new folder for the study")
            private = root / "private"
            for folder in (private, *(root / name for name in _FOLDERS)):
                folder.mkdir(parents=True, exist_ok=True)
            # Subjects without a study id are named by a hash; the key keeps it from being looked up.
            write_text(private / "key.txt", secrets.token_hex(32) + "\n")
        except NotADirectoryError:
            raise StudyRefused(f"{path} is a file; give a folder for the study") from None
        except OSError as error:
            raise StudyRefused(f"the study {path} cannot be made: {error.strerror or error}") from error
        created = datetime.now(UTC).isoformat(timespec="seconds")
        settings = _SETTINGS.format(version=SCHEMA_VERSION, id=uuid.uuid4().hex, created=created)
        write_text(root / "study.toml", settings)
        return cls.open(root)

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open an existing study.

        Raises
        ------
        StudyRefused
            No study there, ``study.toml`` cannot be read, or a newer usimg made it.
        """
        root = Path(path).resolve()
        try:
            settings = tomllib.loads((root / "study.toml").read_text(encoding="utf-8-sig"))
        except (FileNotFoundError, NotADirectoryError):
            raise StudyRefused(
                f"{path} is not a study (no study.toml in it); usimg extract SCANS --study {path} makes one"
            ) from None
        except OSError as error:
            raise StudyRefused(f"{path}/study.toml cannot be read: {error.strerror or error}") from error
        except ValueError as error:  # TOML and encoding errors are both ValueErrors, and name the line
            raise StudyRefused(f"{path}/study.toml: {error}") from None
        version = settings.get("schema_version")
        if not isinstance(version, int) or not 1 <= version <= SCHEMA_VERSION:
            raise StudyRefused(
                f"{path}/study.toml: schema version {version!r} is not one this usimg reads"
                f" (1 to {SCHEMA_VERSION}); update usimg"
            )
        study = cls(root, settings)
        for name in _FOLDERS:
            (root / name).mkdir(exist_ok=True)
        return study

    def bring_forward(self) -> None:
        """Say in ``study.toml`` that this usimg wrote here, so that an older one refuses to.

        The one line that usimg ever changes in it; what earlier versions wrote is read as it is.
        """
        path = self.root / "study.toml"
        if self.settings["schema_version"] < SCHEMA_VERSION:
            text = path.read_text(encoding="utf-8-sig")
            line = f"schema_version = {SCHEMA_VERSION}"
            write_text(path, re.sub(r"(?m)^schema_version\s*=\s*\d+", line, text, count=1))

    @property
    def automatic(self) -> Path:
        """Folder of outlines and numbers that runs made."""
        return self.root / "automatic"

    @property
    def people(self) -> Path:
        """Folder of the sittings' lines."""
        return self.root / "people"

    @property
    def runs(self) -> Path:
        """Folder of run records."""
        return self.root / "runs"

    @property
    def exports(self) -> Path:
        """Folder of what can be made again at any time."""
        return self.root / "exports"

    @property
    def private(self) -> Path:
        """Folder of names, ids and paths; never exported, maybe elsewhere."""
        return self.root / str(self.settings.get("private", "private"))

    @property
    def primary_reader(self) -> str:
        """Whose reading counts where there are several."""
        return str(self.settings.get("primary_reader", ""))

    @property
    def key(self) -> str:
        """What pictures on the screen and files of this study are marked with."""
        return str(self.settings.get("id", ""))

    @cached_property
    def subjects(self) -> SubjectIds:
        """Who is called what: ``private/subjects.csv`` and the study's key."""
        return SubjectIds.load(self.private)

    @cached_property
    def protocol(self) -> StudyProtocol:
        """What is scanned at each visit and how it is measured: the protocol that ``study.toml`` names.

        Raises
        ------
        StudyRefused
            No such protocol, or something in it is not understood; the message names the line.
        """
        from usimg.study.protocol_file import load  # noqa: PLC0415  the anatomy list, when it is asked

        return load(str(self.settings.get("protocol", "generic")), beside=self.root)

    @property
    def secret(self) -> bytes:
        """The study's key; without ``private/``, which may lie elsewhere, its public id instead.

        Days that a run has written need no key; only dates of an older usimg are moved with it.
        """
        try:
            return self.subjects.key
        except StudyRefused:
            return self.key.encode("ascii", "replace")

    @property
    def sources(self) -> Sources:
        """Where the scans lie."""
        return Sources(self.private / "sources")

    def sitting(self, author: str, *, reader: str = "", arm: str = "") -> Sitting:
        """Start a sitting: a file of this person's decisions, written by nobody else."""
        return Sitting(self.people, author, reader=reader, arm=arm)

    def adjudication(self, author: str) -> Sitting:
        """Start a sitting that settles what readers left open; it counts before any of them.

        All adjudications are one reading, whoever makes them: name what stood as parents
        (`usimg.study.fold.Fold.seen`), or two adjudicators are in conflict.
        """
        return Sitting(self.people, author, reader=ADJUDICATED, arm=ADJUDICATED)

    def choose(self, method: str, *, author: str) -> Decision:
        """Let the automatic rows of another method hold from now on; every earlier choice is settled.

        Parameters
        ----------
        method : str
            One of ``fold().methods``.

        Raises
        ------
        StudyRefused
            The study has no rows of this method.
        """
        held = self.fold(geometry=False)
        if method not in held.methods:
            raise StudyRefused(
                f"this study has no rows of {method!r}; it has {', '.join(held.methods) or 'none at all'}"
            )
        earlier = [decision.id for decision in held.others if decision.kind == "choose"]
        with self.sitting(author) as sitting:
            return sitting.decide("choose", Target(""), {"method": method}, parents=earlier)

    def source_path(self, scan: str) -> Path:
        """Where the file with this hash, or beginning of a hash, lies now.

        Raises
        ------
        StudyRefused
            Unknown, ambiguous, or no longer there.
        """
        return self.sources.path(scan)

    def fold(self, *, geometry: bool = True) -> Fold:
        """What holds now: see `usimg.study.fold`."""
        from usimg.study.fold import fold  # noqa: PLC0415  pandas and pyarrow stay out of `usimg info`

        return fold(self, geometry=geometry)

    def current(self, *, include_unvalidated: bool = False, geometry: bool = False) -> pd.DataFrame:
        """What holds now, one row per outline, with ``counts`` and ``counts_reason``.

        Parameters
        ----------
        include_unvalidated : bool
            Let automatic outlines count whose method was not validated for this structure.
        geometry : bool
            Keep the polygons.
        """
        from usimg.study.tables import current_of  # noqa: PLC0415  as in `fold`

        return current_of(self, self.fold(geometry=geometry), include_unvalidated=include_unvalidated)

    def wide(self, *, include_unvalidated: bool = False) -> pd.DataFrame:
        """One row per subject and visit, columns ``structure__site__side__feature``."""
        from usimg.study.tables import wide  # noqa: PLC0415  as in `fold`

        return wide(self.current(include_unvalidated=include_unvalidated), self.protocol).table

    def run_records(self) -> list[dict[str, Any]]:
        """What was run on what, oldest first; damaged records are left out."""
        records: list[dict[str, Any]] = []
        for path in sorted(self.runs.glob("*.json")):
            try:
                record = json.loads(path.read_text(encoding="utf-8"))
            except (OSError, ValueError):
                continue
            if isinstance(record, dict):
                records.append(record)
        return records


def refuse_inside(study: Path, source: Path) -> None:
    """Refuse a study inside the folder of scans (both resolved): scans are never written beside.

    Raises
    ------
    StudyRefused
    """
    if study == source or source in study.parents:
        raise StudyRefused(f"{study} lies inside the folder of scans; give a study folder outside {source}")
