"""The one place that imports OpenCV.

opencv-python 5 points Qt's plugin path at its own copy of Qt when it is imported, which a viewer
started afterwards, or a child process, would follow; the variables are put back here. It also links
system libraries that a bare Debian lacks; a missing one becomes the line that installs it. Its thread
pool is set to one thread: a library call starts no threads of its own, and a pool of processes that each
start one a core is slower than one thread each.
"""

from __future__ import annotations

import os
from typing import Any

from usimg.errors import DependencyMissing

_QT_VARIABLES = ("QT_QPA_PLATFORM_PLUGIN_PATH", "QT_QPA_FONTDIR")


def _import_cv2() -> Any:
    before = {name: os.environ.get(name) for name in _QT_VARIABLES}
    try:
        import cv2  # noqa: PLC0415  imported here so that its side effects can be undone around it
    except ImportError as error:
        raise DependencyMissing(
            f"OpenCV cannot start ({error}); on Debian or Ubuntu:"
            " sudo apt-get install libgl1 libglib2.0-0 libxcb1"
        ) from None
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
    cv2.setNumThreads(1)
    return cv2


cv2 = _import_cv2()
