"""Ways in: ``usimg review PATH`` and the plugin's menu."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QFileDialog, QLabel, QPushButton, QVBoxLayout, QWidget

from usimg import UsimgError
from usimg.errors import DependencyMissing
from usimg_napari.desk import StudyDesk
from usimg_napari.panel import ReviewPanel
from usimg_napari.review import Review
from usimg_napari.worklist import Worklist
from usimg_napari.worklist_panel import WorklistPanel

if TYPE_CHECKING:
    from napari.viewer import Viewer


def open_study(path: str | Path, author: str | None = None, *, viewer: Viewer | None = None) -> Viewer:
    """A napari viewer at the study's first thing to do, with the review panel docked.

    Parameters
    ----------
    path : path
        A study folder.
    author : str, optional
        Who reviews; asked for in the panel when not given.
    viewer : napari Viewer, optional
        One that is open already.

    Returns
    -------
    napari Viewer
        ``napari.run()`` shows it until it is closed.

    Raises
    ------
    StudyRefused
        No study there, or none with outlines; nothing is opened then.
    DependencyMissing
        No screen to open a window on (Qt would end the process).
    """
    import napari  # noqa: PLC0415  half a second that a refused study need not wait for

    review = Review(StudyDesk.open(path), author or "")
    if viewer is None:
        _need_a_screen()
        viewer = napari.Viewer(title="usimg review")
    worklist = Worklist(review)
    listed = WorklistPanel(worklist, lambda: None)
    viewer.window.add_dock_widget(listed, name="usimg work list", area="left")
    viewer.window.add_dock_widget(ReviewPanel(viewer, review), name="usimg review", area="right")
    return viewer


def _need_a_screen() -> None:
    named = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    if sys.platform == "linux" and not any(os.environ.get(name) for name in named):
        raise DependencyMissing(
            "there is no screen here to open the viewer on: run it on a desktop, or over ssh -X"
        )


class StudyChooser(QWidget):
    """The plugin's entry in napari's menu: choose a study, and the review opens in this viewer."""

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self.viewer = viewer
        self.button = QPushButton("Open a study …")
        self.button.clicked.connect(self._choose)
        self.message = QLabel("A study is the folder that usimg extract ARCHIVE --study STUDY made.")
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
        folder = QFileDialog.getExistingDirectory(self, "Open a study")
        if folder:
            self.open(folder)
