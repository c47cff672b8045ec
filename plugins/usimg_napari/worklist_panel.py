"""The dock widget of the work list: who reads, what is left, the list itself, typed through and sorted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QAbstractListModel, QModelIndex, Qt
from qtpy.QtGui import QFont
from qtpy.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListView,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from usimg_napari.worklist import ORDERS, SIGNS, WORDS, Line, Worklist

_DISPLAY, _FONT, _TIP = Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.FontRole, Qt.ItemDataRole.ToolTipRole
WIDTH_PX, MOST_PX = 250, 340


class LinesModel(QAbstractListModel):
    """Lines of a work list; thousands cost no more than those that are seen."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.lines: list[Line] = []
        self._heading = QFont()
        self._heading.setBold(True)

    def show_lines(self, lines: list[Line]) -> None:
        """Take other lines, or other states of the same."""
        same = [(line.text, line.index) for line in lines] == [(line.text, line.index) for line in self.lines]
        if same:
            before, self.lines = self.lines, lines
            for row, (old, new) in enumerate(zip(before, lines, strict=True)):
                if old.status != new.status:
                    self.dataChanged.emit(self.index(row), self.index(row))
            return
        self.beginResetModel()
        self.lines = lines
        self.endResetModel()

    def rowCount(self, parent: Any = None) -> int:  # noqa: N802  Qt's name
        """How many lines."""
        return 0 if parent is not None and parent.isValid() else len(self.lines)

    def data(self, index: Any, role: int = _DISPLAY) -> Any:
        """Text, weight and hint of a line."""
        line = self.lines[index.row()]
        if role == _DISPLAY:
            return line.text if line.index is None else f"  {SIGNS[line.status]}  {line.text}"
        if role == _FONT and line.index is None:
            return self._heading
        if role == _TIP and line.index is not None:
            return f"{line.text}: {WORDS.get(line.status, line.status)}"
        return None

    def flags(self, index: Any) -> Qt.ItemFlag:
        """Headings are not chosen."""
        line = self.lines[index.row()]
        if line.index is None:
            return Qt.ItemFlag.ItemIsEnabled
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable


class WorklistPanel(QWidget):
    """Who reads, what is left, and the list.

    Parameters
    ----------
    worklist : Worklist
    change_author : callable
        Asks who reads.
    """

    def __init__(self, worklist: Worklist, change_author: Callable[[], None]) -> None:
        super().__init__()
        self.worklist = worklist
        self.setMinimumWidth(WIDTH_PX)
        self.setMaximumWidth(MOST_PX)  # the middle gets the rest of the window
        self.author = QPushButton()
        self.author.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.author.setToolTip("Every decision carries this name; click when somebody else sits down")
        self.author.clicked.connect(change_author)
        self.left = QLabel()
        self.left.setWordWrap(True)
        self.filter = QLineEdit()
        self.filter.setPlaceholderText("Find: patient, muscle, flagged …  Ctrl-F")
        self.filter.setClearButtonEnabled(True)
        self.filter.textChanged.connect(self._on_filter)
        self.filter.returnPressed.connect(self._on_found)
        self.order = QComboBox()
        self.order.addItems(list(ORDERS))
        self.order.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.order.currentTextChanged.connect(self._on_order)
        self.model = LinesModel(self)
        self.list = QListView()
        self.list.setModel(self.model)
        self.list.setUniformItemSizes(True)
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.list.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.clicked.connect(self._on_click)
        column = QVBoxLayout(self)
        who = QHBoxLayout()
        who.addWidget(self.author)
        column.addLayout(who)
        for widget in (self.left, self.filter, self.order, self.list):
            column.addWidget(widget)
        worklist.review.listen(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show what holds."""
        review = self.worklist.review
        self.author.setText(f"Reading: {review.author}" if review.author else "Who is reading? Click")
        self.left.setText(self.worklist.left())
        self.model.show_lines(self.worklist.lines())
        row = next((r for r, line in enumerate(self.model.lines) if line.index == review.at), None)
        if row is None:
            self.list.clearSelection()
        elif self.list.currentIndex().row() != row:
            self.list.setCurrentIndex(self.model.index(row))

    def look_for(self) -> None:
        """Let the person type what is looked for."""
        self.filter.setFocus()
        self.filter.selectAll()

    def _on_filter(self, text: str) -> None:
        self.worklist.filter = text
        self.refresh()

    def _on_order(self, order: str) -> None:
        self.worklist.order = order
        self.refresh()

    def _on_found(self) -> None:
        """Enter goes to the first that was found, and the keys are the picture's again."""
        shown = self.worklist.indices()
        if shown:
            self.worklist.review.go(shown[0])
        self.filter.clearFocus()

    def _on_click(self, index: QModelIndex) -> None:
        at = self.model.lines[index.row()].index
        if at is not None:
            self.worklist.review.go(at)
