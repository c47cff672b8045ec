"""Thickness and echo intensity over a clip, drawn; the line follows the slider and a click moves it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from qtpy.QtCore import QPointF, QRectF, Qt, QTimer
from qtpy.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from qtpy.QtWidgets import QWidget

from usimg import UsimgError
from usimg_napari.cine import DEEPEST, EXPIRATION, INSPIRATION, Cine, Sample

HEIGHT_PX = 170
# Room for the axes' numbers and units; left for size, right for grey, below for frames.
LEFT, RIGHT, TOP, BELOW = 52, 40, 16, 30
# Colour-blind safe (Okabe and Ito); grey is drawn dashed as well.
SIZE_COLOUR, ECHO_COLOUR, MARK_COLOUR = QColor("#56b4e9"), QColor("#e69f00"), QColor("#009e73")
SIGNS = {EXPIRATION: "E", INSPIRATION: "I", DEEPEST: "M"}
# Time that carrying may take before the screen is shown again.
SLICE_MS = 1


class CinePlot(QWidget):
    """The plot of a clip, and the clock that carries an outline along it.

    Parameters
    ----------
    cine : Cine
    say : callable
        Shows a sentence to the person.
    """

    def __init__(self, cine: Cine, say: Callable[[str], None]) -> None:
        super().__init__()
        self.cine = cine
        self.say = say
        self._carrying: Iterator[int] | None = None
        self._clock = QTimer(self)
        self._clock.setInterval(SLICE_MS)
        self._clock.timeout.connect(self._one_more)
        self.setFixedHeight(HEIGHT_PX)
        cine.listen(self.refresh)
        self.refresh()

    def verbs(self) -> dict[str, Callable[[], object]]:
        """By the names of the key table."""
        return {"carry": self.carry}

    def carry(self) -> str:
        """Begin to carry the outline along, or stop."""
        if self._carrying is not None:
            self.stop()
            return "Stopped; what was carried along so far is kept"
        self._carrying = self.cine.carry()
        try:
            next(self._carrying)
        except UsimgError:
            self._carrying = None
            raise
        self._clock.start()
        return "Carrying the outline along; J stops"

    def stop(self) -> None:
        """No further frames."""
        self._clock.stop()
        self._carrying = None

    def _one_more(self) -> None:
        if self._carrying is None:
            return
        try:
            next(self._carrying)
        except StopIteration:
            self.stop()
            self.say(f"{len(self.cine.samples)} frames done. Q: end of expiration, W: end of inspiration")
        except UsimgError as error:
            self.stop()
            self.say(str(error))

    def refresh(self) -> None:
        """Draw again; hidden for a still."""
        if not self.cine.samples and self._carrying is not None:
            self.stop()  # another page
        self.setVisible(self.cine.count > 1)
        self.update()

    def frame_at(self, x: float) -> int:
        """The frame under a place across the widget."""
        share = (x - LEFT) / max(self.width() - LEFT - RIGHT, 1)
        return min(max(round(share * (self.cine.count - 1)), 0), self.cine.count - 1)

    def mousePressEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802  Qt's name
        """A click shows that frame."""
        if event is not None:
            self.cine.step(self.frame_at(event.position().x()) - self.cine.at)

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802  Qt's name
        """A drag scrubs."""
        self.mousePressEvent(event)

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802  Qt's name
        """Draw axes, curves, marks and the slider's place."""
        del event
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ink = self.palette().color(self.foregroundRole())
        area = QRectF(LEFT, TOP, self.width() - LEFT - RIGHT, self.height() - TOP - BELOW)
        painter.setPen(QPen(ink, 1))
        painter.drawRect(area)
        self._write_frames(painter, area)
        samples = [self.cine.samples[k] for k in sorted(self.cine.samples)]
        if samples:
            sizes = [(one.frame, one.size) for one in samples]
            echoes = [(one.frame, one.echo) for one in samples]
            self._curve(painter, area, sizes, SIZE_COLOUR, samples[0].unit, left=True)
            self._curve(painter, area, echoes, ECHO_COLOUR, "EI", left=False)
        else:
            painter.drawText(area, Qt.AlignmentFlag.AlignCenter, "J carries the outline along the clip")
        painter.setPen(QPen(MARK_COLOUR, 1, Qt.PenStyle.DotLine))
        for frame, state in self.cine.marks.items():
            x = self._x(area, frame)
            painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
            painter.drawText(QPointF(x - 4, area.top() - 3), SIGNS[state])
        painter.setPen(QPen(ink, 2))
        x = self._x(area, self.cine.at)
        painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
        painter.end()

    def _write_frames(self, painter: QPainter, area: QRectF) -> None:
        below = QRectF(area.left(), area.bottom() + 2, area.width(), BELOW)
        top = Qt.AlignmentFlag.AlignTop
        painter.drawText(below, top | Qt.AlignmentFlag.AlignLeft, "1")
        painter.drawText(below, top | Qt.AlignmentFlag.AlignRight, str(self.cine.count))
        painter.drawText(
            below, top | Qt.AlignmentFlag.AlignHCenter, f"frame {self.cine.at + 1}{self._here()}"
        )

    def _here(self) -> str:
        one: Sample | None = self.cine.samples.get(self.cine.at)
        if one is None or math.isnan(one.size):
            return ""
        echo = "" if math.isnan(one.echo) else f", EI {one.echo:.0f}"
        return f": {one.size:.1f} {one.unit}{echo}"

    def _curve(
        self,
        painter: QPainter,
        area: QRectF,
        points: Sequence[tuple[int, float]],
        colour: QColor,
        unit: str,
        *,
        left: bool,
    ) -> None:
        good = [(frame, value) for frame, value in points if not math.isnan(value)]
        if not good:
            return
        low, high = min(value for _, value in good), max(value for _, value in good)
        # A flat curve is drawn flat: at least a tenth of its value lies between the axis' ends.
        middle, half = 0.5 * (low + high), max(0.55 * (high - low), 0.05 * abs(high), 1e-6)
        low, high = middle - half, middle + half
        style = Qt.PenStyle.SolidLine if left else Qt.PenStyle.DashLine
        painter.setPen(QPen(colour, 1.6, style))
        line = QPolygonF(
            [
                QPointF(self._x(area, frame), area.bottom() - (value - low) / (high - low) * area.height())
                for frame, value in good
            ]
        )
        painter.drawPolyline(line)
        side = Qt.AlignmentFlag.AlignRight if left else Qt.AlignmentFlag.AlignLeft
        x, width = (0.0, LEFT - 4.0) if left else (area.right() + 4.0, RIGHT - 4.0)
        style_of = "{:.1f}" if high < 1000 else "{:.0f}"
        for y, text in (
            (area.top() - 6, style_of.format(high)),
            (area.center().y() - 8, unit),
            (area.bottom() - 10, style_of.format(low)),
        ):
            painter.drawText(QRectF(x, y, width, 16), side, text)

    def _x(self, area: QRectF, frame: int) -> float:
        return float(area.left() + area.width() * frame / max(self.cine.count - 1, 1))
