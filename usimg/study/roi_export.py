"""Outlines that hold in a study as files for ImageJ and other programs: a pair for each frame.

Names of files are the scan's short hash and the frame, as reports name them: no patient data.
"""

from __future__ import annotations

from pathlib import Path

from usimg.study.private import short
from usimg.study.roifiles import SavedRoi, name_of, write_rois
from usimg.study.schema import roi_of
from usimg.study.store import Study

FOLDER = "rois"
# States of the fold without an outline that anyone stands for.
_WITHOUT = ("rejected", "conflict", "failed", "empty", "moved")


def export_rois(study: Study) -> tuple[Path, int, int]:
    """Write every outline that holds, each frame's as ``.geojson`` and as ImageJ's ``.zip``.

    Where several readers outlined the same, all of theirs are there; GeoJSON's ``method`` says whose it is.

    Returns
    -------
    folder, outlines, frames
        Where the files lie, and how many there are of both.

    Raises
    ------
    StudyRefused
        The folder cannot be written.
    """
    folder = study.exports / FOLDER
    rows = study.fold().rows
    rows = rows[~rows["state"].isin(_WITHOUT)]
    outlines = frames = 0
    for key, own in rows.groupby(["scan", "frame"], sort=True):
        scan, frame = str(key[0]), int(str(key[1]))
        rois = [roi_of({str(name): value for name, value in row.items()}) for row in own.to_dict("records")]
        saved = [SavedRoi(roi, frame, name_of(roi)) for roi in rois if len(roi.points)]
        if saved:
            folder.mkdir(parents=True, exist_ok=True)
            stem = f"{short(scan)}-frame{frame}"
            for suffix in (".geojson", ".zip"):
                write_rois(folder / f"{stem}{suffix}", saved)
            outlines, frames = outlines + len(saved), frames + 1
    return folder, outlines, frames
