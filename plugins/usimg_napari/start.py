"""``python -m usimg_napari.start``: asks for a folder in a dialog and opens it; no terminal is needed."""

from __future__ import annotations

import sys
from pathlib import Path

from qtpy.QtWidgets import QApplication, QFileDialog, QMessageBox

from usimg import UsimgError
from usimg_napari.app import open_study

TITLE = "usimg: choose a folder of scans, or a study"


def main(words: list[str]) -> int:
    """Open the folder that is named, or asked for; 0 when it was opened or nothing was chosen.

    Parameters
    ----------
    words : list of str
        The command line without the program: a folder, or nothing.
    """
    import napari  # noqa: PLC0415  half a second that the dialog need not wait for

    application = QApplication.instance() or QApplication(sys.argv[:1])
    folder = words[0] if words else QFileDialog.getExistingDirectory(None, TITLE, str(Path.home()))
    if not folder:
        return 0
    try:
        open_study(folder)
    except UsimgError as error:
        QMessageBox.warning(None, "usimg", str(error))
        return 1
    napari.run()
    del application
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
