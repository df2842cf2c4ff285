"""``torch.storage``: the classes of the memory under tensors."""

from __future__ import annotations

from flambeau.tensor.storage import TypedStorage, UntypedStorage

__all__ = ["TypedStorage", "UntypedStorage"]
