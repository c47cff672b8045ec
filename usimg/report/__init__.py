"""One-file HTML pages and pictures of results; nothing here changes a number."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from usimg.study import Study

# Pictures in a report before it shows the worst and a sample: 15 MB, and as many as a person looks through.
LIMIT = 200


def extract_report(study: Study, path: str | os.PathLike[str], *, limit: int = LIMIT) -> Path:
    """Write the report of a study: one HTML file, all outlines over their pictures, worst first.

    Parameters
    ----------
    study : Study
    path : path
        Where the page goes; it is written whole or not at all.
    limit : int
        Pictures shown. A larger study shows this many of the lowest confidence, and a random sample
        of the others.

    Returns
    -------
    Path
        Where the page lies.

    Notes
    -----
    Scans are named by their short hash, subjects by their study id; pictures are cut to the scan
    area and black outside it; the page asks nothing of the network.
    """
    from usimg.report.extract_page import write_extract_page  # noqa: PLC0415  pages load jinja2
    from usimg.report.gather import Pictures, gather  # noqa: PLC0415  and pandas

    return write_extract_page(gather(study), Pictures(study), path, limit=limit)
