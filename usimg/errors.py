"""Every error that a user can cause: what happened, to which file, what to do.

All of them derive from :class:`UsimgError`, so a script catches one name. The message is written
for the person at the screen; it may name a file, so it may reach the console and
``failures.csv``'s private twin, never a log or a report (see `docs/architecture.md`, "Patient data").
"""

from __future__ import annotations


class UsimgError(Exception):
    """Something the user can mend: the message says what happened and what to do."""


class FileRefused(UsimgError):
    """The file is not an ultrasound picture that usimg can open, or lies about itself."""


class PixelsRefused(UsimgError):
    """The header was read, the pixels cannot be: a missing or failing decoder, a cut stream."""


class CalibrationRefused(UsimgError):
    """A length was asked for where the scale is unknown, contradictory or not to be believed."""


class OutlineRefused(UsimgError):
    """An outline cannot be used: too few points, not finite, outside the picture, a bad prompt."""


class AnatomyUnknown(UsimgError):
    """A structure, site or view that the anatomy list does not hold; the message names the nearest."""


class StudyRefused(UsimgError):
    """A study folder, manifest or table that cannot be used as it stands."""


class DependencyMissing(UsimgError):
    """An optional or system library is not there; the message is the line that installs it."""
