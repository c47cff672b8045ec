"""Calibrate by hand on the screen: a line on the ruler, its length, and who else it is offered to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QInputDialog,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QVBoxLayout,
    QWidget,
)

from usimg import Calibration, Frame, UsimgError
from usimg.errors import CalibrationRefused
from usimg_napari.calibrating import MOST_MM, Candidate, candidates, scale_of
from usimg_napari.canvas import Canvas
from usimg_napari.drag import Wanted
from usimg_napari.pages import Page

_USUAL_MM = 40.0


@dataclass(frozen=True)
class _Given:
    """The scale that was given last, and to what."""

    page: Page
    frame: Frame
    corners: Any
    scale: Calibration


class CalibrateByHand:
    """The verbs of calibration; dialogs have the panel as parent.

    Parameters
    ----------
    canvas : Canvas
    parent : QWidget
    """

    def __init__(self, canvas: Canvas, parent: QWidget) -> None:
        self.canvas = canvas
        self.review = canvas.review
        self.parent = parent
        self.distance_mm = _USUAL_MM
        self.given: _Given | None = None

    def verbs(self) -> dict[str, Callable[[], object]]:
        """By the names of the key table."""
        return {"calibrate": self.begin, "calibrate_others": self.offer}

    def begin(self) -> str:
        """The next drag is a line from one tick of the ruler to another."""
        self.canvas.shown_frame()
        held = self.canvas.scale_source
        if held not in ("", "person"):
            raise CalibrationRefused(
                f"this picture has a scale already (from: {held.replace('_', ' ')}): none is given by hand"
            )
        self.canvas.mode("pan_zoom")
        self.canvas.drag.arm(Wanted("line", self._dragged))
        return "Drag along the ruler from one tick to another, far apart; then type their distance in mm"

    def _dragged(self, corners: Any) -> None:
        self.canvas.outlines.mode = "direct"
        # The mouse is still in napari's hands: the question comes once it has let go.
        QTimer.singleShot(0, lambda: self._ask(corners))

    def _ask(self, corners: Any) -> None:
        distance, given = QInputDialog.getDouble(
            self.parent, "Calibrate", "Distance between the two points, mm", self.distance_mm, 0.1, MOST_MM, 1
        )
        if given:
            self.canvas.saying(lambda mm: self.canvas.say(self.apply(corners, mm)))(distance)

    def apply(self, corners: Any, distance_mm: float) -> str:
        """Give the page's scan its scale; what to say of it."""
        scale = scale_of(corners, distance_mm)
        page, frame = self.review.page, self.canvas.shown_frame()
        region = self.review.held[self.review.selected].roi.region
        self.review.calibrate({page: replace(scale, region=region)})
        self.distance_mm = distance_mm
        self.given = _Given(page, frame, corners, scale)
        if not self.canvas.scale_source:
            return (
                "The scale is written. The study's numbers are of another usimg: choose the new ones with"
                " usimg choose"
            )
        return f"1 px is {scale.row_mm:.4f} mm. Shift-C offers this scale to other scans of the device"

    def offer(self) -> str:
        """Show the scans that the last scale fits, and give it to those that are chosen."""
        if self.given is None:
            raise CalibrationRefused("calibrate one scan first (C); then its scale is offered to others")
        given = self.given
        found = list(candidates(self.review.desk, given.page, given.frame, given.corners))
        if not found:
            return "No other scan of this device is without a scale"
        dialog = OfferDialog(found, given.scale, self.parent)
        if not dialog.exec():
            return "Nothing was applied"
        chosen = dialog.chosen()
        if not chosen:
            return "Nothing was applied"
        return self.give(chosen)

    def give(self, chosen: list[Candidate]) -> str:
        """Give these scans the scale, as one step."""
        given = self.given
        fitting = [one.page for one in chosen if not one.misfit]
        if given is None or not fitting:
            return "Nothing was applied"
        detail = f"{given.scale.detail}; of scan {given.page.scan[:12]}, same ruler"
        try:
            self.review.calibrate({page: replace(given.scale, detail=detail) for page in fitting})
        except UsimgError as error:
            return str(error)
        return f"{len(fitting)} scans have this scale now; Ctrl-Z takes it back from all of them"


class OfferDialog(QDialog):
    """Which of the device's scans get the scale: fitting ones are ticked, misfits cannot be.

    Parameters
    ----------
    found : list of Candidate
    scale : Calibration
    parent : QWidget
    """

    def __init__(self, found: list[Candidate], scale: Calibration, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Give this scale to others")
        self.found = found
        column = QVBoxLayout(self)
        fitting = sum(not one.misfit for one in found)
        column.addWidget(
            QLabel(
                f"1 px is {scale.row_mm:.4f} mm. {fitting} of {len(found)} scans of this device that have no"
                " scale show the same ruler."
            )
        )
        self.list = QListWidget()
        for one in found:
            item = QListWidgetItem(one.page.title + (f"  —  {one.misfit}" if one.misfit else ""))
            item.setCheckState(Qt.CheckState.Unchecked if one.misfit else Qt.CheckState.Checked)
            if one.misfit:
                item.setFlags(item.flags() & ~Qt.ItemFlag.ItemIsEnabled)
            self.list.addItem(item)
        column.addWidget(self.list)
        buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel
        )
        buttons.button(QDialogButtonBox.StandardButton.Ok).setText("Give them this scale")
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        column.addWidget(buttons)
        self.resize(520, 360)

    def chosen(self) -> list[Candidate]:
        """The scans that are ticked."""
        ticked = [self.list.item(i).checkState() == Qt.CheckState.Checked for i in range(self.list.count())]
        return [one for one, on in zip(self.found, ticked, strict=True) if on and not one.misfit]
