"""The grid of tiles on the screen: pictures with outlines over them, painted when they are seen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from qtpy.QtCore import QPointF, QRect, QRectF, QSize, Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QColor, QFontMetrics, QImage, QKeyEvent, QPainter, QPen, QPixmap, QPolygonF
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableWidget,
    QTableWidgetItem,
)

from usimg.report.drawing import Crop
from usimg_napari.cards import DONE, EMPTY, FLAGGED, OUT, PROPOSED, Card, Row, Source

WIDTH_PX, PICTURE_PX = 240, 132
HEADING_PX = 190
LINES = 4
# Frames of the tiles; each tone has its sign in the title too.
_FRAMES = {DONE: "#2E9E6B", FLAGGED: "#E69F00", OUT: "#8A8A8A", PROPOSED: "#56B4E9", EMPTY: "#8A8A8A"}
_CARD = Qt.ItemDataRole.UserRole


class TileDelegate(QStyledItemDelegate):
    """Paints one tile: title, picture, outlines, lines of text."""

    def __init__(self, board: Board) -> None:
        super().__init__(board)
        self.board = board

    def sizeHint(self, option: Any, index: Any) -> QSize:  # noqa: N802  Qt's name
        """All tiles are equally large."""
        del option, index
        return QSize(WIDTH_PX, self.board.tile_height)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Any) -> None:
        """Paint the tile."""
        card = index.data(_CARD)
        if card is None:
            return
        ground, chosen, words = self.board.colours
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = option.rect.adjusted(3, 3, -3, -3)
        here = index.row() == self.board.currentRow() and index.column() == self.board.currentColumn()
        painter.setBrush(QColor(chosen if selected else ground))
        pen = QPen(QColor(words if here else _FRAMES.get(card.tone, "#8A8A8A")), 3.0 if here else 1.5)
        dashed = card.tone in (PROPOSED, EMPTY) and not here
        pen.setStyle(Qt.PenStyle.DashLine if dashed else Qt.PenStyle.SolidLine)
        painter.setPen(pen)
        painter.drawRoundedRect(QRectF(box), 4, 4)
        text = QColor(words)
        self._write(painter, box, card, text)
        self._picture(painter, QRect(box.left() + 4, box.top() + 22, box.width() - 8, PICTURE_PX), card, text)
        painter.restore()

    def _write(self, painter: QPainter, box: QRect, card: Card, colour: QColor) -> None:
        metrics = QFontMetrics(painter.font())
        painter.setPen(QPen(colour))
        width, height = box.width() - 12, metrics.height()

        def line(text: str, top: int) -> None:
            short = metrics.elidedText(text, Qt.TextElideMode.ElideRight, width)
            painter.drawText(
                QRect(box.left() + 6, top, width, height), int(Qt.AlignmentFlag.AlignLeft), short
            )

        line(f"{card.sign}  {card.title}" if card.sign else card.title, box.top() + 3)
        for number, said in enumerate(card.lines[:LINES]):
            line(said, box.top() + 26 + PICTURE_PX + number * height)

    def _picture(self, painter: QPainter, box: QRect, card: Card, colour: QColor) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor("#000000"))
        shown = self.board.pictures.get(card.source) if card.source is not None else None
        if card.source is None or isinstance(shown, str) or shown is None:
            waiting = shown if isinstance(shown, str) else "" if card.source is None else "…"
            painter.setPen(QPen(colour))
            painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap), waiting)
            return
        painter.drawRect(box)
        crop, pixmap = shown
        scale = min(box.width() / pixmap.width(), box.height() / pixmap.height())
        width, height = pixmap.width() * scale, pixmap.height() * scale
        left, top = box.left() + (box.width() - width) / 2, box.top() + (box.height() - height) / 2
        if card.tone == OUT:
            painter.setOpacity(0.35)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawPixmap(QRectF(left, top, width, height), pixmap, QRectF(pixmap.rect()))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for line in card.outlines:
            xy = (crop.xy(line.points) + 0.5) * scale + (left, top)
            polygon = QPolygonF([QPointF(x, y) for x, y in _thinned(xy)])
            painter.setPen(QPen(QColor(line.colour), 1.4))
            if line.closed:
                painter.drawPolygon(polygon)
            else:
                painter.drawPolyline(polygon)
        painter.setOpacity(1.0)


class Board(QTableWidget):
    """Rows of tiles under the keys of a table; arrows move, Shift and Ctrl choose several.

    Signals
    -------
    pressed_key : str
        A key that is not the board's own, as `keys.KEYS` writes it.
    moved : int, int
        The cursor is on another tile.
    """

    pressed_key = Signal(str)
    moved = Signal(int, int)

    def __init__(self) -> None:
        super().__init__(0, 0)
        self.pictures: dict[Source, tuple[Crop, QPixmap] | str] = {}
        self.rows: list[Row] = []
        self.lines = LINES
        self.colours = ("#2B2F3A", "#4A5568", "#F0F1F2")
        self.setItemDelegate(TileDelegate(self))
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setShowGrid(False)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setTabKeyNavigation(False)
        self.horizontalHeader().hide()
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        aligned = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop
        self.verticalHeader().setDefaultAlignment(aligned | Qt.TextFlag.TextWordWrap)
        self.verticalHeader().setFixedWidth(HEADING_PX)
        self.verticalHeader().setSectionsClickable(False)
        self.currentCellChanged.connect(lambda row, column, *_: self.moved.emit(row, column))

    def dress(self, ground: str, chosen: str, words: str) -> None:
        """Take the colours of the window's theme: of tiles, of chosen ones, of what is written on them."""
        self.colours = (ground, chosen, words)
        self.viewport().update()

    @property
    def tile_height(self) -> int:
        """Height of a tile with room for its lines, px."""
        return PICTURE_PX + 34 + self.lines * QFontMetrics(self.font()).height()

    def show_rows(self, rows: Sequence[Row], *, lines: int = LINES) -> None:
        """Take other tiles; the cursor stays where it was as far as there is such a place."""
        self.lines = lines
        self.rows = list(rows)
        self.blockSignals(True)
        columns = max((len(row.cards) for row in rows), default=0)
        if (self.rowCount(), self.columnCount()) != (len(rows), columns):
            self.setRowCount(len(rows))
            self.setColumnCount(columns)
        self.verticalHeader().setVisible(any(row.heading for row in rows))
        self.verticalHeader().setDefaultSectionSize(self.tile_height)
        self.horizontalHeader().setDefaultSectionSize(WIDTH_PX)
        for r, row in enumerate(rows):
            self.setRowHeight(r, self.tile_height)
            head = QTableWidgetItem(row.heading)
            self.setVerticalHeaderItem(r, head)
            for c in range(columns):
                self._fill(r, c, row.cards[c] if c < len(row.cards) else None)
        self.blockSignals(False)
        self.viewport().update()

    def _fill(self, row: int, column: int, card: Card | None) -> None:
        item = self.item(row, column)
        if item is None:
            item = QTableWidgetItem()
            self.setItem(row, column, item)
        item.setData(_CARD, card)
        item.setToolTip(card.tip if card is not None else "")
        enabled = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        item.setFlags(enabled if card is not None else Qt.ItemFlag.NoItemFlags)

    def put_cursor(self, row: int, column: int) -> None:
        """Move the cursor without telling; a chosen tile under it keeps the others chosen."""
        if (self.currentRow(), self.currentColumn()) == (row, column):
            return
        self.blockSignals(True)
        self.setCurrentCell(row, column)
        self.blockSignals(False)
        item = self.item(row, column)
        if item is not None:
            self.scrollToItem(item)
        self.viewport().update()

    def chosen(self) -> list[tuple[int, int]]:
        """Places of all chosen tiles."""
        return sorted((index.row(), index.column()) for index in self.selectedIndexes())

    def picture(self, source: Source, shown: Crop | str) -> None:
        """A tile's picture came."""
        if isinstance(shown, str):
            self.pictures[source] = shown
        else:
            grey = np.ascontiguousarray(shown.grey)
            image = QImage(
                grey.tobytes(), grey.shape[1], grey.shape[0], grey.shape[1], QImage.Format.Format_Grayscale8
            )
            self.pictures[source] = (shown, QPixmap.fromImage(image))
        self.viewport().update()

    def missing(self) -> Iterable[Source]:
        """Pictures that are wanted and not there, from the cursor on."""
        cards = [card for row in self.rows for card in row.cards]
        return list(
            dict.fromkeys(c.source for c in cards if c.source is not None and c.source not in self.pictures)
        )

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802  Qt's name
        """Arrows move; every other key is handed on by its name."""
        if event.key() in _OWN or (event.key() == Qt.Key.Key_A and event.modifiers() == _CTRL):
            super().keyPressEvent(event)
            return
        name = key_name(event)
        if name:
            self.pressed_key.emit(name)


_CTRL = Qt.KeyboardModifier.ControlModifier
_OWN = (
    Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Home, Qt.Key.Key_End,
)  # fmt: skip
_NAMES = {
    Qt.Key.Key_Return: "Enter", Qt.Key.Key_Enter: "Enter", Qt.Key.Key_PageUp: "PageUp",
    Qt.Key.Key_PageDown: "PageDown", Qt.Key.Key_Escape: "Escape", Qt.Key.Key_Delete: "Delete",
    Qt.Key.Key_Backspace: "Backspace",
}  # fmt: skip


def key_name(event: QKeyEvent) -> str:
    """A key as `keys.KEYS` writes it; empty for a bare modifier."""
    key = Qt.Key(event.key())
    name = _NAMES.get(key, chr(event.key()) if 0x20 < event.key() < 0x7F else "")
    if not name:
        return ""
    modifiers = event.modifiers()
    words = [
        word
        for word, flag in (("Control", _CTRL), ("Shift", Qt.KeyboardModifier.ShiftModifier))
        if modifiers & flag
    ]
    return "-".join([*words, name])


def _thinned(xy: Any) -> Any:
    """Every point of a short chain, of a long one as many as a tile can show."""
    step = max(len(xy) // 150, 1)
    return xy[::step]
