"""The writer of TensorBoard's event files; TensorBoard itself is not needed to write them."""

from __future__ import annotations

import io
import os
import socket
import struct
import time
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from flambeau.tensor import Tensor
from flambeau.utils.tensorboard.event_file import (
    EventFile,
    doubles,
    integer,
    message,
    real,
    single,
    text,
)

__all__ = ["SummaryWriter"]


def _array(values: Any) -> np.ndarray[Any, Any]:
    if isinstance(values, Tensor):
        values = values.detach().cpu().numpy()
    return np.asarray(values)


def _number(value: Any) -> float:
    array = _array(value)
    if array.size != 1:
        raise ValueError(f"add_scalar: a scalar is expected, got the shape {array.shape}")
    return float(array.reshape(()))


def _histogram(values: np.ndarray[Any, Any], bins: Any, most: int | None) -> bytes:
    """The fields of a ``HistogramProto``."""
    values = values.reshape(-1).astype(np.float64)
    if not values.size:
        raise ValueError("add_histogram: the input has no element")
    if isinstance(bins, str) and bins == "tensorflow":
        limits = 1e-12 * 1.1 ** np.arange(775)
        bins = np.concatenate([-limits[::-1], [0.0], limits])
    counts, edges = np.histogram(values, bins)
    if most is not None and len(counts) > most:
        starts = np.arange(0, len(counts), -(-len(counts) // most))
        counts = np.add.reduceat(counts, starts)
        edges = np.append(edges[starts], edges[-1])
    used = np.flatnonzero(counts)
    first, last = (used[0], used[-1]) if used.size else (0, 0)
    start = max(first - 1, 0)  # an empty bucket in front says where the first one begins
    fields = (values.min(), values.max(), values.size, values.sum(), values @ values)
    return (
        b"".join(real(i + 1, float(value)) for i, value in enumerate(fields))
        + doubles(6, edges[start + 1 : last + 2])
        + doubles(7, counts[start : last + 1])
    )


def _png(image: np.ndarray[Any, Any]) -> bytes:
    """A PNG file of an image ``(H, W, channels)`` of bytes."""
    height, width, channels = image.shape
    rows = np.concatenate([np.zeros((height, 1), np.uint8), image.reshape(height, -1)], 1)
    color = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, color, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows.tobytes())),
        (b"IEND", b""),
    )
    file = b"\x89PNG\r\n\x1a\n"
    for kind, content in parts:
        crc = struct.pack(">I", zlib.crc32(kind + content))
        file += struct.pack(">I", len(content)) + kind + content + crc
    return file


def _image(image: Any, dataformats: str) -> bytes:
    """The fields of a ``Summary.Image``."""
    array = _array(image)
    order = dataformats.upper()
    if array.ndim != len(order) or set(order) - set("NCHW") or not {"H", "W"} <= set(order):
        raise AssertionError(
            f"size of input tensor and input format are different. tensor shape: {array.shape}, "
            f"input_format: {dataformats}"
        )
    for dim in "NCHW":
        if dim not in order:
            array, order = array[None], dim + order
    array = array.transpose([order.index(dim) for dim in "NHWC"])
    if array.dtype != np.uint8:
        array = (array.astype(np.float32) * 255).clip(0, 255).astype(np.uint8)
    n, height, width, channels = array.shape
    columns = min(n, 8)  # several images are set side by side, eight in a row
    blank = np.zeros((-n % columns, height, width, channels), np.uint8)
    tiles = np.concatenate([array, blank]).reshape(-1, columns, height, width, channels)
    sheet = tiles.transpose(0, 2, 1, 3, 4).reshape(-1, columns * width, channels)
    size = integer(1, sheet.shape[0]) + integer(2, sheet.shape[1]) + integer(3, channels)
    return size + message(4, _png(np.ascontiguousarray(sheet)))


def _text_value(tag: str, content: str) -> bytes:
    tensor = integer(1, 7) + message(2, message(2, integer(1, 1))) + text(8, content)
    metadata = message(1, text(1, "text"))
    return text(1, f"{tag}/text_summary") + message(9, metadata) + message(8, tensor)


class SummaryWriter:
    """Write scalars, histograms, images and text for TensorBoard.

    Args:
        log_dir: the folder; by default ``runs/`` and the time, the machine and ``comment``.
        comment: the end of the default folder's name.
        purge_step: taken as in PyTorch: nothing is removed, TensorBoard shows the latest file.
        max_queue, flush_secs: taken as in PyTorch: events are written at once.
        filename_suffix: the end of the event file's name.

    Source: ``torch.utils.tensorboard.SummaryWriter``.
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str] | None = None,
        comment: str = "",
        purge_step: int | None = None,
        max_queue: int = 10,
        flush_secs: int = 120,
        filename_suffix: str = "",
    ) -> None:
        if not log_dir:
            now = time.strftime("%b%d_%H-%M-%S")
            log_dir = os.path.join("runs", f"{now}_{socket.gethostname()}{comment}")
        self.log_dir = str(log_dir)
        self._suffix = filename_suffix
        self._files: dict[str, EventFile] = {}
        self._file(self.log_dir)

    def _file(self, folder: str) -> EventFile:
        if folder not in self._files:
            self._files[folder] = EventFile(folder, self._suffix)
        return self._files[folder]

    def _add(self, value: bytes, step: Any, walltime: float | None) -> None:
        self._file(self.log_dir).add([value], step, walltime)

    def get_logdir(self) -> str:
        """The folder."""
        return self.log_dir

    def add_scalar(
        self,
        tag: str,
        scalar_value: Any,
        global_step: int | None = None,
        walltime: float | None = None,
        new_style: bool = False,
        double_precision: bool = False,
    ) -> None:
        """Write a number.

        Args:
            tag: its name.
            scalar_value: a number, or a tensor of one element.
            global_step: the step that it belongs to.
            walltime: the time in seconds, now if left out.
            new_style, double_precision: taken as in PyTorch: a number is always written as float32.

        Raises:
            ValueError: it is not one number.
        """
        value = text(1, tag) + single(2, _number(scalar_value))
        self._add(value, global_step, walltime)

    def add_scalars(
        self,
        main_tag: str,
        tag_scalar_dict: Mapping[str, Any],
        global_step: int | None = None,
        walltime: float | None = None,
    ) -> None:
        """Write several numbers to be shown in one plot, each to a folder of its own.

        Args:
            main_tag: the plot's name.
            tag_scalar_dict: the numbers by their names.
            global_step: the step that it belongs to.
            walltime: the time in seconds, now if left out.

        Raises:
            ValueError: one of them is not one number.
        """
        for tag, number in tag_scalar_dict.items():
            folder = os.path.join(self.log_dir, f"{main_tag.replace('/', '_')}_{tag}")
            value = text(1, main_tag) + single(2, _number(number))
            self._file(folder).add([value], global_step, walltime)

    def add_histogram(
        self,
        tag: str,
        values: Any,
        global_step: int | None = None,
        bins: Any = "tensorflow",
        walltime: float | None = None,
        max_bins: int | None = None,
    ) -> None:
        """Write the distribution of values.

        Args:
            tag: its name.
            values: a tensor or an array of any shape.
            global_step: the step that it belongs to.
            bins: as in ``numpy.histogram``, or ``"tensorflow"``: limits that grow by a tenth each.
            walltime: the time in seconds, now if left out.
            max_bins: neighbouring bins are joined until there are at most so many.

        Raises:
            ValueError: there are no values.
        """
        value = text(1, tag) + message(5, _histogram(_array(values), bins, max_bins))
        self._add(value, global_step, walltime)

    def add_image(
        self,
        tag: str,
        img_tensor: Any,
        global_step: int | None = None,
        walltime: float | None = None,
        dataformats: str = "CHW",
    ) -> None:
        """Write an image.

        Args:
            tag: its name.
            img_tensor: ``(C, H, W)`` or as ``dataformats`` says; bytes, or numbers from 0 to 1.
            global_step: the step that it belongs to.
            walltime: the time in seconds, now if left out.
            dataformats: the order of the dims, of the letters N, C, H and W.

        Raises:
            AssertionError: the image has other dimensions.
        """
        self._add(text(1, tag) + message(4, _image(img_tensor, dataformats)), global_step, walltime)

    def add_images(
        self,
        tag: str,
        img_tensor: Any,
        global_step: int | None = None,
        walltime: float | None = None,
        dataformats: str = "NCHW",
    ) -> None:
        """Write several images side by side, eight in a row.

        Args:
            tag: their name.
            img_tensor: ``(N, C, H, W)`` or as ``dataformats`` says; bytes, or numbers from 0 to 1.
            global_step: the step that it belongs to.
            walltime: the time in seconds, now if left out.
            dataformats: the order of the dims.

        Raises:
            AssertionError: the images have other dimensions.
        """
        self.add_image(tag, img_tensor, global_step, walltime, dataformats)

    def add_figure(
        self,
        tag: str,
        figure: Any,
        global_step: int | None = None,
        close: bool = True,
        walltime: float | None = None,
    ) -> None:
        """Write a matplotlib figure as an image.

        Args:
            tag: its name.
            figure: the figure.
            global_step: the step that it belongs to.
            close: whether it is closed then.
            walltime: the time in seconds, now if left out.
        """
        from matplotlib import image, pyplot

        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=figure.dpi)
        buffer.seek(0)
        picture = image.imread(buffer)
        if close:
            pyplot.close(figure)
        self.add_image(tag, picture, global_step, walltime, "HWC")

    def add_text(
        self,
        tag: str,
        text_string: str,
        global_step: int | None = None,
        walltime: float | None = None,
    ) -> None:
        """Write a text, which TensorBoard reads as Markdown.

        Args:
            tag: its name.
            text_string: the text.
            global_step: the step that it belongs to.
            walltime: the time in seconds, now if left out.
        """
        self._add(_text_value(tag, text_string), global_step, walltime)

    def add_graph(
        self,
        model: Any,
        input_to_model: Any = None,
        verbose: bool = False,
        use_strict_trace: bool = True,
    ) -> None:
        """Write the model as it prints, as a text: TensorBoard's own picture of it is not drawn.

        Args:
            model: the model.
            input_to_model, verbose, use_strict_trace: taken as in PyTorch: nothing is traced.
        """
        lines = "\n".join("    " + line for line in repr(model).splitlines())
        self.add_text("graph", lines, 0)

    def add_hparams(
        self,
        hparam_dict: Mapping[str, Any],
        metric_dict: Mapping[str, Any],
        hparam_domain_discrete: Any = None,
        run_name: str | None = None,
        global_step: int | None = None,
    ) -> None:
        """Write settings as a table in a text, and numbers as scalars, to a folder of their own.

        Args:
            hparam_dict: the settings by their names.
            metric_dict: the numbers by their names.
            hparam_domain_discrete: taken as in PyTorch, where it lists possible settings.
            run_name: the folder's name; by default the time.
            global_step: the step that the numbers belong to.

        Raises:
            ValueError: one of ``metric_dict`` is not one number.
        """
        folder = os.path.join(self.log_dir, run_name or str(time.time()))
        rows = "\n".join(f"| {name} | {value} |" for name, value in hparam_dict.items())
        file = self._file(folder)
        table = _text_value("hparams", f"| setting | value |\n| --- | --- |\n{rows}")
        numbers = [text(1, tag) + single(2, _number(n)) for tag, n in metric_dict.items()]
        file.add([table, *numbers], global_step, None)

    def flush(self) -> None:
        """Have what was written on disk."""
        for file in self._files.values():
            file.flush()

    def close(self) -> None:
        """Close the files; a later ``add_...`` begins new ones."""
        for file in self._files.values():
            file.close()
        self._files.clear()

    def __enter__(self) -> SummaryWriter:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
