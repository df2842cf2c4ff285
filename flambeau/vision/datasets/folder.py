"""Samples in folders, one for each class.

Source: https://docs.pytorch.org/vision/0.28/datasets.html
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from ..transforms.pillow import pillow
from .vision import VisionDataset

IMG_EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")

Sample = tuple[str, int]


def has_file_allowed_extension(filename: str, extensions: str | tuple[str, ...]) -> bool:
    """Whether ``filename`` ends in one of ``extensions`` (which are in small letters).

    Returns:
        A bool.
    """
    return filename.lower().endswith(extensions)


def is_image_file(filename: str) -> bool:
    """Whether ``filename`` ends as that of an image does.

    Returns:
        A bool.
    """
    return has_file_allowed_extension(filename, IMG_EXTENSIONS)


def find_classes(directory: str | os.PathLike[str]) -> tuple[list[str], dict[str, int]]:
    """The classes that the folders in ``directory`` stand for, in alphabetical order.

    Returns:
        Their names, and a dictionary of their numbers.

    Raises:
        FileNotFoundError: there is no folder.
    """
    with os.scandir(directory) as entries:
        classes = sorted(entry.name for entry in entries if entry.is_dir())
    if not classes:
        raise FileNotFoundError(f"Couldn't find any class folder in {directory}.")
    return classes, {name: number for number, name in enumerate(classes)}


def make_dataset(
    directory: str | os.PathLike[str],
    class_to_idx: dict[str, int] | None = None,
    extensions: str | tuple[str, ...] | None = None,
    is_valid_file: Callable[[str], bool] | None = None,
    allow_empty: bool = False,
) -> list[Sample]:
    """The files of each class, in a fixed order, with the class's number.

    Args:
        directory: the folder of the classes' folders.
        class_to_idx: the numbers of the classes; by default those of :func:`find_classes`.
        extensions: what the names of the files end in; or
        is_valid_file: says of a path whether it is a sample.
        allow_empty: a class may have no file.

    Returns:
        Pairs of a path and a class's number.

    Raises:
        ValueError: there are no classes, or not just one of ``extensions`` and ``is_valid_file``.
        FileNotFoundError: a class has no file.
    """
    root = os.path.expanduser(directory)
    if class_to_idx is None:
        _, class_to_idx = find_classes(root)
    elif not class_to_idx:
        raise ValueError("'class_to_index' must have at least one entry to collect any samples.")
    if (extensions is None) == (is_valid_file is None):
        raise ValueError(
            "Both extensions and is_valid_file cannot be None or not None at the same time"
        )
    samples: list[Sample] = []
    empty = []
    for name in sorted(class_to_idx):
        found = [
            (path, class_to_idx[name])
            for path in _files_below(os.path.join(root, name))
            if (
                is_valid_file(path)
                if is_valid_file is not None
                else has_file_allowed_extension(path, extensions)  # type: ignore[arg-type]
            )
        ]
        samples += found
        if not found:
            empty.append(name)
    if empty and not allow_empty:
        message = f"Found no valid file for the classes {', '.join(empty)}. "
        if extensions is not None:
            listed = extensions if isinstance(extensions, str) else ", ".join(extensions)
            message += f"Supported extensions are: {listed}"
        raise FileNotFoundError(message)
    return samples


def _files_below(folder: str) -> list[str]:
    """All files in a folder and in its folders, links followed, folder by folder."""
    return [
        os.path.join(place, name)
        for place, _, names in sorted(os.walk(folder, followlinks=True))
        for name in sorted(names)
    ]


def pil_loader(path: str | os.PathLike[str]) -> Any:
    """The image file ``path`` as a Pillow image in colour.

    Returns:
        The image, of mode RGB.

    Raises:
        OSError, SyntaxError, ValueError, PIL.Image.DecompressionBombError: it is no image, a
            damaged one, or one of absurd size; a note names it.
    """
    try:
        with open(path, "rb") as file:
            return pillow().open(file).convert("RGB")
    except Exception as error:
        error.add_note(f"the image is {os.fspath(path)}")
        raise


def default_loader(path: str | os.PathLike[str]) -> Any:
    """As :func:`pil_loader` of ``path``.

    Returns:
        The image, of mode RGB.
    """
    return pil_loader(path)


class DatasetFolder(VisionDataset):
    """Samples in folders, one folder for each class.

    Args:
        root: the folder of the classes' folders.
        loader: makes a sample of a path.
        extensions: what the names of the files end in; or
        transform: applied to each sample.
        target_transform: applied to each label, an int.
        is_valid_file: says of a path whether it is a sample.
        allow_empty: a class may have no file.

    Attributes:
        classes: the classes' names.
        class_to_idx: their numbers.
        samples: pairs of a path and a class's number.
        targets: the classes' numbers of all samples.

    Raises:
        FileNotFoundError: there is no class, or a class has no file.
        ValueError: not just one of ``extensions`` and ``is_valid_file`` is given.

    Source: https://docs.pytorch.org/vision/0.28/generated/torchvision.datasets.DatasetFolder.html
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        loader: Callable[[str], Any],
        extensions: tuple[str, ...] | None = None,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
        is_valid_file: Callable[[str], bool] | None = None,
        allow_empty: bool = False,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.loader = loader
        self.extensions = extensions
        self.classes, self.class_to_idx = self.find_classes(self.root)
        self.samples = self.make_dataset(
            self.root, self.class_to_idx, extensions, is_valid_file, allow_empty
        )
        self.targets = [number for _, number in self.samples]

    @staticmethod
    def make_dataset(
        directory: str | os.PathLike[str],
        class_to_idx: dict[str, int],
        extensions: tuple[str, ...] | None = None,
        is_valid_file: Callable[[str], bool] | None = None,
        allow_empty: bool = False,
    ) -> list[Sample]:
        """As the function :func:`make_dataset`; a subclass may list its samples otherwise.

        Args:
            directory, class_to_idx, extensions, is_valid_file, allow_empty: as there.

        Returns:
            Pairs of a path and a class's number.

        Raises:
            ValueError: ``class_to_idx`` is None, or as there.
        """
        if class_to_idx is None:
            raise ValueError("The class_to_idx parameter cannot be None.")
        return make_dataset(directory, class_to_idx, extensions, is_valid_file, allow_empty)

    def find_classes(self, directory: str | os.PathLike[str]) -> tuple[list[str], dict[str, int]]:
        """As the function :func:`find_classes` of ``directory``; a subclass may find them
        otherwise.
        """
        return find_classes(directory)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        """The sample and the label at an index, transformed."""
        path, target = self.samples[index]
        sample = self.loader(path)
        if self.transform is not None:
            sample = self.transform(sample)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return sample, target

    def __len__(self) -> int:
        return len(self.samples)


class ImageFolder(DatasetFolder):
    """Images in folders, one folder for each class.

    Args:
        root: the folder of the classes' folders: ``root/dog/xxx.png``, ``root/cat/123.png``.
        transform: applied to each image, a Pillow image in colour.
        target_transform: applied to each label, an int.
        loader: makes an image of a path.
        is_valid_file: says of a path whether it is an image; by default by its name.
        allow_empty: a class may have no image.

    Attributes:
        classes, class_to_idx, targets: as for :class:`DatasetFolder`.
        imgs: pairs of a path and a class's number.

    Raises:
        FileNotFoundError: there is no class, or a class has no image.

    Source: https://docs.pytorch.org/vision/0.28/generated/torchvision.datasets.ImageFolder.html
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
        loader: Callable[[str], Any] = default_loader,
        is_valid_file: Callable[[str], bool] | None = None,
        allow_empty: bool = False,
    ) -> None:
        super().__init__(
            root,
            loader,
            IMG_EXTENSIONS if is_valid_file is None else None,
            transform,
            target_transform,
            is_valid_file,
            allow_empty,
        )
        self.imgs = self.samples
