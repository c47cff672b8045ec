"""Work beside the window: one thread a kind of work, its result handed back where widgets may be touched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari.qt.threading import create_worker

from usimg import UsimgError


class Worker:
    """Runs functions in napari's thread pool, one of a name at a time.

    Parameters
    ----------
    say : callable
        Shows a sentence: what went wrong.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self._running: dict[str, Any] = {}
        self.stopped = False

    def busy(self, name: str) -> bool:
        """Whether work of this name is on its way."""
        return name in self._running

    def run(self, function: Callable[[], Any], done: Callable[[Any], None], *, name: str) -> None:
        """Call ``function`` in a thread, and ``done`` with what it returns in the window's own."""
        if self.stopped or self.busy(name):
            return
        worker = create_worker(lambda: _caught(function), _start_thread=False)
        self._running[name] = worker

        def returned(result: tuple[Any, str]) -> None:
            self._running.pop(name, None)
            if self.stopped:
                return
            value, problem = result
            if problem:
                self.say(problem)
            else:
                done(value)

        worker.returned.connect(returned)
        worker.start()

    def stop(self) -> None:
        """What is still on its way ends by itself and is not heard any more."""
        self.stopped = True


def _caught(function: Callable[[], Any]) -> tuple[Any, str]:
    try:
        return function(), ""
    except UsimgError as error:
        return None, str(error)
