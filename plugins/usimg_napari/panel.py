"""The dock widget of the frame on the screen: numbers, flags, buttons. `review` decides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QPoint, Qt, QTimer
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import (
    QAbstractItemView,
    QFileDialog,
    QGridLayout,
    QHeaderView,
    QInputDialog,
    QLabel,
    QMenu,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from usimg import Frame, Roi, UsimgError
from usimg_napari import keys
from usimg_napari.calibrate_widget import CalibrateByHand
from usimg_napari.canvas import Canvas
from usimg_napari.cine import Cine
from usimg_napari.cine_plot import CinePlot
from usimg_napari.earlier import EarlierVisits
from usimg_napari.review import Review, named
from usimg_napari.tools import Tools
from usimg_napari.worklist import SIGNS

if TYPE_CHECKING:
    from napari.viewer import Viewer

# What sonographers say of a picture that cannot be measured.
REASONS = ("border not visible", "wrong plane", "muscle contracted", "cut off by the edge")
COLUMNS = ("", "outline", "thickness", "area", "EI")
# Holds the table of a frame with the longest names, and leaves a 1280 px screen half for the picture.
WIDTH_PX = 340
# What was set otherwise than at the visit before; readable on napari's dark and light.
RED = "#e5484d"
BUTTONS = (
    ("accept", "Accept  ⏎"),
    ("reject", "Reject …  R"),
    ("undo", "Undo  Ctrl-Z"),
    ("redo", "Redo  Ctrl-⇧-Z"),
    ("previous", "◀ Previous  B"),
    ("next", "Next  N ▶"),
    ("outline", "Outline: box or click  O"),
    ("push", "Push the border  P"),
    ("snap", "Snap to the edge  E"),
    ("second_best", "Second-best lines  A"),
    ("next_flagged", "Next flagged  ⇧-N"),
    ("grid", "Patient grid  G"),
    ("help", "Keys  H"),
)


class ReviewPanel(QWidget):
    """The numbers of the frame on the screen, what is said of them, and the buttons that decide.

    Parameters
    ----------
    viewer : napari Viewer
        Gets one image and one Shapes layer, and the keys of `keys.KEYS`.
    review : Review
    others : mapping, optional
        Verbs of the key table that need more than a frame: the grid, the work list, signing. They take
        the place of this panel's own.
    """

    def __init__(
        self, viewer: Viewer, review: Review, others: Mapping[str, Callable[[], object]] | None = None
    ) -> None:
        super().__init__()
        self.review = review
        self.others = dict(others or {})
        self.setMinimumWidth(WIDTH_PX)
        self._build()
        self.canvas = Canvas(viewer, review, self.say)
        self.canvas.listen(self.refresh_numbers)
        review.listen(self.refresh_decisions)
        self.tools = Tools(self.canvas)
        self.calibrating = CalibrateByHand(self.canvas, self)
        self.cine = Cine(self.canvas)
        self.plot = CinePlot(self.cine, self.say)
        self.column.insertWidget(self.column.indexOf(self.table) + 1, self.plot)
        self.earlier = EarlierVisits(review.desk)
        self.canvas.ghost = self._ghost
        self.verbs = self._verbs()
        for verb, button in self.buttons.items():
            if verb in self.verbs:
                button.clicked.connect(self.verbs[verb])
        for keyed in (viewer, self.canvas.image, self.canvas.outlines):
            keys.bind(keyed, self.verbs, self.say)
        self.canvas.mode("direct")
        self.destroyed.connect(review.desk.close)
        self.refresh()

    def say(self, sentence: str) -> None:
        """Show a sentence under the buttons."""
        self.message.setText(sentence)

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802  Qt's name
        """Fit the picture once the dock has taken its place beside it."""
        super().showEvent(event)
        QTimer.singleShot(0, self._fit)

    def _fit(self) -> None:
        self.canvas.zoom_to_tissue()

    # Building

    def _build(self) -> None:
        self.patient, self.title, self.flags, self.message = _text(), _text(), _text(), _text()
        self.message.setObjectName("message")
        self.settings = _text()
        self.settings.setStyleSheet(f"color: {RED}; font-weight: bold")
        self.table = QTableWidget(0, len(COLUMNS))
        self.table.setHorizontalHeaderLabels(list(COLUMNS))
        self.table.verticalHeader().hide()
        self.table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.table.horizontalHeader().setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.table.currentCellChanged.connect(self._on_row)
        self.reasons = QMenu(self)
        for number, reason in enumerate(REASONS, start=1):
            self.reasons.addAction(f"&{number} {reason}").triggered.connect(self._rejecting(reason))
        self.reasons.addAction("&Another reason …").triggered.connect(self._ask_reason)
        rows = (f"<tr><td><b>{key}</b>&nbsp;</td><td>{said}</td></tr>" for key, said in keys.help_lines())
        said = _text()
        said.setText(f"<table>{''.join(rows)}</table>")
        self.help = QScrollArea()
        self.help.setWidget(said)
        self.help.setWidgetResizable(True)
        self.help.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.help.hide()
        buttons = QGridLayout()
        self.buttons: dict[str, QPushButton] = {}
        for place, (verb, text) in enumerate(BUTTONS):
            button = QPushButton(text)
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            buttons.addWidget(button, *divmod(place, 2))
            self.buttons[verb] = button
        self.column = column = QVBoxLayout(self)
        for widget in (self.patient, self.title, self.settings, self.table, self.flags):
            column.addWidget(widget)
        column.addLayout(buttons)
        for below in (self.message, self.help):
            column.addWidget(below)
        column.setStretchFactor(self.table, 2)
        column.setStretchFactor(self.help, 5)

    # Showing

    def refresh(self) -> None:
        """Show all that the review and the canvas hold."""
        self.refresh_numbers()
        self.refresh_decisions()

    def refresh_numbers(self) -> None:
        """Show the numbers of the frame on the screen; called for every mouse move of a drag."""
        held, numbers = self.review.held, self.canvas.numbers
        self.table.blockSignals(True)
        self.table.setRowCount(len(held))
        for row, (one, own) in enumerate(zip(held, numbers, strict=True)):
            echo = own.echo.removeprefix("EI ")
            texts = (SIGNS[one.status], named(one.roi), own.thickness, own.area, echo)
            tips = (one.status, named(one.roi), *("" if text else own.reason for text in texts[2:]))
            for column, (text, tip) in enumerate(zip(texts, tips, strict=True)):
                self._fill(row, column, text or "—", tip)
        self.table.setCurrentCell(self.review.selected, 0)
        self.table.blockSignals(False)
        chosen, own = held[self.review.selected], numbers[self.review.selected]
        said = (self.canvas.problem, chosen.reason, own.flags, own.reason)
        self.flags.setText("\n".join(dict.fromkeys(word for word in said if word)))

    def _fill(self, row: int, column: int, text: str, tip: str) -> None:
        item = self.table.item(row, column)
        if item is None:
            item = QTableWidgetItem()
            self.table.setItem(row, column, item)
        if item.text() != text:
            item.setText(text)
        if item.toolTip() != tip:
            item.setToolTip(tip)

    def refresh_decisions(self) -> None:
        """Show where the review is and what may be done there."""
        review = self.review
        scan = f"\nscan {review.page.scan[:12]}" if review.page.scan else ""
        self.title.setText(f"{review.page.title}{scan}")
        self.settings.setText(self.earlier.warning(review.page))
        self.settings.setVisible(bool(self.settings.text()))
        self.buttons["undo"].setEnabled(review.can_undo)
        self.buttons["redo"].setEnabled(review.can_redo)
        for verb in ("accept", "reject"):
            self.buttons[verb].setEnabled(bool(review.author.strip()))
        for verb in ("grid",):
            self.buttons[verb].setVisible(verb in self.others)

    # Doing

    def _verbs(self) -> dict[str, Callable[[], None]]:
        """One callable for each verb of `keys.KEYS`; what a user can mend becomes a sentence."""
        review, canvas = self.review, self.canvas
        verbs: dict[str, Callable[[], object]] = {
            "accept": canvas.accept,
            "reject": self._offer_reasons,
            "undo": review.undo,
            "redo": review.redo,
            "next": review.next,
            "previous": review.previous,
            "next_flagged": review.next_flagged,
            "back": review.back,
            "select_next": review.select_next,
            "fasciculations": review.fasciculate,
            "move_vertices": lambda: canvas.mode("direct"),
            "insert_vertex": lambda: canvas.mode("vertex_insert"),
            "remove_vertex": lambda: canvas.mode("vertex_remove"),
            "outline": canvas.ask_for_box,
            "draw": lambda: canvas.mode("add_polygon"),
            "ghost": self._turn_ghost,
            "bring_in": self._bring_in,
            "pan": lambda: canvas.mode("pan_zoom"),
            "stop": lambda: canvas.mode("direct"),
            "help": self._turn_over,
        }
        verbs |= self.tools.verbs() | self.calibrating.verbs() | self.cine.verbs() | self.plot.verbs()
        for grade in (1, 2, 3, 4):
            verbs[f"grade_{grade}"] = partial(review.grade, grade)
        return {name: self._saying(verb) for name, verb in (verbs | self.others).items()}

    def _saying(self, verb: Callable[[], object]) -> Callable[[], None]:
        def call() -> None:
            try:
                said = verb()
            except UsimgError as error:
                said = str(error)
            self.say(said if isinstance(said, str) else "")

        return call

    def _rejecting(self, reason: str) -> Callable[[], None]:
        return self._saying(lambda: self.review.reject(reason))

    def _turn_over(self) -> None:
        """Show the keys, or put them away."""
        self.help.setVisible(self.help.isHidden())

    def _ghost(self, roi: Roi, frame: Frame) -> tuple[tuple[Any, ...], str]:
        before = self.earlier.of(self.review.page)
        return ((), "") if before is None else (before.ghost(roi, frame), f"visit {before.visit}")

    def _bring_in(self) -> str:
        kinds = "Outlines (*.geojson *.json *.roi *.zip)"
        path, _ = QFileDialog.getOpenFileName(self, "Bring in outlines", "", kinds)
        return self.tools.bring_in(path) if path else ""

    def _turn_ghost(self) -> str:
        self.earlier.shown = not self.earlier.shown
        self.canvas.show_guides()
        if self.earlier.of(self.review.page) is None and self.earlier.shown:
            return "No visit before this one shows the same"
        return ""

    def _offer_reasons(self) -> None:
        button = self.buttons["reject"]
        self.reasons.popup(button.mapToGlobal(QPoint(0, button.height())))

    def _ask_reason(self) -> None:
        reason, given = QInputDialog.getText(self, "Reject", "What is wrong with it?")
        if given:
            self._rejecting(reason)()

    def _on_row(self, row: int, *_: int) -> None:
        self.review.select(row)


def _text() -> QLabel:
    label = QLabel()
    label.setWordWrap(True)
    # A long path has no place to break; it must not push the picture aside.
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
    return label
