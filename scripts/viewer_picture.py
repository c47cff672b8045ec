"""Make the README's picture of the viewer from the demo's study; needs a screen: `make pictures`."""

from __future__ import annotations

import sys
from pathlib import Path

from qtpy.QtWidgets import QApplication

from usimg_napari.app import open_study

if __name__ == "__main__":
    study, out = map(Path, sys.argv[1:])
    viewer = open_study(study, author="A. Reader")
    window = viewer.window._qt_window  # noqa: SLF001  a picture of docks and all has no public way at this size
    window.resize(1280, 800)
    for _ in range(50):
        QApplication.processEvents()
    viewer.screenshot(str(out), canvas_only=False, flash=False)
    viewer.close()
