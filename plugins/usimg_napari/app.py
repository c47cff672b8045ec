"""Ways in: ``usimg review PATH`` and the plugin's menu."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QFileDialog, QLabel, QPushButton, QVBoxLayout, QWidget

from usimg import UsimgError
from usimg.errors import DependencyMissing, StudyRefused
from usimg.study import Study
from usimg_napari.blind import Adjudication, AdjudicationDesk, BlindDesk
from usimg_napari.desk import StudyDesk
from usimg_napari.pages import Desk
from usimg_napari.panel import ReviewPanel
from usimg_napari.places import opened
from usimg_napari.review import Review
from usimg_napari.tiles import folder_of, tiles_of
from usimg_napari.workbench import Workbench, put_away
from usimg_napari.worklist import Worklist
from usimg_napari.worklist_panel import WorklistPanel

if TYPE_CHECKING:
    from napari.viewer import Viewer


def open_study(path: str | Path, author: str | None = None, *, viewer: Viewer | None = None) -> Viewer:
    """A napari viewer at the first thing to do, with everything docked.

    Parameters
    ----------
    path : path
        A study; or a folder or file of scans, which gets a study beside it.
    author : str, optional
        Who reviews; asked for at the start when not given.
    viewer : napari Viewer, optional
        One that is open already.

    Returns
    -------
    napari Viewer
        ``napari.run()`` shows it until it is closed.

    Raises
    ------
    FileRefused
        Nothing is there.
    StudyRefused
        No study there that can be opened, or neither outlines nor scans in it; nothing is opened then.
    DependencyMissing
        No screen to open a window on (Qt would end the process).
    """
    import napari  # noqa: PLC0415  half a second that a refused study need not wait for

    place = opened(path)
    desk = StudyDesk(place.study)
    found = None
    if place.scans is not None:
        found = tiles_of(place.scans, place.study, desk.fold.others)
    elif not desk.pages():
        folder = folder_of(place.study)
        found = tiles_of(folder, place.study, desk.fold.others) if folder is not None else None
    if not desk.pages() and (found is None or not found.tiles):
        raise StudyRefused(f"{path}: neither outlines nor scans are in it; open the folder of the scans")
    ours = viewer is None
    if viewer is None:
        _need_a_screen()
        viewer = napari.Viewer(title="usimg review")
    bench = Workbench(viewer, desk, author or "", found)
    if ours:
        put_away(bench.visit)
    if not author:
        QTimer.singleShot(0, bench.ask_author)
    return viewer


def open_reading(
    path: str | Path,
    reader: str,
    *,
    sample: int = 60,
    seed: int = 1,
    adjudicate: bool = False,
    viewer: Viewer | None = None,
) -> Viewer:
    """A blind sitting over a sample of a study, or the settling of what readers left different.

    Parameters
    ----------
    path : path
        A study with outlines.
    reader : str
        Who reads; a reader's sitting goes on where it ended.
    sample, seed : int
        How many pictures, and which: the same for every reader of one reader study.
    adjudicate : bool
        Settle instead of reading.

    Raises
    ------
    StudyRefused
        No study, no reader, or nothing to read.
    DependencyMissing
        No screen.
    """
    import napari  # noqa: PLC0415  as in `open_study`

    study = Study.open(path)
    if not reader.strip():
        raise StudyRefused("who is reading? give --reader NAME")
    desk: Desk = AdjudicationDesk(study) if adjudicate else BlindDesk(study, reader, sample=sample, seed=seed)
    if not desk.pages():
        what = "no picture was read differently by two readers" if adjudicate else "no outlines to draw from"
        raise StudyRefused(f"{path}: {what}")
    review = (Adjudication if adjudicate else Review)(desk, reader.strip())
    if viewer is None:
        _need_a_screen()
        viewer = napari.Viewer(title="usimg reader study")
    worklist = Worklist(review)
    panel = ReviewPanel(viewer, review)
    viewer.window.add_dock_widget(WorklistPanel(worklist, lambda: None), name="usimg work list", area="left")
    viewer.window.add_dock_widget(panel, name="usimg review", area="right")
    put_away(panel)
    if not adjudicate:
        hide_numbers(panel)
    return viewer


def hide_numbers(panel: ReviewPanel) -> None:
    """A blind reader sees outlines and no numbers: they would tell what was read before."""
    for column in range(2, panel.table.columnCount()):
        panel.table.setColumnHidden(column, True)
    panel.canvas.outlines.text.visible = False


def _need_a_screen() -> None:
    named = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    if sys.platform == "linux" and not any(os.environ.get(name) for name in named):
        raise DependencyMissing(
            "there is no screen here to open the viewer on: run it on a desktop, or over ssh -X"
        )


class StudyChooser(QWidget):
    """The plugin's entry in napari's menu: choose a study or scans, and the review opens in this viewer."""

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self.viewer = viewer
        self.button = QPushButton("Open a study or a folder of scans …")
        self.button.clicked.connect(self._choose)
        self.message = QLabel(
            "Choose the folder of a study, or of scans: scans get a study beside their folder, and nothing"
            " is written into it."
        )
        self.message.setWordWrap(True)
        column = QVBoxLayout(self)
        column.addWidget(self.button)
        column.addWidget(self.message)
        column.addStretch()

    def open(self, folder: str | Path) -> None:
        """Open the review of a study, or say why not."""
        try:
            open_study(folder, viewer=self.viewer)
        except UsimgError as error:
            self.message.setText(str(error))
        else:
            self.message.setText(f"Open: {Path(folder).name}")

    def _choose(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Open a study or a folder of scans")
        if folder:
            self.open(folder)
