"""Every key has one verb and a sentence, and none deletes."""

from __future__ import annotations

from usimg_napari import keys


def test_each_key_has_one_meaning_and_each_verb_one_key():
    names = [entry.key for entry in keys.KEYS] + list(keys.SILENCED)
    assert len(set(names)) == len(names)
    assert len({entry.verb for entry in keys.KEYS}) == len(keys.KEYS)


def test_the_help_is_the_table():
    assert [sentence for _, sentence in keys.help_lines()] == [entry.sentence for entry in keys.KEYS]
