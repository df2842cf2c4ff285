"""A model's layers, shapes, parameters and operations as a table.

The table is that of torch-summary 1.4, character for character; ``from torchsummary import
summary`` gives this module's function to programs that run on flambeau.

Source: https://pypi.org/project/torch-summary/1.4.5/ (the format)
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import flambeau as torch
from flambeau import nn

__all__ = ["LayerInfo", "ModelStatistics", "summary"]

HEADERS = {
    "kernel_size": "Kernel Shape",
    "input_size": "Input Shape",
    "output_size": "Output Shape",
    "num_params": "Param #",
    "mult_adds": "Mult-Adds",
}
_LEAST_NAME_WIDTH = 40
_INDENT = 5


def summary(
    model: nn.Module,
    input_data: Any = None,
    *args: Any,
    batch_dim: int | None = 0,
    branching: bool = True,
    col_names: Iterable[str] | None = None,
    col_width: int = 25,
    depth: int = 3,
    device: Any = None,
    dtypes: Sequence[Any] | None = None,
    verbose: int = 1,
    **kwargs: Any,
) -> ModelStatistics:
    """Print a table of a model's layers, and return it.

    Args:
        model: the model. It is run in eval mode, and left in the mode it was in.
        input_data: a tensor, several tensors, or the size of one input or of several, without the
            batch dimension; a batch of two random inputs is made of sizes. Without it the model
            is not run, and shapes are not known.
        args: further arguments of the model's ``forward``.
        batch_dim: where the batch dimension goes; None if the sizes contain it.
        branching: draw the nesting of the layers.
        col_names: the columns: of ``input_size``, ``output_size``, ``num_params``,
            ``kernel_size``, ``mult_adds``.
        col_width: the width of each column in characters.
        depth: how many levels of nesting to show.
        device: where to run the model; a GPU if there is one.
        dtypes: the dtype of each input made of a size; float32 if not given.
        verbose: 0 prints nothing, 1 the table, 2 with the weights inside recurrent layers.
        kwargs: further keyword arguments of the model's ``forward``.

    Returns:
        The statistics; their ``repr`` is the table.

    Raises:
        ValueError: an argument is not one of those above, or a size is not positive.
        TypeError: ``input_data`` is neither tensors nor sizes.
        RuntimeError: the model failed; the message says which layers had run.
    """
    columns = _columns(col_names, input_data is not None)
    if verbose not in (0, 1, 2):
        raise ValueError("Verbose must be either 0 (quiet), 1 (default), or 2 (verbose).")
    for column in columns:
        if column not in HEADERS:
            raise ValueError(f"Column {column} is not a valid column name.")
        if input_data is None and column not in ("num_params", "kernel_size"):
            raise ValueError(f"You must pass input_data in order to use column {column}")
    training = model.training
    watch = _Watch(model, depth, batch_dim)
    input_size: list[Any] = []
    model.eval()
    try:
        if input_data is None:
            watch.walk()
        else:
            if device is None:
                device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
            inputs, input_size = _inputs(input_data, batch_dim, device, dtypes)
            watch.run(inputs, _on_device(args, device), _on_device(kwargs, device), device)
    finally:
        model.train(training)
    layout = _Layout(branching, depth, verbose, columns, col_width)
    layout.fit(watch.layers)
    results = ModelStatistics(watch.layers, input_size, layout)
    if verbose > 0:
        print(results)
    return results


def _columns(names: Iterable[str] | None, run: bool) -> tuple[str, ...]:
    if names is not None:
        return tuple(names)
    return ("output_size", "num_params") if run else ("num_params",)


# -- the inputs -----------------------------------------------------------------------------------


def _inputs(
    data: Any, batch_dim: int | None, device: Any, dtypes: Sequence[Any] | None
) -> tuple[Any, list[Any]]:
    """The model's inputs, and their sizes as the table counts them."""
    if isinstance(data, torch.Tensor):
        return [data.to(device)], _sizes(data.size())
    if not isinstance(data, (list, tuple)):
        raise TypeError(
            "Input type is not recognized. Please ensure input_data is valid.\n"
            "For multiple inputs to the network, ensure input_data passed in is a sequence of "
            f"tensors or a list of tuple sizes. Got {type(data).__name__}."
        )
    if all(isinstance(item, torch.Tensor) for item in data):
        return _on_device(data, device), _sizes([item.size() for item in data])
    sizes = _sizes(data)
    kinds = [torch.float] * len(data) if dtypes is None else dtypes
    inputs = []
    for size, kind in zip(sizes, kinds, strict=False):
        made = torch.rand(*size)
        if batch_dim is not None:
            # Two, so that batch normalisation in training mode would have something to average.
            made = torch.cat([made.unsqueeze(dim=batch_dim)] * 2, dim=batch_dim)
        inputs.append(made.to(device).type(kind))
    return inputs, sizes


def _flat(nested: Iterable[Any]) -> Iterator[Any]:
    for item in nested:
        if isinstance(item, (list, tuple)):
            yield from _flat(item)
        else:
            yield item


def _sizes(size: Any) -> list[Any]:
    """A list with the size of each input."""
    if not size or any(length <= 0 for length in _flat(size)):
        raise ValueError("Input_data is invalid, or negative size found in input_data.")
    if isinstance(size, list):
        return [tuple(size)] if isinstance(size[0], int) else size
    if isinstance(size, tuple) and isinstance(size[0], tuple):
        return list(size)
    return [size]


def _on_device(data: Any, device: Any) -> Any:
    """Move the tensors in a nested collection to a device."""
    if isinstance(data, torch.Tensor):
        return data.to(device)
    kind = type(data)
    if isinstance(data, Mapping):
        return kind({key: _on_device(value, device) for key, value in data.items()})  # type: ignore[call-arg]
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return kind(*(_on_device(item, device) for item in data))
    if isinstance(data, Iterable) and not isinstance(data, (str, bytes)):
        return kind([_on_device(item, device) for item in data])  # type: ignore[call-arg]
    return data


# -- watching the model ---------------------------------------------------------------------------


class LayerInfo:
    """What the table says of one layer.

    Args:
        module: the layer.
        depth: its level of nesting, 1 for the model's own layers.
        depth_index: its number among the layers of that level, from 1.
        parent_info: the layer that it is in.
    """

    def __init__(
        self,
        module: nn.Module,
        depth: int,
        depth_index: int | None = None,
        parent_info: LayerInfo | None = None,
    ) -> None:
        self.layer_id = id(module)
        self.module = module
        self.class_name = type(module).__name__
        self.depth = depth
        self.depth_index = depth_index
        self.parent_info = parent_info
        self.executed = False
        self.is_recursive = False
        self.input_size: list[Any] = []
        self.output_size: list[Any] = []
        self.macs = 0
        self.trainable = True
        self.num_params = 0
        self.kernel_size: list[int] = []
        self.inner_layers: dict[str, list[int]] = {}
        for name, parameter in module.named_parameters():
            self.num_params += parameter.nelement()
            self.trainable &= parameter.requires_grad
            if name == "weight":
                kernel = list(parameter.size())
                kernel[:2] = reversed(kernel[:2])  # inputs before outputs
                self.kernel_size = kernel
            elif "weight" in name:  # weight_ih_l0 of a recurrent layer, 0.weight of a container
                self.inner_layers[name] = list(parameter.size())

    def __repr__(self) -> str:
        if self.depth_index is None:
            return f"{self.class_name}: {self.depth}"
        return f"{self.class_name}: {self.depth}-{self.depth_index}"

    def record(self, inputs: Any, outputs: Any, batch_dim: int | None) -> None:
        """Note the sizes and the multiplications of one run.

        Args:
            inputs, outputs: what went in and came out.
            batch_dim: where the batch dimension is; None for none.

        Raises:
            TypeError: they are neither tensors nor collections of them.
        """
        self.input_size = _size_of(inputs, batch_dim)
        self.output_size = _size_of(outputs, batch_dim)
        for name, parameter in self.module.named_parameters():
            if name == "weight" and "Conv" in self.class_name:
                self.macs += int(parameter.nelement() * _product(self.output_size[2:]))
            elif "weight" in name:
                self.macs += parameter.nelement()
        self.executed = True

    def _is_leaf(self) -> bool:
        return not any(self.module.children())

    def num_params_to_str(self, reached_max_depth: bool = False) -> str:
        """The table's count of parameters; in parentheses where they are not trained.

        Args:
            reached_max_depth: whether the layers inside are not shown.

        Returns:
            The text.
        """
        if self.is_recursive:
            return "(recursive)"
        if self.num_params > 0 and (reached_max_depth or self._is_leaf()):
            return f"{self.num_params:,}" if self.trainable else f"({self.num_params:,})"
        return "--"

    def macs_to_str(self, reached_max_depth: bool) -> str:
        """The table's count of multiplications with additions.

        Args:
            reached_max_depth: whether the layers inside are not shown.

        Returns:
            The text.
        """
        if self.num_params > 0 and (reached_max_depth or self._is_leaf()):
            return f"{self.macs:,}"
        return "--"


def _product(numbers: Iterable[Any]) -> int:
    return abs(math.prod(_flat(numbers)))


def _size_of(values: Any, batch_dim: int | None) -> list[Any]:
    """The size of a layer's inputs or outputs: the first tensor's, -1 for the batch."""

    def batched(size: list[int]) -> list[Any]:
        if batch_dim is None:
            return size
        return size[:batch_dim] + [-1] + size[batch_dim + 1 :]

    if isinstance(values, torch.Tensor):
        size = list(values.size())
        if batch_dim is not None and size:
            size[batch_dim] = -1
        return size
    if isinstance(values, dict):
        # The last entry's, in a list of its own.
        size = []
        for value in values.values():
            size = list(value.size())
            if batch_dim is not None:
                size = [batched(size)]
        return size
    if isinstance(values, (list, tuple)):
        if not values:
            return []
        first = values[0]
        data = getattr(first, "data", None)
        if isinstance(data, torch.Tensor):  # a tensor, or a packed sequence
            return batched(list(data.size()))
        while isinstance(first, (list, tuple)) and first:
            first = first[0]
        size_method = getattr(first, "size", None)
        return list(size_method()) if callable(size_method) else []
    raise TypeError(
        f"Model contains a layer with an unsupported input or output type: {type(values)}"
    )


class _Watch:
    """Meets a model's layers in the order in which they run, or in which they are written."""

    def __init__(self, model: nn.Module, depth: int, batch_dim: int | None) -> None:
        self.model = model
        self.depth = depth
        self.batch_dim = batch_dim
        self.layers: list[LayerInfo] = []
        self._met: set[int] = set()
        self._counts: dict[int, int] = {}

    def _meet(self, module: nn.Module, depth: int, parent: LayerInfo | None) -> LayerInfo:
        self._counts[depth] = self._counts.get(depth, 0) + 1
        info = LayerInfo(module, depth, self._counts[depth], parent)
        if id(module) in self._met and any(True for _ in module.parameters()):
            info.is_recursive = True
        self._met.add(id(module))
        self.layers.append(info)
        return info

    def _is_layer(self, module: nn.Module) -> bool:
        if module is not self.model or not any(True for _ in module.children()):
            return True
        # It computes with its children's parameters itself.
        return isinstance(module, getattr(nn, "MultiheadAttention", ()))

    def walk(self) -> None:
        """Meet the layers without running the model."""

        def visit(module: nn.Module, depth: int, parent: LayerInfo | None) -> None:
            if self._is_layer(module):
                info = self._meet(module, depth, parent)
            else:
                info = LayerInfo(module, depth, None, parent)
            if depth <= self.depth:
                for child in module.children():
                    visit(child, depth + 1, info)

        visit(self.model, 0, None)

    def run(self, inputs: Any, args: Any, kwargs: Any, device: Any) -> None:
        """Meet the layers as the model runs."""
        handles: list[Any] = []

        def watch(module: nn.Module, depth: int, parent: LayerInfo | None) -> None:
            # A layer that never runs (a ModuleList) is known by this one to those within it;
            # they were given it when they were watched, before it could have run.
            info = LayerInfo(module, depth, None, parent)

            def before(module: nn.Module, inputs: Any) -> None:
                nonlocal info
                info = self._meet(module, depth, parent)

            def after(module: nn.Module, inputs: Any, outputs: Any) -> None:
                info.record(inputs, outputs, self.batch_dim)

            if self._is_layer(module):
                handles.append(module.register_forward_pre_hook(before))
                handles.append(module.register_forward_hook(after))
            if depth <= self.depth:
                for child in module.children():
                    watch(child, depth + 1, info)

        watch(self.model, 0, None)
        try:
            with torch.no_grad():
                self.model.to(device)(*inputs, *args, **kwargs)
        except Exception as error:
            executed = [layer for layer in self.layers if layer.executed]
            raise RuntimeError(
                "Failed to run torchsummary. See above stack traces for more details. "
                f"Executed layers up to: {executed}"
            ) from error
        finally:
            for handle in handles:
                handle.remove()


# -- the table ------------------------------------------------------------------------------------


class _Layout:
    """How the table is set."""

    def __init__(
        self,
        use_branching: bool,
        max_depth: int,
        verbose: int,
        col_names: tuple[str, ...],
        col_width: int,
    ) -> None:
        self.use_branching = use_branching
        self.max_depth = max_depth
        self.verbose = verbose
        self.col_names = col_names
        self.col_width = col_width
        self.layer_name_width = _LEAST_NAME_WIDTH

    def fit(self, layers: Iterable[LayerInfo]) -> None:
        """Make the first column as wide as the longest name needs."""
        longest = max((layer.depth * _INDENT + 1 + len(str(layer)) for layer in layers), default=0)
        if longest >= self.layer_name_width:
            self.layer_name_width = math.ceil(longest / _INDENT) * _INDENT

    def total_width(self) -> int:
        return len(self.col_names) * self.col_width + self.layer_name_width

    def row(self, name: str, values: Mapping[str, str]) -> str:
        cells = [f"{name:<{self.layer_name_width}} "]
        cells += [f"{values.get(column, ''):<{self.col_width}} " for column in self.col_names]
        return "".join(cells).rstrip() + "\n"


class ModelStatistics:
    """What :func:`summary` found; prints as the table.

    Args:
        summary_list: the layers.
        input_size: the size of each input.
        formatting: how the table is set.

    Attributes:
        total_params, trainable_params: numbers of parameters.
        total_mult_adds: multiplications with additions in a run for one sample.
        total_input, total_output: numbers of values that go in, and that layers with parameters
            give out, twice for their gradients.
    """

    def __init__(
        self, summary_list: list[LayerInfo], input_size: list[Any], formatting: _Layout
    ) -> None:
        self.summary_list = summary_list
        self.input_size = input_size
        self.formatting = formatting
        self.total_input = sum(_product(size) for size in input_size)
        self.total_params = self.trainable_params = 0
        self.total_output = 0
        self.total_mult_adds = sum(layer.macs for layer in summary_list)
        deepest = formatting.max_depth
        for layer in summary_list:
            if layer.is_recursive:
                continue
            leaf = not any(layer.module.children())
            if layer.depth == deepest or (leaf and layer.depth < deepest):
                self.total_params += layer.num_params
                self.trainable_params += layer.num_params if layer.trainable else 0
            if leaf and layer.num_params > 0:
                self.total_output += 2 * _product(layer.output_size)

    def __repr__(self) -> str:
        rule = "=" * self.formatting.total_width()
        head = self.formatting.row("Layer (type:depth-idx)", HEADERS)
        text = (
            f"{rule}\n{head}{rule}\n{self._rows()}{rule}\n"
            f"Total params: {self.total_params:,}\n"
            f"Trainable params: {self.trainable_params:,}\n"
            f"Non-trainable params: {self.total_params - self.trainable_params:,}\n"
        )
        if self.input_size:
            unit, scale = ("G", 1e9) if self.total_mult_adds >= 1e9 else ("M", 1e6)
            total = self.total_input + self.total_output + self.total_params
            text += (
                f"Total mult-adds ({unit}): {self.total_mult_adds / scale:0.2f}\n{rule}\n"
                f"Input size (MB): {_megabytes(self.total_input):0.2f}\n"
                "Forward/backward pass size (MB): "
                f"{_megabytes(self.total_output):0.2f}\n"
                f"Params size (MB): {_megabytes(self.total_params):0.2f}\n"
                f"Estimated Total Size (MB): {_megabytes(total):0.2f}\n"
            )
        return text + rule

    def _rows(self) -> str:
        if not self.formatting.use_branching:
            return "".join(self._row(layer, False) for layer in self.summary_list)
        rows = []
        shown: dict[int, LayerInfo] = {}  # the branch that the last row ended
        for layer in self.summary_list:
            if layer.depth > self.formatting.max_depth:
                continue
            above: dict[int, LayerInfo] = {}
            parent = layer.parent_info
            while parent is not None and parent.depth > 0:
                above[parent.depth] = parent
                parent = parent.parent_info
            for level in range(1, layer.depth):
                if level not in shown or shown[level].module is not above[level].module:
                    rows.append(self._row(above[level], False))
                    shown[level] = above[level]
            rows.append(self._row(layer, layer.depth == self.formatting.max_depth))
            shown[layer.depth] = layer
            level = layer.depth + 1
            while shown.pop(level, None) is not None:
                level += 1
        return "".join(rows)

    def _row(self, layer: LayerInfo, reached_max_depth: bool) -> str:
        layout = self.formatting
        values = {
            "kernel_size": str(layer.kernel_size or "--"),
            "input_size": str(layer.input_size),
            "output_size": str(layer.output_size),
            "num_params": layer.num_params_to_str(reached_max_depth),
            "mult_adds": layer.macs_to_str(reached_max_depth),
        }
        branch = _branch(layer.depth) if layout.use_branching else ""
        text = layout.row(branch + str(layer), values)
        if layout.verbose == 2:
            inner = _branch(layer.depth + 1) if layout.use_branching else "  "
            for name, shape in layer.inner_layers.items():
                text += layout.row(inner + name, {"kernel_size": str(shape)})
        return text


def _branch(depth: int) -> str:
    return "├─" if depth == 1 else "|    " * (depth - 1) + "└─"


def _megabytes(count: int) -> float:
    """The size of so many float32 values."""
    return count * 4 / 1024**2
