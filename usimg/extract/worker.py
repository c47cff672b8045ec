"""What runs in a worker process: one scan at a time, one thread, and no longer than its parent."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
import traceback
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from usimg.extract.scan import ScanRows
    from usimg.study.manifest import Label
    from usimg.study.protocol import Recipe

# BLAS, OpenMP and OpenCV would each start a thread a core in every worker.
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
}


_PACKAGE = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Task:
    """One file and what is asked of it."""

    number: int
    path: str
    labels: tuple[Label, ...]
    segmenter: str
    recipe: Recipe
    keep: Path | None = None


def start() -> None:
    """Set a worker up; the coordinator alone answers Ctrl-C, and a worker ends when it has gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()
    # What libraries warn of in a file is noise between progress lines; what matters is in its row.
    warnings.simplefilter("ignore")


def _end_with(sentinel: Any) -> None:
    multiprocessing.connection.wait([sentinel])
    os._exit(1)  # the queues' other ends are gone: an ordinary exit would wait for them for ever


def run(task: Task) -> ScanRows:
    """Do one scan; whatever goes wrong in it becomes rows, never an exception."""
    from usimg.extract.scan import crashed, extract_scan  # noqa: PLC0415  as in `start`

    try:
        return extract_scan(
            task.path, task.labels, segmenter=task.segmenter, recipe=task.recipe, keep=task.keep
        )
    except Exception as error:  # noqa: BLE001  a fault in usimg must not stop an archive of ten thousand
        frames = traceback.extract_tb(error.__traceback__)
        ours = [frame for frame in frames if Path(frame.filename).is_relative_to(_PACKAGE)]
        where = f"{Path(ours[-1].filename).name} line {ours[-1].lineno}"
        reason = f"a fault in usimg ({type(error).__name__} in {where}); please report it"
        return crashed(task.path, task.labels, reason, segmenter=task.segmenter, recipe=task.recipe)


def run_alone(task: Task, answer: multiprocessing.connection.Connection) -> None:
    """Do one scan in a process of its own and send what it came to."""
    start()
    answer.send(run(task))
    answer.close()
