"""Pictures as tiles of a visit, to be labelled: from the headers of a folder. No Qt."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from usimg.extract import Labelling, Survey
from usimg.extract.index import Index, Picture, index
from usimg.extract.surveying import SurveyedFile, sha256
from usimg.study import Study
from usimg.study.decisions import Decision, Target
from usimg.study.labelled import decided
from usimg.study.manifest import Label, own_manifest, read_manifest
from usimg.study.private import Source
from usimg.study.recognition import Words


@dataclass(frozen=True)
class Tile:
    """One picture, or one panel of a picture with several.

    Attributes
    ----------
    scan : str
        SHA-256 of the file.
    path : str
        Where it lies; for the screen alone.
    frame : int
        The frame that is measured: of a clip the middle one.
    region : int or None
        Panel.
    label : Label
        What a person, a manifest or the tags say; may say nothing.
    proposal : Label or None
        What is proposed and not taken over.
    evidence : str
        What a proposal rests on.
    order : tuple
        Sorts tiles as they were taken.
    """

    scan: str
    path: str
    frame: int
    region: int | None
    label: Label
    proposal: Label | None = None
    evidence: str = ""
    order: tuple[str, ...] = ()
    frames: int = 1

    @property
    def key(self) -> tuple[str, int | None]:
        """What it is called in a session."""
        return (self.scan, self.region)

    @property
    def target(self) -> Target:
        """What a decision about its label is about."""
        return Target(self.scan, self.frame, self.region)

    @property
    def visit(self) -> tuple[str, str]:
        """Subject and visit."""
        return (self.label.subject, self.label.visit)

    @property
    def shows(self) -> Label:
        """The label; where it names nothing, what is proposed."""
        return self.label if self.label.says_what or self.proposal is None else self.proposal


@dataclass
class Found:
    """What a folder holds for labelling.

    Attributes
    ----------
    files : dict
        Scan to its file, with the labels that hold without people's decisions.
    skipped : list of str
        What cannot be opened, in words.
    """

    tiles: list[Tile] = field(default_factory=list)
    files: dict[str, SurveyedFile] = field(default_factory=dict)
    root: Path = field(default_factory=Path)
    skipped: list[str] = field(default_factory=list)

    def of(self, scans: Iterable[str], others: Iterable[Decision]) -> Survey:
        """Files with all that is said of them, as `usimg.extract.extract_archive` takes them."""
        said = decided(others)
        files = [
            replace(self.files[scan], labels=said.over(scan, self.files[scan].labels))
            for scan in scans
            if scan in self.files
        ]
        return Survey(self.root, [file for file in files if file.labelled or file.left_out])


def tiles_of(
    folder: Path, study: Study, others: Iterable[Decision], *, on_file: Callable[[int], None] | None = None
) -> Found:
    """Every picture of a folder, in the order of patients, visits and time.

    What is met for the first time is noted in the study's ``private/sources``; files that lie where they
    lay are not read through again.

    Parameters
    ----------
    folder : Path
        Or one file.
    others : iterable of Decision
        What people said beside outlines (`usimg.study.fold.Fold.others`): their labels stand first.
    on_file : callable, optional
        Told how many headers were looked at.
    """
    manifest = own_manifest(study.private)
    labelling = Labelling(
        manifest=read_manifest(manifest) if manifest is not None else None,
        subjects=study.subjects,
        words=Words.read(study.root / "labels.toml"),
    )
    found = index(folder, labelling, on_file=on_file)
    hashes = _hashed(found.survey.readable, study)
    said = decided(others)
    tiles: list[Tile] = []
    files = {hashes[file.relative]: file for file in found.survey.readable}
    for picture in found.pictures:
        scan = hashes[picture.file]
        for tile in _tiles(picture, scan, files[scan]):
            labels = said.over(scan, (tile.label,))
            mine = [label for label in labels if label.region == tile.region]
            tiles.append(replace(tile, label=mine[0] if mine else tile.label))
    tiles.sort(key=lambda tile: (*tile.visit, tile.order))
    return Found(tiles, files, found.survey.root, _skipped(found))


def _tiles(picture: Picture, scan: str, file: SurveyedFile) -> list[Tile]:
    label = picture.label
    shows = picture.shows
    proposal = None if label.says_what or not (shows.says_what or shows.side) else shows
    evidence = picture.proposal.evidence if picture.proposal is not None else ""
    split = len(picture.panels) > 1 and label.region is None
    frame = max(file.frames, 1) // 2 if label.frame is None else label.frame
    return [
        Tile(
            scan=scan,
            path=file.path,
            frame=frame,
            region=region,
            label=replace(label, region=region),
            proposal=proposal and replace(proposal, region=region),
            evidence=evidence,
            order=(*picture.order, str(region if region is not None else "")),
            frames=file.frames,
        )
        for region in (picture.panels if split else (label.region,))
    ]


def _hashed(files: list[SurveyedFile], study: Study) -> dict[str, str]:
    """Scan of each file by its path below the folder; new ones are noted in the study."""
    met = {(one.path, one.size, one.modified_ns): one.scan for one in study.sources.all()}
    found: dict[str, str] = {}
    new: list[Source] = []
    for file in files:
        scan = met.get((file.path, file.size, file.modified_ns))
        if scan is None:
            scan = sha256(file.path)
            new.append(Source(scan, file.path, file.size, file.modified_ns, file.sop_instance_uid))
        found[file.relative] = scan
    if new:
        study.sources.append(f"seen-{uuid.uuid4().hex[:8]}", new)
    return found


def _skipped(found: Index) -> list[str]:
    return [f"{file.relative}: {file.refused}" for file in found.survey.files if file.refused]


def folder_of(study: Study) -> Path | None:
    """The folder that a study's scans came from, where they still lie together; None without any."""
    paths = [source.path for source in study.sources.all()]
    there = [path for path in dict.fromkeys(paths) if Path(path).exists()]
    if not there:
        return None
    common = Path(os.path.commonpath([str(Path(path).parent) for path in there]))
    return common if common.parent != common else None
