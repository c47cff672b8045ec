"""Every key has one verb and a sentence, and none deletes."""

from __future__ import annotations

from usimg_napari import keys


def test_each_key_has_one_meaning_and_each_verb_one_key():
    for where in (keys.PICTURE, keys.GRID, keys.LABELS):
        names = [entry.key for entry in keys.on(where)]
        names += list(keys.SILENCED) if where == keys.PICTURE else []
        assert len(set(names)) == len(names)
        assert len({entry.verb for entry in keys.on(where)}) == len(keys.on(where))


def test_the_help_is_the_table():
    told = {line for where in (keys.PICTURE, keys.GRID, keys.LABELS) for line in keys.help_lines(where)}
    assert told == {(keys.shown(entry.key), entry.sentence) for entry in keys.KEYS}
