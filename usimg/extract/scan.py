"""One scan through the pipeline: read, outline, measure, rows for the study."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import usimg
from usimg import anatomy
from usimg.errors import UsimgError
from usimg.extract.frames import chosen_frame
from usimg.extract.surveying import sha256
from usimg.measurement import measure
from usimg.opening import read
from usimg.outline import segment
from usimg.outline.segmenter import USUAL as USUAL_SEGMENTER
from usimg.outline.segmenter import get
from usimg.roi import Roi
from usimg.scan import Header, Scan
from usimg.study.canonical import content_id
from usimg.study.days import age_by_tags
from usimg.study.decisions import Target
from usimg.study.devices import settings_columns
from usimg.study.manifest import Label
from usimg.study.pixels import keep_frames
from usimg.study.protocol import Recipe
from usimg.study.schema import LEFT_OUT, features_of, outline_id, outline_of

USUAL = Recipe()
Row = dict[str, Any]


@dataclass(frozen=True)
class ScanRows:
    """What one file came to.

    Attributes
    ----------
    scan : str
        SHA-256 of the file.
    rows : list of dict
        Columns of `usimg.study.schema.SCHEMA` without ``run`` and ``generation``.
    problem : str
        The whole message of what went wrong, for the console and ``private/``; it may name the file.
    taken : str
        Day of the scan by its tags: it never comes into a row (`usimg.study.days.without_date`).
    age_years : float or None
        On that day.
    """

    scan: str
    rows: list[Row] = field(default_factory=list)
    problem: str = ""
    taken: str = field(default="", repr=False)
    age_years: float | None = None

    @property
    def failed(self) -> bool:
        """Whether some of it could not be read or measured at all."""
        return any(row["status"] == "failed" for row in self.rows)


def segmenter_of(recipe: Recipe, named: str = "") -> str:
    """Which outliner is used: the one that is named, else the protocol's, else the usual one."""
    return named or recipe.segmenter or USUAL_SEGMENTER


def method_of(segmenter: str = USUAL_SEGMENTER) -> str:
    """Name and version of a segmenter, as rows and runs keep it; raises `OutlineRefused`."""
    one = get(segmenter)
    return f"{one.name} {one.version}"


def work_id(labels: Iterable[Label], method: str, recipe: Recipe = USUAL) -> str:
    """Hash of what is asked of a scan: a run does again only what was asked otherwise before.

    What only changes the numbers of an outline stands apart at its end, for measuring it again
    (`usimg.extract.remeasure`) answers that.
    """
    labels = tuple(labels)
    asked = [asdict(label) for label in labels]
    for label in asked:
        # What came later and says nothing is left out, or every scan of an older study would be done again.
        if label["scale_source"] == "given":
            del label["scale_source"]
        if not label["kind"]:
            del label["kind"]
    content: dict[str, Any] = {"labels": asked, "method": method}
    frames = [recipe.frame_of(label) for label in labels if label.frame is None and not label.exclude]
    if any(rule != "middle" for rule in frames):
        content["frames"] = frames
    return measured_by(content_id(content), recipe)


def measured_by(work: str, recipe: Recipe) -> str:
    """The same work with the numbers of this recipe."""
    return ".".join(filter(None, (work.partition(".")[0], recipe.definitions_id)))


def extract_scan(
    path: str | Path,
    labels: Iterable[Label],
    *,
    segmenter: str = "",
    recipe: Recipe = USUAL,
    keep: Path | None = None,
) -> ScanRows:
    """Outline and measure what the labels say the scan shows.

    Errors of the file become rows with status ``failed`` and a reason; only what is wrong with the
    call raises.

    Parameters
    ----------
    path : path
    labels : iterable of Label
        One picture each; a view yields several structures. Subjects are study ids.
    segmenter : str
        Name of a registered segmenter; empty: the recipe's.
    recipe : Recipe
        A protocol's (`usimg.study.Study.protocol`): definitions, frame of a clip, outliner.
    keep : Path, optional
        Folder for the scan areas of the frames that are measured (`usimg.study.pixels`).

    Raises
    ------
    OutlineRefused
        No such segmenter.
    FileRefused
        The file is gone.
    """
    path = Path(path)
    labels = tuple(labels)
    segmenter = segmenter_of(recipe, segmenter)
    common: Row = {
        "method": method_of(segmenter),
        "usimg_version": usimg.__version__,
        "protocol": recipe.definitions.name,
        "work": work_id(labels, method_of(segmenter), recipe),
    }
    scan: Scan | None = None
    by_kind: dict[str, Scan] = {}
    rows: list[Row] = [_left_out(label) for label in labels if label.exclude]
    labels = tuple(label for label in labels if not label.exclude)
    problems: list[str] = []
    if not labels:
        identity = identity_of(path)
        return ScanRows(identity, [_with_id(row | common | {"scan": identity}) for row in rows])
    try:
        for label in labels:
            if label.kind not in by_kind:
                by_kind[label.kind] = read(path, kind=label.kind)
        scan = by_kind[labels[0].kind]
    except UsimgError as error:
        problems.append(str(error))
        identity = identity_of(path)
        rows += [_failed(label, _without_names(error, path)) for label in labels]
    else:
        identity = scan.id
        common |= {"device": device_of(scan.header)}
        for label in labels:
            try:
                rows += _rows_of_label(by_kind[label.kind], label, segmenter, recipe)
            except UsimgError as error:
                problems.append(str(error))
                rows.append(_failed(label, _without_names(error, path)))
    if keep is not None and scan is not None:
        shown = {row["frame"] for row in rows if row["status"] != "failed" and row.get("frame") is not None}
        problems += keep_frames(keep, scan, shown)
    header = scan.header if scan is not None else Header()
    return ScanRows(
        identity,
        [_with_id(row | common | {"scan": identity}) for row in rows],
        "; ".join(problems),
        taken=header.study_date or "",
        age_years=age_by_tags(
            header.extra.get("birth_date"), header.extra.get("patient_age"), header.study_date
        ),
    )


def identity_of(path: str | Path) -> str:
    """SHA-256 of a file's bytes; of a file that cannot be read, of its path, so that two stay apart."""
    return sha256(path) or content_id({"unreadable": str(path)})


def device_of(header: Header) -> str:
    """Maker, model and probe in one line; what is not known is not made up."""
    parts = (header.manufacturer, header.model, header.probe)
    return " | ".join(" ".join(part.split()) for part in parts if part and part.strip())


def crashed(
    path: str | Path, labels: Iterable[Label], reason: str, *, segmenter: str = "", recipe: Recipe = USUAL
) -> ScanRows:
    """Rows of a scan that took its process down; the file's bytes are all that is known of it."""
    labels = tuple(labels)
    method = method_of(segmenter_of(recipe, segmenter))
    common = {"scan": identity_of(path), "method": method, "work": work_id(labels, method, recipe)}
    common["usimg_version"] = usimg.__version__
    rows = [_with_id(_failed(label, reason) | common) for label in labels]
    return ScanRows(common["scan"], rows, f"{Path(path).name}: {reason}")


def _rows_of_label(scan: Scan, label: Label, segmenter: str, recipe: Recipe) -> list[Row]:
    if not label.says_what:
        return [_failed(label, "nothing says which structure it shows; label it in a manifest")]
    frame = chosen_frame(scan, label, recipe.frame_of(label))
    kind = frame.kind
    if not kind.automatic:
        why = kind.evidence[-1] if kind.evidence else "no more is known"
        way = "if it shows tissue all the same: kind b_mode in the manifest, or usimg review"
        return [_failed(label, f"shows {kind.label}, not a B-mode picture ({why}); {way}")]
    found = segment(
        frame,
        label.view or label.structure,
        plane=label.plane or None,
        site=label.site or None,
        protocol=recipe.definitions,
        segmenter=segmenter,
    )
    pixels = frame.pixels
    seen = settings_columns(scan.header, frame) | {
        "frame": frame.index,
        "kind": kind.name,
        "decoder": pixels.decoder,
        "grey_rule": pixels.grey_rule,
    }
    found, doubt = _of_one_picture(found, label)
    doubt = [*kind.flags, *doubt]
    asked = _asked(label)
    chosen: dict[str, Roi] = {}
    for structure, site in asked:
        drawn = (roi for roi in found if roi.structure == structure and len(roi.points))
        best = next(drawn, None)
        if best is not None:
            chosen[structure] = replace(best, site=site, side=label.side)
    table = measure(frame, list(chosen.values()), protocol=recipe.definitions)
    measured = dict(zip(chosen, table.to_dict("records"), strict=True))
    rows: list[Row] = []
    for structure, site in asked:
        if structure in chosen:
            roi = chosen[structure]
            row = features_of(measured[structure]) | outline_of(roi)
            row |= {"status": "measured", "plane": roi.plane or label.plane, "flags": [*row["flags"], *doubt]}
        else:
            row = {"status": "empty", "reason": _not_found(found, structure)}
        rows.append(_identity(label) | row | {"structure": structure, "site": site} | seen)
    return rows


def _asked(label: Label) -> list[tuple[str, str]]:
    """(structure, site) of everything that a label asks for.

    Where a view has no site of a structure, the view is the site: fat over the thigh and fat over
    the arm of one person are two measurements, not repeats of one.
    """
    if not label.view:
        return [(label.structure, label.site)]
    view = anatomy.view(label.view)
    return [(name, label.site or view.sites.get(name, view.name)) for name in view.structures]


def _of_one_picture(found: list[Roi], label: Label) -> tuple[list[Roi], list[str]]:
    """Outlines of the panel that is meant; of several unlabelled ones the surest, and a flag that says so."""
    drawn = [roi for roi in found if len(roi.points)]
    region = label.region
    if region is None and len({roi.region for roi in drawn}) > 1:
        region = max(drawn, key=lambda roi: roi.confidence).region
        why = f"the frame shows several pictures: region {region} was taken; name it in the manifest"
        return [roi for roi in found if roi.region == region], [why]
    return [roi for roi in found if region is None or roi.region == region], []


def _not_found(found: list[Roi], structure: str) -> str:
    """Why a structure has no outline: what its segmenter says, else what a person can do."""
    flags = [flag for roi in found if roi.structure == structure for flag in roi.flags]
    if flags:
        return "; ".join(flags)
    if anatomy.structure(structure).outline != "layer":
        return "no outline was found without a click or a box; mark it in usimg review"
    return "no credible outline was found"


def _left_out(label: Label) -> Row:
    """A row that says so: it takes the place of what an earlier run measured, and the report shows why."""
    why = label.reason or "no reason given"
    return _identity(label) | {
        "status": "empty",
        "reason": f"{LEFT_OUT}: {why}",
        "frame": label.frame,
    }


def _failed(label: Label, reason: str) -> Row:
    return _identity(label) | {"status": "failed", "reason": reason, "frame": label.frame}


def _identity(label: Label) -> Row:
    return {
        "subject": label.subject,
        "visit": label.visit,
        "view": label.view,
        "structure": label.structure,
        "site": label.site,
        "side": label.side,
        "plane": label.plane,
        "muscle_state": label.state,
        "posture": label.posture,
        "session": label.session,
        "operator": label.operator,
        "repeat": label.repeat,
        "region": label.region,
        "label_source": label.source,
        "flags": [],
        "reason": "",
    }


def _with_id(row: Row) -> Row:
    target = Target(
        scan=row["scan"],
        frame=row.get("frame") or 0,
        region=row["region"],
        structure=row["structure"],
        site=row["site"],
        side=row["side"],
        repeat=row["repeat"],
    )
    return row | {"outline": outline_id(target, row["method"], row)}


def _without_names(error: UsimgError, path: Path) -> str:
    """A message as the study may keep it: paths and file names count as patients' names."""
    text = str(error)
    for name in (str(path), str(path.resolve()), path.as_posix(), path.name):
        text = text.replace(f"{name}: ", "").replace(name, "the file")
    return text
