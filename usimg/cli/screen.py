"""What every command prints with: one console, safe text, and the exit codes."""

from __future__ import annotations

import json
import sys
from enum import IntEnum
from typing import Any

from rich.console import Console
from rich.text import Text


class Exit(IntEnum):
    """Exit codes of every command (docs/architecture.md, "Commands")."""

    GOOD = 0
    SOME_FAILED = 1
    USAGE = 2
    NOTHING_FOUND = 3
    STOPPED = 130  # as shells say that Ctrl-C ended it


def out() -> Console:
    """Console for results."""
    return Console(soft_wrap=True, highlight=False)


def err() -> Console:
    """Console for progress and complaints, so that results can be piped."""
    return Console(stderr=True, soft_wrap=True, highlight=False)


def safe(text: object) -> str:
    """Text from a file without control characters, which could drive a terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in str(text))


def say(text: str, style: str = "") -> None:
    """One line of result; nothing in it is taken for markup."""
    out().print(Text(safe(text), style=style))


def complain(text: str, style: str = "red") -> None:
    """One line on stderr."""
    err().print(Text(safe(text), style=style))


def print_json(value: Any) -> None:
    """The result for a script, as one JSON document."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False, default=str) + "\n")
