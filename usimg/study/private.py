"""Names, ids and paths: the part of a study that never leaves ``private/``."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from usimg.errors import StudyRefused
from usimg.study.delimited import read_rows

SHORT_HASH = 12  # 48 bits: in an archive of a million scans two share a short hash with p = 0.002


def short(scan: str) -> str:
    """The beginning of a scan's hash, as tables and file names show it."""
    return scan[:SHORT_HASH]


@dataclass(frozen=True)
class SubjectIds:
    """Turns a patient's id or name into a study id.

    Attributes
    ----------
    aliases : dict
        Folded alias -> study id, from ``private/subjects.csv`` (columns ``alias`` and ``id``).
    key : bytes
        Secret of this study; without it the hash of an id could be found by trying all ids.
    """

    aliases: dict[str, str]
    key: bytes

    @classmethod
    def load(cls, private: Path) -> SubjectIds:
        """Read both from the study's private folder.

        Raises
        ------
        StudyRefused
            The key is missing, or ``subjects.csv`` gives one alias two ids.
        """
        try:
            key = bytes.fromhex((private / "key.txt").read_text(encoding="ascii").strip())
        except (OSError, ValueError):
            raise StudyRefused(
                f"{private / 'key.txt'} is missing or damaged; bring it back from a copy of the study,"
                " or subjects will get other names than before"
            ) from None
        aliases: dict[str, str] = {}
        table = private / "subjects.csv"
        if table.exists():
            for line, row in read_rows(table, required=("alias", "id")):
                alias, subject = _folded(row["alias"]), row["id"]
                if aliases.setdefault(alias, subject) != subject:
                    raise StudyRefused(f"subjects.csv line {line}: {row['alias']!r} has two ids")
        return cls(aliases, key)

    def of_patient(self, patient_id: str | None) -> str:
        """Study id of a PatientID tag: listed, else a keyed hash; empty when the tag is."""
        if not patient_id or not patient_id.strip():
            return ""
        return self.aliases.get(_folded(patient_id)) or self.hashed(patient_id)

    def of_manifest(self, subject: str, patient_name: str | None) -> str:
        """Study id of what a manifest calls a subject: listed, else as typed.

        A manifest's subject is a study id by definition; the patient's own name is hashed all the same.
        """
        if not subject:
            return ""
        listed = self.aliases.get(_folded(subject))
        if listed:
            return listed
        if patient_name and _folded(subject) == _folded(patient_name):
            return self.hashed(subject)
        return subject

    def hashed(self, text: str) -> str:
        """``s-`` and ten hex digits: the same for the same text within this study only."""
        digest = hmac.new(self.key, _folded(text).encode("utf-8"), hashlib.sha256).hexdigest()
        return f"s-{digest[:10]}"


def _folded(text: str) -> str:
    # PatientName carries ^ between its parts and people type a space or a comma.
    return " ".join(text.replace("^", " ").replace(",", " ").casefold().split())


@dataclass(frozen=True, slots=True)
class Source:
    """One file as a run met it."""

    scan: str
    path: str
    size: int
    modified_ns: int
    sop_instance_uid: str


@dataclass(frozen=True, slots=True)
class Sources:
    """Where scans lie: one file of JSON lines per run in ``private/sources``."""

    folder: Path

    def all(self) -> list[Source]:
        """Every file that any run met, in order of the runs; torn lines are left out."""
        found: list[Source] = []
        for path in sorted(self.folder.glob("*.jsonl")):
            for line in path.read_bytes().split(b"\n"):
                try:
                    found.append(Source(**json.loads(line)))
                except (ValueError, TypeError):
                    continue
        return found

    def path(self, scan: str) -> Path:
        """The file with this hash.

        Raises
        ------
        StudyRefused
            Unknown, ambiguous, or no longer there.
        """
        known = [s for s in self.all() if s.scan.startswith(scan)] if scan else []
        if not known:
            raise StudyRefused(f"this study knows no scan {scan}")
        if len({s.scan for s in known}) > 1:
            raise StudyRefused(f"several scans begin with {scan}; give more of the hash")
        for source in reversed(known):
            path = Path(source.path)
            if path.is_file():
                return path
        raise StudyRefused(
            f"scan {short(scan)} was at {known[-1].path} and is not there now;"
            " bring it back, or run usimg extract on its new folder"
        )

    def append(self, run: str, sources: list[Source]) -> None:
        """Add what this run met to the run's own file."""
        self.folder.mkdir(parents=True, exist_ok=True)
        lines = "".join(json.dumps(asdict(s), ensure_ascii=False) + "\n" for s in sources)
        with (self.folder / f"{run}.jsonl").open("a", encoding="utf-8", newline="\n") as file:
            file.write(lines)
