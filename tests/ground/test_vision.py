"""OpenCV is imported without side effects on the process around it."""

from __future__ import annotations

import os
import subprocess
import sys

PROBE = """
import os, threading
import usimg.vision
print(os.environ.get("QT_QPA_PLATFORM_PLUGIN_PATH"), os.environ.get("QT_QPA_FONTDIR"))
print(usimg.vision.cv2.getNumThreads(), threading.active_count())
"""


def test_importing_opencv_leaves_qts_variables_and_starts_no_threads():
    environment = {k: v for k, v in os.environ.items() if not k.startswith("QT_")}
    environment["QT_QPA_FONTDIR"] = "as it was"
    run = subprocess.run(
        [sys.executable, "-c", PROBE], env=environment, capture_output=True, text=True, check=True
    )
    assert run.stdout.splitlines() == ["None as it was", "1 1"]
