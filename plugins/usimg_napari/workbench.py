"""The window of a review: work list, tiles or the picture, numbers; what is on when, and who calls whom."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from napari.utils.theme import get_theme
from qtpy.QtCore import QObject, Qt, QTimer
from qtpy.QtWidgets import QDockWidget, QInputDialog, QWidget

from usimg import UsimgError
from usimg.errors import StudyRefused
from usimg.study.protocol_file import load
from usimg.study.signing import Signature, all_signatures, sign
from usimg_napari import keys
from usimg_napari.background import Worker
from usimg_napari.backlog import Backlog
from usimg_napari.cards import thumbnail
from usimg_napari.desk import StudyDesk
from usimg_napari.grid import Grid
from usimg_napari.labelling import Sheet
from usimg_napari.pages import OPEN, Page
from usimg_napari.panel import REASONS, ReviewPanel
from usimg_napari.review import Review
from usimg_napari.sheet_cards import label_rows
from usimg_napari.tiles import Found, Tile, folder_of, tiles_of
from usimg_napari.visit_panel import VisitPanel
from usimg_napari.worklist import LEFT, Worklist
from usimg_napari.worklist_panel import WorklistPanel

if TYPE_CHECKING:
    from napari.viewer import Viewer

NOT_DONE = ("the patient could not", "not visible", "wound or dressing", "no time")
PROTOCOLS = ("generic", "als-nmus")
TILES_A_ROW = 5


class Workbench(QObject):
    """Puts the widgets of a review into a viewer and lets the keys reach what decides.

    Parameters
    ----------
    viewer : napari Viewer
    desk : StudyDesk
    author : str
    found : Found, optional
        Tiles of a folder; without them they are looked for when labelling is asked for.
    """

    def __init__(self, viewer: Viewer, desk: StudyDesk, author: str = "", found: Found | None = None) -> None:
        super().__init__()
        self.viewer = viewer
        self.desk = desk
        self._author = author
        self.found = found
        self.review: Review | None = None
        self.grid: Grid | None = None
        self.sheet: Sheet | None = None
        self.panel: ReviewPanel | None = None
        self.listed: WorklistPanel | None = None
        self.where = keys.GRID
        self._seen_steps = (0, 0)
        self._signatures: dict[tuple[str, str], list[Signature]] = {}
        self.visit = VisitPanel(self.do)
        self.visit.board.moved.connect(self._on_moved)
        self.visit.protocol.addItems(self._protocols())
        self.visit.protocol.setCurrentText(str(desk.study.settings.get("protocol", "generic")))
        self.visit.protocol.currentTextChanged.connect(lambda _: self._use_protocol())
        self._dress()
        viewer.events.theme.connect(self._dress)
        self.backlog = Backlog(desk.study)
        self.worker = Worker(self.say)
        self._dock(self.visit, "usimg visit", "top")
        self.setParent(self.visit)
        self.visit.bench = self
        self.visit.destroyed.connect(desk.close)
        self.visit.destroyed.connect(self.worker.stop)
        if len(desk.pages()):
            self._open_review()
        if found is not None:
            self._open_sheet(found)
        self.turn(keys.LABELS if self._something_to_label() else keys.GRID)
        self._outline_what_waits()
        for problem in (*desk.problems, *(found.skipped if found is not None else [])):
            self.say(problem)

    def _something_to_label(self) -> bool:
        return self.sheet is not None and self.sheet.anything_to_label

    # Who

    @property
    def author(self) -> str:
        """Who decides now."""
        return self._author

    def set_author(self, name: str) -> None:
        """Somebody sits down."""
        self._author = name.strip()
        if self.review is not None:
            self.review.author = self._author
            self.review.select(self.review.selected)
        if self.panel is not None:
            self.panel.refresh()
        if self.listed is not None:
            self.listed.refresh()
        self.show_visit()

    def ask_author(self) -> None:
        """Ask who reads: clinic accounts are shared, and every decision carries a name."""
        dialog = QInputDialog(self.visit)
        dialog.setWindowTitle("Who is reading?")
        dialog.setLabelText("Your name. Every decision carries it; accounts in a clinic are shared.")
        dialog.setComboBoxItems(["", *self.known_authors()])
        dialog.setComboBoxEditable(True)
        dialog.textValueSelected.connect(self.set_author)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def known_authors(self) -> list[str]:
        """Everybody who decided something in this study."""
        rows = self.desk.fold.rows["author"].dropna()
        names = {one.author for one in self.desk.fold.others} | {str(name) for name in rows if name}
        return sorted(name for name in names if ", " not in name)

    # What is on the screen

    def turn(self, where: str) -> None:
        """Show the picture, the grid, or its labelling."""
        if where != keys.LABELS and self.review is None:
            where = keys.LABELS
        self.where = where
        picture = where == keys.PICTURE
        window = self._window()
        self._docks()["usimg visit"].setVisible(not picture)
        window.centralWidget().setVisible(picture)
        for name in ("usimg review", "usimg work list"):
            dock = self._docks().get(name)
            if dock is not None:
                dock.setVisible(where != keys.LABELS and (picture or name == "usimg work list"))
        QTimer.singleShot(0, self._share)
        if not picture:
            self.visit.turn(where)
            self.show_visit()
            self.visit.board.setFocus()
        elif self.panel is not None:
            self.panel.canvas.mode("direct")
            self.viewer.window.activate()
            QTimer.singleShot(0, self._focus_picture)

    def _share(self) -> None:
        """Give the lists what they need, and all the rest to the middle."""
        if self.worker.stopped:
            return
        docks = self._docks()
        shown = [
            (docks[name], width)
            for name, width in (("usimg work list", 270), ("usimg review", 350))
            if name in docks and docks[name].isVisible()
        ]
        if shown:
            self._window().resizeDocks(
                [dock for dock, _ in shown], [width for _, width in shown], Qt.Orientation.Horizontal
            )

    def _focus_picture(self) -> None:
        if self.where == keys.PICTURE and self.panel is not None and not self.worker.stopped:
            self.panel.canvas.zoom_to_tissue()
            self._window().centralWidget().setFocus()

    def show_visit(self) -> None:
        """Draw the tiles anew."""
        if self.worker.stopped or self.where == keys.PICTURE:
            return
        if self.where == keys.LABELS:
            self._show_labels()
        else:
            self._show_grid()
        self._fetch_pictures()

    def _show_grid(self) -> None:
        grid = self._grid
        page = self._review.page
        self.visit.title.setText(self._headline(*grid.visit, self._path_of(page)))
        waiting = f"   {len(self.backlog.waiting)} being outlined" if self.backlog.waiting else ""
        self.visit.next.setText(grid.left() + waiting)
        self.visit.board.show_rows(grid.cards())
        self.visit.board.put_cursor(*grid.place)

    def _show_labels(self) -> None:
        sheet = self.sheet
        if sheet is None:
            self.visit.title.setText("Looking at the headers …")
            self.visit.board.show_rows([])
            return
        path = sheet.tiles[0].path if sheet.tiles else ""
        self.visit.title.setText(
            self._headline(*(sheet.visits[sheet.at] if sheet.visits else ("", "")), path)
        )
        waiting = f"   {len(self.backlog.waiting)} being outlined" if self.backlog.waiting else ""
        self.visit.next.setText(sheet.left + self._hint(sheet) + waiting)
        rows = label_rows(sheet, TILES_A_ROW, outlined=self._outlined())
        self.visit.board.show_rows(rows, lines=2)
        self.visit.board.put_cursor(*divmod(sheet.cursor, TILES_A_ROW))

    def _hint(self, sheet: Sheet) -> str:
        if not sheet.tiles or not sheet.to_label(sheet.at):
            return ". Ctrl-L shows their values." if self.review is not None else ""
        if any(tile.proposal is not None for tile in sheet.tiles):
            return ". Dashed tiles are proposals: Enter takes them over."
        return ". P lays the protocol's order over them; V names the chosen ones."

    def _headline(self, subject: str, visit: str, path: str) -> str:
        """Study id and visit; name and number live from the header, never written."""
        words = " · ".join(word for word in (subject, visit) if word) or "no patient"
        who = self.desk.patient_of(path) if path else ""
        signed = self._signed_by((subject, visit))
        return words + (f"   ({who})" if who else "") + (f"   ✍ signed by {signed}" if signed else "")

    def say(self, sentence: str) -> None:
        """Show a sentence where the person looks."""
        self.visit.say(sentence)
        if self.panel is not None:
            self.panel.say(sentence)

    # Doing

    def do(self, verb: str) -> None:
        """Do what a key or button means on the screen that is on; what a user can mend becomes a sentence."""
        verbs = self._label_verbs() if self.where == keys.LABELS else self._grid_verbs()
        try:
            said = verbs[verb]()
        except UsimgError as error:
            said = str(error)
        self.say(said if isinstance(said, str) else "")
        if verb not in ("help", "find", "what", "site", "reject", "not_done") and self.where != keys.PICTURE:
            self.show_visit()

    def _grid_verbs(self) -> dict[str, Callable[[], object]]:
        grid, review = self._grid, self._review
        verbs: dict[str, Callable[[], object]] = {
            "accept_row": grid.accept,
            "reject": partial(self._offer, REASONS, grid.reject, "Reject: what is wrong?"),
            "not_done": partial(self._offer, NOT_DONE, grid.not_done, "Not done: why?"),
            "fasciculations": review.fasciculate,
            "undo": review.undo,
            "redo": review.redo,
            "next_flagged": self._next_flagged,
            "back": review.back,
            "select_next": review.select_next,
            "open": lambda: self.turn(keys.PICTURE),
            "next_visit": lambda: grid.go_visit(1),
            "previous_visit": lambda: grid.go_visit(-1),
            "labels": self._to_labels,
            "sign": self._sign,
            "find": self._find,
            "help": self.visit.toggle_help,
        }
        for number in (1, 2, 3, 4):
            verbs[f"grade_{number}"] = partial(review.grade, number)
        return verbs

    def _label_verbs(self) -> dict[str, Callable[[], object]]:
        sheet = self._sheet
        sheet.choose(sheet.cursor, self._chosen_tiles())
        verbs: dict[str, Callable[[], object]] = {
            "confirm": sheet.confirm,
            "lay": sheet.lay,
            "skip": sheet.skip,
            "insert": sheet.insert,
            "retake": sheet.retake,
            "swap_side": sheet.swap_side,
            "what": partial(
                self._ask, "View or structure, e.g. upper arm, soleus", sheet.set_what, names=True
            ),
            "site": partial(self._ask, "Site, e.g. mid arm", sheet.set_site, names=False),
            "left": partial(sheet.set_side, "left"),
            "right": partial(sheet.set_side, "right"),
            "midline": partial(sheet.set_side, "midline"),
            "state": sheet.next_state,
            "undo": sheet.undo,
            "redo": sheet.redo,
            "next_visit": lambda: sheet.go(sheet.at + 1),
            "previous_visit": lambda: sheet.go(sheet.at - 1),
            "labels": self._to_grid,
            "find": self._find,
            "help": self.visit.toggle_help,
        }
        for number in (1, 2, 3, 4):
            verbs[f"repeat_{number}"] = partial(sheet.set_repeat, number)
        return verbs

    def _picture_verbs(self) -> dict[str, Callable[[], object]]:
        """What the picture's keys need beside the frame."""
        return {
            "next": lambda: self._review.go(self._worklist.step(1)),
            "previous": lambda: self._review.go(self._worklist.step(-1)),
            "next_flagged": self._next_flagged,
            "grid": lambda: self.turn(keys.GRID),
            "sign": self._sign,
            "find": self._find,
        }

    def _next_flagged(self) -> None:
        self._review.go(self._worklist.next_flagged())

    def _find(self) -> None:
        if self.listed is not None:
            self.listed.look_for()

    def _offer(self, reasons: Sequence[str], decide: Callable[[str], str], prompt: str) -> None:
        def chosen(reason: str) -> None:
            self._answer(decide, reason)

        def other() -> None:
            self.visit.ask(prompt, chosen, names=False)

        self.visit.offer(reasons, chosen, other)

    def _ask(self, prompt: str, typed: Callable[[str], object], *, names: bool) -> None:
        self.visit.ask(prompt, partial(self._answer, typed), names=names)

    def _answer(self, decide: Callable[[str], object], text: str) -> None:
        try:
            said = decide(text)
        except UsimgError as error:
            said = str(error)
        self.show_visit()
        self.say(said if isinstance(said, str) else "")

    # Labels and values

    def _to_labels(self) -> str:
        if self.sheet is None:
            folder = folder_of(self.desk.study)
            if folder is None:
                raise StudyRefused("the scans are not where they were: open the folder they are in now")
            others = list(self.desk.fold.others)
            self.worker.run(
                partial(tiles_of, folder, self.desk.study, others), self._on_found, name="headers"
            )
            self.turn(keys.LABELS)
            return "looking at the headers of the folder …"
        self._sheet_where_grid_is()
        self.turn(keys.LABELS)
        return ""

    def _sheet_where_grid_is(self) -> None:
        # By scan: a visit is called by its date in the headers, and by its number in a study.
        if self.review is not None:
            self._sheet.go_to(self.review.page.scan)

    def _on_found(self, found: Found) -> None:
        self._open_sheet(found)
        self._sheet_where_grid_is()
        self.turn(keys.LABELS)

    def _to_grid(self) -> str:
        sheet = self._sheet
        if self.review is None:
            raise StudyRefused("no outlines yet: they are drawn as soon as a picture has its label")
        scans = {tile.scan for tile in sheet.tiles}
        pages = [i for i, page in enumerate(self._review.pages) if page.scan in scans]
        if pages:
            self._review.go(next((i for i in pages if self._review.status_of(i) in LEFT), pages[0]))
        self.turn(keys.GRID)
        return ""

    def _open_sheet(self, found: Found) -> None:
        self.found = found
        self.sheet = Sheet(found.tiles, self._protocol(), self.desk, lambda: self.author)
        self.sheet.on_labelled(self._on_labelled)

    def _open_review(self) -> None:
        self.review = Review(self.desk, self.author)
        self.grid = Grid(
            self.review,
            labels_of=self.desk.labels_of,
            protocol=self.desk.study.protocol,
            path_of=self._path_of,
            not_done=self.desk.not_done,
            said_not_done=self.desk.said_not_done,
        )
        worklist = Worklist(self.review)
        self.listed = WorklistPanel(worklist, self.ask_author)
        self.panel = ReviewPanel(self.viewer, self.review, self._picture_verbs())
        self.panel.canvas.listen(self._show_patient)
        self._dock(self.listed, "usimg work list", "left")
        self._dock(self.panel, "usimg review", "right")
        self._refresh_signatures()
        self.review.listen(self._on_review)

    def _on_review(self) -> None:
        if self.worker.stopped:
            return
        notice = self._review.notice()
        visit = self._grid.visit
        if visit in self._signatures and self._review.steps != self._seen_steps:
            held = visit in self._worklist.signed
            self._refresh_signatures()
            if held and visit not in self._worklist.signed:
                notice = "This visit was signed; your change voids the signature: sign again (Ctrl-S)"
        self._seen_steps = self._review.steps
        if notice:
            QTimer.singleShot(0, partial(self._say_later, notice))
        if self.where == keys.GRID:
            self.show_visit()

    def _say_later(self, sentence: str) -> None:
        if not self.worker.stopped:
            self.say(sentence)

    # Signing

    def _sign(self) -> str:
        review, visit = self._review, self._grid.visit
        pages = self._grid.pages_of(visit)
        open_ = sum(any(one.status in OPEN for one in review.briefs_on(i)) for i in pages)
        if open_:
            raise StudyRefused(f"{open_} of {len(pages)} tiles of this visit wait for a decision; then sign")
        study = self.desk.study
        review.note(
            f"sign {' '.join(visit)}", lambda author: self.desk.keep(sign(study, *visit, author=author))
        )
        self._refresh_signatures()
        return f"Signed by {self.author}. A later change voids the signature, and says so."

    def _refresh_signatures(self) -> None:
        study = self.desk.study
        self._signatures = all_signatures(study, study.fold(geometry=False))
        self._worklist.signed = {visit for visit, some in self._signatures.items() if some[0].holds}
        if self.listed is not None:
            self.listed.refresh()

    def _signed_by(self, visit: tuple[str, str]) -> str:
        if self.review is None or visit not in self._worklist.signed:
            return ""
        return ", ".join(one.author for one in self._signatures[visit] if one.holds)

    # In the background

    def _on_labelled(self, tiles: Sequence[Tile]) -> None:
        self.backlog.add(tile.scan for tile in tiles)
        self._outline_next()

    def _outline_what_waits(self) -> None:
        """Pictures that were labelled when the program ended, and never outlined."""
        if self.found is not None:
            self.backlog.add_unfinished(self.found, self._outlined())
            self._outline_next()

    def _outline_next(self) -> None:
        if self.found is None or not self.backlog.waiting or self.worker.busy("outlines"):
            return
        said = self.desk.rulings.of("label") + self.desk.rulings.of("calibrate")
        work = self.backlog.batch(self.found, said)
        self.worker.run(work, self._on_outlined, name="outlines")

    def _on_outlined(self, said: str) -> None:
        self.desk.refresh()
        if self.review is None:
            if len(self.desk.pages()):
                self._open_review()
                self.turn(self.where)
        else:
            self.review.reload()
        if said:
            self.say(said)
        self.show_visit()
        self._outline_next()

    def _fetch_pictures(self) -> None:
        wanted = list(self.visit.board.missing())
        if wanted and not self.worker.busy("pictures"):
            some, study = wanted[:16], self.desk.study
            self.worker.run(
                lambda: [(source, thumbnail(source, study)) for source in some],
                self._on_pictures,
                name="pictures",
            )

    def _on_pictures(self, made: list[Any]) -> None:
        for source, shown in made:
            self.visit.board.picture(source, shown)
        self._fetch_pictures()

    # Small things

    def _dress(self, event: Any = None) -> None:
        theme = get_theme(self.viewer.theme)
        shades = (theme.foreground, theme.highlight, theme.text)
        self.visit.board.dress(*(shade.as_hex() for shade in shades))

    def _on_moved(self, row: int, column: int) -> None:
        try:
            if self.where == keys.GRID:
                self._grid.go(row, column)
            elif self.sheet is not None:
                self.sheet.choose(min(row * TILES_A_ROW + column, len(self.sheet.tiles) - 1))
        except UsimgError as error:
            self.say(str(error))

    def _chosen_tiles(self) -> set[int]:
        places = {row * TILES_A_ROW + column for row, column in self.visit.board.chosen()}
        return {place for place in places if place < len(self._sheet.tiles)}

    def _outlined(self) -> set[str]:
        if self.review is None:
            return set()
        return {page.scan for page in self.review.pages}

    def _path_of(self, page: Page) -> str:
        return self.desk.path_of(page.scan)

    def _show_patient(self) -> None:
        if self.panel is not None:
            self.panel.patient.setText(self.desk.patient(self._review.page))

    def _protocols(self) -> list[str]:
        named = str(self.desk.study.settings.get("protocol", "generic"))
        own = sorted(path.name for path in self.desk.study.root.glob("*.toml") if "protocol" in path.stem)
        return list(dict.fromkeys([named, *PROTOCOLS, *own]))

    def _protocol(self) -> Any:
        return load(self.visit.protocol.currentText(), beside=self.desk.study.root)

    def _use_protocol(self) -> None:
        try:
            protocol = self._protocol()
        except UsimgError as error:
            self.say(str(error))
            return
        if self.sheet is not None:
            self.sheet.protocol = protocol
        if self.grid is not None:
            self.grid.protocol = protocol
        self.show_visit()

    @property
    def _review(self) -> Review:
        if self.review is None:
            raise StudyRefused("no outlines yet")
        return self.review

    @property
    def _grid(self) -> Grid:
        if self.grid is None:
            raise StudyRefused("no outlines yet")
        return self.grid

    @property
    def _sheet(self) -> Sheet:
        if self.sheet is None:
            raise StudyRefused("the folder's headers are still being read")
        return self.sheet

    @property
    def _worklist(self) -> Worklist:
        if self.listed is None:
            raise StudyRefused("no outlines yet")
        return self.listed.worklist

    def _dock(self, widget: Any, name: str, area: str) -> None:
        self.viewer.window.add_dock_widget(widget, name=name, area=area)
        corners = Qt.Corner.TopLeftCorner, Qt.Corner.TopRightCorner
        sides = Qt.DockWidgetArea.LeftDockWidgetArea, Qt.DockWidgetArea.RightDockWidgetArea
        for corner, side in zip(corners, sides, strict=True):
            self._window().setCorner(corner, side)  # tiles and picture take turns between the lists

    def _docks(self) -> dict[str, QDockWidget]:
        found = self._window().findChildren(QDockWidget)
        return {dock.windowTitle() or dock.objectName(): dock for dock in found}

    def _window(self) -> Any:
        return self.visit.window()  # Qt's main window, by Qt's own way to it

    def end(self) -> None:
        """Nothing more comes in from the background."""
        self.worker.stop()


def put_away(widget: QWidget) -> None:
    """Put napari's own docks away; they are one menu away (Window), and the pictures need the place."""
    for dock in widget.window().findChildren(QDockWidget):
        if not (dock.windowTitle() or dock.objectName()).startswith("usimg"):
            dock.hide()
