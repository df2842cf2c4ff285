"""Handles of hooks."""

from __future__ import annotations

import pickle
from collections import OrderedDict

from flambeau.utils.hooks import RemovableHandle


def test_removing_is_for_all_dictionaries_and_can_be_repeated():
    hooks, extra = OrderedDict(), OrderedDict()
    handle = RemovableHandle(hooks, extra_dict=extra)
    hooks[handle.id] = extra[handle.id] = print
    handle.remove()
    handle.remove()
    assert not hooks
    assert not extra


def test_the_end_of_a_block_removes():
    hooks = OrderedDict()
    with RemovableHandle(hooks) as handle:
        hooks[handle.id] = print
    assert not hooks


def test_a_handle_does_not_keep_its_owner_alive():
    hooks = OrderedDict()
    handle = RemovableHandle(hooks)
    del hooks
    assert handle.hooks_dict_ref() is None
    handle.remove()


def test_ids_stay_apart_after_unpickling():
    hooks = OrderedDict()
    handle = RemovableHandle(hooks)
    copy = pickle.loads(pickle.dumps(handle))
    assert copy.id == handle.id
    assert RemovableHandle(hooks).id > handle.id
