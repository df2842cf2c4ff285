"""Pretrained weights by name: where their files are, and what is known of them.

The facts stand in ``weights.csv``, a row for each file that torchvision publishes for a network
that is here. The files are torchvision's own, which the networks' parameters fit.

Source: https://docs.pytorch.org/vision/0.28/models.html
"""

from __future__ import annotations

import csv
import functools
import importlib
import inspect
import typing
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from ..transforms._presets import ImageClassification
from ..transforms.functional import InterpolationMode
from .registry import get_model_builder

__all__ = ["Weights", "WeightsEnum", "get_model_weights", "get_weight"]

_FOLDER = Path(__file__).parent
_SERVER = "https://download.pytorch.org/models/"


@dataclass
class Weights:
    """What is known of a file of weights.

    Args:
        url: where it is.
        transforms: makes what an image goes through before the network.
        meta: further facts, such as ``categories``, ``num_params``, ``min_size``, ``recipe``.

    Source: https://docs.pytorch.org/vision/0.28/models.html
    """

    url: str
    transforms: Callable[..., Any]
    meta: dict[str, Any]

    def __eq__(self, other: object) -> bool:
        # An enumeration finds its members by equality, when one of them is copied or unpickled;
        # two partial functions are never equal, though they do the same.
        if not isinstance(other, Weights):
            return NotImplemented
        mine, theirs = (_parts(weights.transforms) for weights in (self, other))
        return self.url == other.url and self.meta == other.meta and mine == theirs


def _parts(function: Any) -> Any:
    if isinstance(function, functools.partial):
        return function.func, function.args, function.keywords
    return function


class WeightsEnum(Enum):
    """The weights of one network; the values are :class:`Weights`.

    ``DEFAULT`` is another name of the best of them.

    Source: https://docs.pytorch.org/vision/0.28/models.html
    """

    @classmethod
    def verify(cls, obj: Any) -> Any:
        """The entry that a builder's argument means.

        Args:
            obj: an entry, its name with or without that of the class, or None.

        Returns:
            The entry, or None.

        Raises:
            KeyError: there is no entry of that name.
            TypeError: something else, such as the weights of another network.
        """
        if isinstance(obj, str):
            name = obj.removeprefix(f"{cls.__name__}.")
            if name not in cls.__members__:
                there = ", ".join(cls.__members__)
                raise KeyError(f"{name} is no entry of {cls.__name__}: there are {there}")
            return cls[name]
        if obj is not None and not isinstance(obj, cls):
            raise TypeError(
                f"Invalid Weight class provided; expected {cls.__name__} but received "
                f"{type(obj).__name__}."
            )
        return obj

    def get_state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Download the file, if it is not in the folder of downloads, and load it.

        Args:
            args, kwargs: as for ``torch.hub.load_state_dict_from_url`` after ``url``, such as
                ``progress`` and ``check_hash``.

        Returns:
            The state dict.

        Raises:
            RuntimeError: its SHA-256 is another than its name says.
            urllib.error.URLError: it cannot be had.
        """
        from flambeau.hub import load_state_dict_from_url

        return load_state_dict_from_url(self.url, *args, **kwargs)

    def __repr__(self) -> str:
        return f"{type(self).__name__}.{self.name}"

    def __reduce_ex__(self, proto: Any) -> Any:
        return getattr, (type(self), self.name)  # by name: not all that is known of it

    @property
    def url(self) -> str:
        """Where the file is."""
        return str(self.value.url)

    @property
    def transforms(self) -> Callable[..., Any]:
        """Makes what an image goes through before the network: ``weights.transforms()(image)``."""
        made: Callable[..., Any] = self.value.transforms
        return made

    @property
    def meta(self) -> dict[str, Any]:
        """Further facts: ``categories``, ``num_params``, ``min_size``, ``recipe`` and others."""
        facts: dict[str, Any] = self.value.meta
        return facts


def weights_enum(name: str, module: str) -> Any:
    """The enumeration of a network's weights, made of the rows of the table.

    Args:
        name: its name, such as ``ResNet18_Weights``.
        module: the ``__name__`` of the module that keeps it under that name.

    Returns:
        A subclass of :class:`WeightsEnum`.
    """
    rows = _table()[name]
    entries = {row["entry"]: _weights(row) for row in rows}
    default = next(row["entry"] for row in rows if row["default"])
    members = [*entries.items(), ("DEFAULT", entries[default])]
    make: Any = WeightsEnum
    made = make(name, members, module=module, qualname=name)
    made.__doc__ = f"""The weights that torchvision publishes: {", ".join(entries)}.

    Source: https://docs.pytorch.org/vision/0.28/models.html
    """
    return made


@functools.cache
def _table() -> dict[str, list[dict[str, str]]]:
    """The rows of ``weights.csv`` by the names of their enumerations."""
    table: dict[str, list[dict[str, str]]] = {}
    with open(_FOLDER / "weights.csv", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            table.setdefault(row["weights"], []).append(row)
    return table


@functools.cache
def _imagenet() -> list[str]:
    """The names of ImageNet's 1000 categories, in the order of the networks' outputs."""
    return (_FOLDER / "imagenet_categories.txt").read_text(encoding="utf-8").splitlines()


def _weights(row: dict[str, str]) -> Weights:
    options: dict[str, Any] = {"crop_size": int(row["crop_size"])}
    if row["resize_size"]:
        options["resize_size"] = int(row["resize_size"])
    if row["interpolation"]:
        options["interpolation"] = InterpolationMode[row["interpolation"]]
    for name in ("mean", "std"):
        if row[name]:
            options[name] = tuple(float(number) for number in row[name].split())
    side = int(row["min_size"])
    meta: dict[str, Any] = {
        "categories": _imagenet() if row["categories"] else None,
        "num_params": int(row["num_params"]),
        "min_size": (side, side),
        "recipe": row["recipe"],
        "_metrics": {"ImageNet-1K": {name: float(row[name]) for name in ("acc@1", "acc@5")}},
        "_ops": float(row["ops"]),
        "_file_size": float(row["file_size"]),
    }
    if row["license"]:
        meta["license"] = row["license"]
    transforms = functools.partial(ImageClassification, **options)
    return Weights(_SERVER + row["file"], transforms, meta)


def get_weight(name: str) -> WeightsEnum:
    """The entry of a full name.

    Args:
        name: such as ``"ResNet50_Weights.IMAGENET1K_V2"``.

    Returns:
        The entry.

    Raises:
        ValueError: the name has not two parts, or the first of them names no weights.
        KeyError: there is no such entry.

    Source: https://docs.pytorch.org/vision/0.28/generated/torchvision.models.get_weight.html
    """
    parts = name.split(".")
    if len(parts) != 2:
        raise ValueError(f"Invalid weight name provided: '{name}'.")
    models = importlib.import_module(__name__.rpartition(".")[0])
    enumeration = vars(models).get(parts[0])
    if not (isinstance(enumeration, type) and issubclass(enumeration, WeightsEnum)):
        raise ValueError(
            f"The weight enum '{parts[0]}' for the specific method couldn't be retrieved."
        )
    entry: WeightsEnum = enumeration.verify(parts[1])
    return entry


def get_model_weights(name: Callable[..., Any] | str) -> Any:
    """The weights that there are for a model.

    Args:
        name: the model's, or the function that builds it, whose argument ``weights`` is annotated.

    Returns:
        The subclass of :class:`WeightsEnum`.

    Raises:
        ValueError: there is no such model, or it has no weights.

    Source: https://docs.pytorch.org/vision/0.28/generated/torchvision.models.get_model_weights.html
    """
    builder = get_model_builder(name) if isinstance(name, str) else name
    parameter = inspect.signature(builder).parameters.get("weights")
    if parameter is None:
        raise ValueError("The method is missing the 'weights' argument.")
    annotation = parameter.annotation
    if isinstance(annotation, str):
        annotation = typing.get_type_hints(inspect.unwrap(builder)).get("weights")
    for kind in (annotation, *typing.get_args(annotation)):
        if isinstance(kind, type) and issubclass(kind, WeightsEnum):
            return kind
    raise ValueError(
        "The WeightsEnum class for the specific method couldn't be retrieved. Make sure the typing "
        "info is correct."
    )
