"""Tasks through worker processes; a worker that dies costs one named scan, not the run."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING

from usimg.extract.worker import ONE_THREAD, Task, run, run_alone, start

if TYPE_CHECKING:
    from usimg.extract.scan import ScanRows

# Scans on their way per worker: enough that none waits, few enough that a crash repeats little.
AHEAD = 2
# On Windows a wait without end does not hear Ctrl-C.
LISTEN_SECONDS = 0.5
# A scan takes seconds; one that was in flight when a worker died gets this long by itself (chosen here).
ALONE_SECONDS = 120.0


def outcomes(
    tasks: Iterable[Task], workers: int, *, alone_seconds: float = ALONE_SECONDS
) -> Generator[tuple[Task, ScanRows]]:
    """Run all tasks, in any order of completion; memory does not grow with their number.

    Scans that were in flight when a worker died are run again one by one, each in a process of its
    own and within ``alone_seconds``: the one that kills its process again becomes a failure.
    """
    waiting = iter(tasks)
    with _one_thread_each():
        while True:
            in_flight: dict[Future[ScanRows], Task] = {}
            executor = ProcessPoolExecutor(
                workers, mp_context=multiprocessing.get_context("spawn"), initializer=start
            )
            try:
                yield from _through(executor, waiting, in_flight, AHEAD * workers)
            except BrokenProcessPool:
                executor.shutdown(wait=True, cancel_futures=True)
            else:
                executor.shutdown(wait=True)
                return
            finally:
                # Also when the caller stops (Ctrl-C): scans being done are let go, none is begun.
                executor.shutdown(wait=False, cancel_futures=True)
            for task in sorted(in_flight.values(), key=lambda task: task.number):
                yield task, alone(task, alone_seconds)


def _through(
    executor: ProcessPoolExecutor,
    waiting: Iterator[Task],
    in_flight: dict[Future[ScanRows], Task],
    most: int,
) -> Iterator[tuple[Task, ScanRows]]:
    while True:
        for task in islice(waiting, most - len(in_flight)):
            # Noted first: submitting to a pool that has just broken raises, and the task must not be lost.
            held: Future[ScanRows] = Future()
            in_flight[held] = task
            future = executor.submit(run, task)
            in_flight[future] = in_flight.pop(held)
        if not in_flight:
            return
        done, _ = wait(in_flight, timeout=LISTEN_SECONDS, return_when=FIRST_COMPLETED)
        for future in done:
            rows = future.result()
            yield in_flight.pop(future), rows


def alone(task: Task, seconds: float) -> ScanRows:
    """Run one task in a process of its own, which is killed when it takes too long."""
    from usimg.extract.scan import crashed  # noqa: PLC0415  the pipeline, wanted after a crash only

    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=run_alone, args=(task, theirs))
    process.start()
    theirs.close()
    try:
        if ours.poll(seconds):
            rows: ScanRows = ours.recv()
            return rows
        reason = f"took longer than {seconds:.0f} s and was stopped"
    except EOFError:
        process.join()
        reason = f"its process died ({_exit(process.exitcode)}); the file may be damaged or too large"
    finally:
        process.kill()
        process.join()
        ours.close()
    return crashed(task.path, task.labels, reason, segmenter=task.segmenter, recipe=task.recipe)


def _exit(code: int | None) -> str:
    if code == -9:
        return "signal 9: killed, perhaps for want of memory"
    return f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"


@contextmanager
def _one_thread_each() -> Iterator[None]:
    # A spawned process reads these when it loads numpy, before any code of ours runs there.
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(ONE_THREAD)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
