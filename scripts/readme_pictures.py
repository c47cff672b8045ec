"""Make the pictures of the README from the demo's study: `make pictures`."""

from __future__ import annotations

import sys
from pathlib import Path

from usimg.report import result_picture
from usimg.study import Study

if __name__ == "__main__":
    study, out = map(Path, sys.argv[1:])
    sys.stdout.write(f"{result_picture(Study.open(study), out)}\n")
