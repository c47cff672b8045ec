"""Names as people type them: any case, spaces or underscores, umlauts or their spelling."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from difflib import get_close_matches

_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})


def normalise(name: str) -> str:
    """The form in which names are compared: letters and digits only, lower case, no accents.

    Examples
    --------
    >>> normalise("Biceps Brachii") == normalise("biceps_brachii")
    True
    >>> normalise("Rückenmuskel T10")
    'rueckenmuskelt10'
    """
    spelled = unicodedata.normalize("NFC", name).casefold().translate(_UMLAUTS)
    return "".join(c for c in unicodedata.normalize("NFKD", spelled) if c.isalnum())


def nearest(wanted: str, known: Mapping[str, str], *, most: int = 3) -> list[str]:
    """Names whose normalised form resembles ``wanted``, most alike first, each once.

    Parameters
    ----------
    wanted : str
        Normalised.
    known : mapping of str to str
        Normalised form to the name to show.
    """
    close = get_close_matches(wanted, known, n=3 * most, cutoff=0.6)
    inside = [form for form in known if len(wanted) >= 3 and wanted in form]
    return list(dict.fromkeys(known[form] for form in [*close, *inside]))[:most]
