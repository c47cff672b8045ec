"""The widget of one visit's tiles: whose it is, what is next, the tiles, what was said, the keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import (
    QComboBox,
    QCompleter,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from usimg import anatomy
from usimg_napari import keys
from usimg_napari.board import Board

# The keys that are always in sight; H shows all of them.
IN_SIGHT = {
    keys.LABELS: (
        "lay",
        "confirm",
        "skip",
        "insert",
        "retake",
        "swap_side",
        "what",
        "undo",
        "labels",
        "help",
    ),
    keys.GRID: (
        "accept_row",
        "open",
        "reject",
        "grade_1",
        "fasciculations",
        "undo",
        "labels",
        "sign",
        "help",
    ),
}
_SHORT = {
    "lay": "lay the order", "confirm": "take over", "skip": "skip", "insert": "insert", "retake": "retake",
    "swap_side": "swap side", "what": "view or structure", "undo": "undo", "labels": "labels or values",
    "help": "all keys", "accept_row": "accept", "open": "open, mend", "reject": "reject",
    "grade_1": "grade", "fasciculations": "fasciculations", "sign": "sign",
}  # fmt: skip


class VisitPanel(QWidget):
    """Tiles of one visit.

    Parameters
    ----------
    do : callable
        Gets a verb of `keys.KEYS`.
    """

    def __init__(self, do: Callable[[str], None]) -> None:
        super().__init__()
        self._do = do
        self.bench: object = None  # who fills it; kept alive with it
        self.where = keys.GRID
        self.title, self.next, self.message = _line(), _line(), _line()
        font = self.title.font()
        font.setBold(True)
        self.title.setFont(font)
        self.protocol = QComboBox()
        self.protocol.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.protocol.setToolTip("Whose order P lays over the visit")
        self.what = QLineEdit()
        self.what.hide()
        self._typed: Callable[[str], None] = lambda text: None
        self.what.returnPressed.connect(self._on_typed)
        names = [view.label for view in anatomy.views()] + [one.label for one in anatomy.structures()]
        completer = QCompleter(sorted(names), self)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        self._names = completer
        self.board = Board()
        self.board.pressed_key.connect(self.press)
        self.board.doubleClicked.connect(lambda _: self._do("open" if self.where == keys.GRID else "what"))
        self.strip = QLabel()
        self.strip.setTextFormat(Qt.TextFormat.RichText)
        self.strip.setWordWrap(True)
        self.help = QScrollArea()
        self.help.setWidgetResizable(True)
        self.help.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.help.hide()
        self.label_button = QPushButton()
        self.label_button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.label_button.clicked.connect(lambda: self._do("labels"))
        top = QHBoxLayout()
        top.addWidget(self.title, 1)
        top.addWidget(self.protocol)
        top.addWidget(self.label_button)
        column = QVBoxLayout(self)
        column.addLayout(top)
        for widget in (self.next, self.what, self.board, self.help, self.message, self.strip):
            column.addWidget(widget)
        column.setStretchFactor(self.board, 1)
        self.turn(keys.GRID)

    def turn(self, where: str) -> None:
        """Show the keys of the grid or of its labelling."""
        self.where = where
        shown = {entry.verb: keys.shown(entry.key) for entry in keys.on(where)}
        shown["grade_1"] = "1-4"
        strip = (f"<b>{shown[verb]}</b>&nbsp;{_SHORT[verb]}" for verb in IN_SIGHT[where])
        self.strip.setText(" &nbsp; ".join(strip))
        rows = (
            f"<tr><td><b>{key}</b>&nbsp;</td><td>{said}</td></tr>" for key, said in keys.help_lines(where)
        )
        all_keys = QLabel(f"<table>{''.join(rows)}</table>")
        all_keys.setWordWrap(True)
        self.help.setWidget(all_keys)
        self.label_button.setText("Values" if where == keys.LABELS else "Labels")
        self.protocol.setVisible(where == keys.LABELS)

    def press(self, key: str) -> None:
        """Do what a key does on this screen; one without a verb does nothing, and says so."""
        verb = next((entry.verb for entry in keys.on(self.where) if entry.key == key), "")
        if verb:
            self._do(verb)
        else:
            self.say(keys.SILENCE)

    def say(self, sentence: str) -> None:
        """Show a sentence under the tiles."""
        self.message.setText(sentence)

    def toggle_help(self) -> None:
        """Show all keys of this screen, or put them away."""
        self.help.setVisible(self.help.isHidden())

    def ask(self, prompt: str, typed: Callable[[str], None], *, names: bool) -> None:
        """Let the person type a word; Enter hands it on, an empty one does nothing."""
        self._typed = typed
        self.what.setPlaceholderText(prompt)
        self._names.setCompletionMode(
            QCompleter.CompletionMode.PopupCompletion if names else QCompleter.CompletionMode.InlineCompletion
        )
        self.what.setCompleter(self._names)
        self.what.clear()
        self.what.show()
        self.what.setFocus()

    def offer(self, choices: Sequence[str], chosen: Callable[[str], None], other: Callable[[], None]) -> None:
        """A menu beside the tile under the cursor; digits choose."""
        menu = QMenu(self)
        for number, choice in enumerate(choices, start=1):
            menu.addAction(f"&{number}  {choice}").triggered.connect(
                lambda _=False, said=choice: chosen(said)
            )
        menu.addAction("&Another reason …").triggered.connect(lambda _=False: other())
        item = self.board.currentItem()
        at = self.board.visualItemRect(item).center() if item is not None else QPoint(20, 20)
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(self.board.viewport().mapToGlobal(at))

    def _on_typed(self) -> None:
        text = self.what.text().strip()
        self.what.hide()
        self.board.setFocus()
        if text:
            self._typed(text)


def _line() -> QLabel:
    label = QLabel()
    label.setWordWrap(True)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
    return label
