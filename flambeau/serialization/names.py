"""Which object a name in a file means, and under which name an object is written.

Pickles refer to classes and functions by module and name. Files name things where PyTorch has
them (``torch.nn.modules.conv Conv2d``), so that PyTorch loads what flambeau saved and the other
way round. Classes of the user's own program keep their own names.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

_PYTORCH_CLASSES = {
    "torch.nn.modules.activation": (
        "CELU ELU GELU GLU Hardshrink Hardsigmoid Hardswish Hardtanh LeakyReLU LogSigmoid "
        "LogSoftmax Mish MultiheadAttention PReLU RReLU ReLU ReLU6 SELU SiLU Sigmoid Softmax "
        "Softmax2d Softmin Softplus Softshrink Softsign Tanh Tanhshrink Threshold"
    ),
    "torch.nn.modules.adaptive": "AdaptiveLogSoftmaxWithLoss",
    "torch.nn.modules.batchnorm": (
        "BatchNorm1d BatchNorm2d BatchNorm3d LazyBatchNorm1d LazyBatchNorm2d LazyBatchNorm3d "
        "SyncBatchNorm"
    ),
    "torch.nn.modules.channelshuffle": "ChannelShuffle",
    "torch.nn.modules.container": ("ModuleDict ModuleList ParameterDict ParameterList Sequential"),
    "torch.nn.modules.conv": (
        "Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d ConvTranspose3d LazyConv1d "
        "LazyConv2d LazyConv3d LazyConvTranspose1d LazyConvTranspose2d LazyConvTranspose3d"
    ),
    "torch.nn.modules.distance": "CosineSimilarity PairwiseDistance",
    "torch.nn.modules.dropout": (
        "AlphaDropout Dropout Dropout1d Dropout2d Dropout3d FeatureAlphaDropout"
    ),
    "torch.nn.modules.flatten": "Flatten Unflatten",
    "torch.nn.modules.fold": "Fold Unfold",
    "torch.nn.modules.instancenorm": (
        "InstanceNorm1d InstanceNorm2d InstanceNorm3d LazyInstanceNorm1d LazyInstanceNorm2d "
        "LazyInstanceNorm3d"
    ),
    "torch.nn.modules.lazy": "LazyModuleMixin",
    "torch.nn.modules.linear": "Bilinear Identity LazyLinear Linear",
    "torch.nn.modules.loss": (
        "BCELoss BCEWithLogitsLoss CTCLoss CosineEmbeddingLoss CrossEntropyLoss GaussianNLLLoss "
        "HingeEmbeddingLoss HuberLoss KLDivLoss L1Loss MSELoss MarginRankingLoss "
        "MultiLabelMarginLoss MultiLabelSoftMarginLoss MultiMarginLoss NLLLoss NLLLoss2d "
        "PoissonNLLLoss SmoothL1Loss SoftMarginLoss TripletMarginLoss "
        "TripletMarginWithDistanceLoss"
    ),
    "torch.nn.modules.module": "Module",
    "torch.nn.modules.normalization": (
        "CrossMapLRN2d GroupNorm LayerNorm LocalResponseNorm RMSNorm"
    ),
    "torch.nn.modules.padding": (
        "CircularPad1d CircularPad2d CircularPad3d ConstantPad1d ConstantPad2d ConstantPad3d "
        "ReflectionPad1d ReflectionPad2d ReflectionPad3d ReplicationPad1d ReplicationPad2d "
        "ReplicationPad3d ZeroPad1d ZeroPad2d ZeroPad3d"
    ),
    "torch.nn.modules.pixelshuffle": "PixelShuffle PixelUnshuffle",
    "torch.nn.modules.pooling": (
        "AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveAvgPool3d AdaptiveMaxPool1d "
        "AdaptiveMaxPool2d AdaptiveMaxPool3d AvgPool1d AvgPool2d AvgPool3d FractionalMaxPool2d "
        "FractionalMaxPool3d LPPool1d LPPool2d LPPool3d MaxPool1d MaxPool2d MaxPool3d "
        "MaxUnpool1d MaxUnpool2d MaxUnpool3d"
    ),
    "torch.nn.modules.rnn": "GRU GRUCell LSTM LSTMCell RNN RNNBase RNNCell RNNCellBase",
    "torch.nn.modules.sparse": "Embedding EmbeddingBag",
    "torch.nn.modules.transformer": (
        "Transformer TransformerDecoder TransformerDecoderLayer TransformerEncoder "
        "TransformerEncoderLayer"
    ),
    "torch.nn.modules.upsampling": "Upsample UpsamplingBilinear2d UpsamplingNearest2d",
    "torch.nn.parameter": "Buffer Parameter UninitializedBuffer UninitializedParameter",
    "torch.optim": "Adafactor Muon",
    "torch.optim.adadelta": "Adadelta",
    "torch.optim.adagrad": "Adagrad",
    "torch.optim.adam": "Adam",
    "torch.optim.adamax": "Adamax",
    "torch.optim.adamw": "AdamW",
    "torch.optim.asgd": "ASGD",
    "torch.optim.lbfgs": "LBFGS",
    "torch.optim.lr_scheduler": (
        "ChainedScheduler ConstantLR CosineAnnealingLR CosineAnnealingWarmRestarts CyclicLR "
        "ExponentialLR LRScheduler LambdaLR LinearLR MultiStepLR MultiplicativeLR OneCycleLR "
        "PolynomialLR ReduceLROnPlateau SequentialLR StepLR"
    ),
    "torch.optim.nadam": "NAdam",
    "torch.optim.optimizer": "Optimizer",
    "torch.optim.radam": "RAdam",
    "torch.optim.rmsprop": "RMSprop",
    "torch.optim.rprop": "Rprop",
    "torch.optim.sgd": "SGD",
    "torch.optim.sparse_adam": "SparseAdam",
    "torch.optim.swa_utils": "AveragedModel SWALR",
    "torch.utils.data.dataloader": "DataLoader",
    "torch.utils.data.dataset": (
        "ChainDataset ConcatDataset Dataset IterableDataset StackDataset Subset TensorDataset"
    ),
    "torch.utils.data.distributed": "DistributedSampler",
    "torch.utils.data.sampler": (
        "BatchSampler RandomSampler Sampler SequentialSampler SubsetRandomSampler "
        "WeightedRandomSampler"
    ),
}
"""Where PyTorch 2.13 keeps its classes."""

# A public package, and the package of ours whose classes are found under PyTorch's names for it.
_PACKAGES = ("torch.nn", "torch.optim", "torch.utils.data")

_HOME_OF_CLASS: dict[tuple[str, str], str] = {}
for _module, _classes in _PYTORCH_CLASSES.items():
    _package = next(package for package in _PACKAGES if (_module + ".").startswith(package + "."))
    for _name in _classes.split():
        _HOME_OF_CLASS[_package, _name] = _module

_HOMES = {
    # Ours, and where PyTorch's pickles have it.
    ("flambeau.tensor", "Tensor"): ("torch", "Tensor"),
    ("flambeau.size", "Size"): ("torch", "Size"),
    ("flambeau.device", "device"): ("torch", "device"),
    ("flambeau.random", "Generator"): ("torch._C", "Generator"),
    ("flambeau.serialization.rebuild", "_rebuild_from_type_v2"): (
        "torch._tensor",
        "_rebuild_from_type_v2",
    ),
    ("flambeau.serialization.rebuild", "_get_layout"): ("torch.serialization", "_get_layout"),
}

_PREFIXES = (
    ("torch.serialization", "flambeau.serialization"),
    ("torchvision", "flambeau.vision"),
    ("torchsummary", "flambeau.training.summary"),
    ("torch", "flambeau"),
)


def is_pytorch_name(module: str) -> bool:
    """Whether a module's name in a file is one that flambeau answers for."""
    return module.partition(".")[0] in ("torch", "torchvision", "torchsummary", "flambeau")


def pytorch_name(obj: Any, name: str | None = None) -> tuple[str, str] | None:
    """The module and name under which PyTorch knows one of flambeau's classes or functions.

    Args:
        obj: a class or a function.
        name: its qualified name, where it is not ``obj.__qualname__``.

    Returns:
        The pair, or None where ``obj`` is not flambeau's.
    """
    module = getattr(obj, "__module__", None)
    name = name or getattr(obj, "__qualname__", None) or getattr(obj, "__name__", None)
    if not isinstance(module, str) or not isinstance(name, str):
        return None
    top = module.partition(".")[0]
    if top in ("torch", "torchvision"):
        module = _swap(module, to_pytorch=False)
    elif top != "flambeau":
        return None
    for (home, own_name), pair in _HOMES.items():
        if name == own_name and (module + ".").startswith(home + "."):
            return pair
    if module == "flambeau.serialization.rebuild":
        return "torch._utils", name
    if not isinstance(obj, type):
        public = _public_function(obj, name)
        if public is not None:
            return public
    as_pytorch = _swap(module, to_pytorch=True)
    for package in _PACKAGES:
        if (as_pytorch + ".").startswith(package + "."):
            return _HOME_OF_CLASS.get((package, name), as_pytorch), name
    return as_pytorch, name


def _public_function(obj: Any, name: str) -> tuple[str, str] | None:
    """Functions are known by the public place that PyTorch also has."""
    for ours, theirs in (
        ("flambeau.nn.functional", "torch.nn.functional"),
        ("flambeau", "torch"),
        ("flambeau.nn.init", "torch.nn.init"),
    ):
        module = sys.modules.get(ours)
        if module is not None and module.__dict__.get(name) is obj:
            return theirs, name
    return None


def _swap(module: str, to_pytorch: bool) -> str:
    for theirs, ours in _PREFIXES:
        old, new = (ours, theirs) if to_pytorch else (theirs, ours)
        if (module + ".").startswith(old + "."):
            return new + module[len(old) :]
    return module


def _attribute(module: str, name: str) -> Any:
    found = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found


_ELSEWHERE = (
    # Modules of PyTorch, by prefix, and the public modules of ours to look in.
    ("torch.nn", ("flambeau.nn", "flambeau.nn.functional")),
    ("torch._C._nn", ("flambeau.nn.functional", "flambeau")),
    ("torch.optim.lr_scheduler", ("flambeau.optim.lr_scheduler",)),
    ("torch.optim", ("flambeau.optim",)),
    ("torch.utils.data", ("flambeau.utils.data",)),
    ("torch._utils", ("flambeau.serialization.rebuild",)),
    ("torch._tensor", ("flambeau.serialization.rebuild", "flambeau.tensor")),
    ("torch.serialization", ("flambeau.serialization.rebuild",)),
    ("torchvision.transforms", ("flambeau.vision.transforms",)),
    ("torchvision.datasets", ("flambeau.vision.datasets",)),
    ("torch", ("flambeau",)),
)


def resolve(module: str, name: str) -> Any:
    """The object of flambeau that a PyTorch name in a file means.

    Args:
        module: a module of PyTorch, torchvision or flambeau.
        name: the name in it.

    Raises:
        AttributeError: flambeau has nothing under that name.
    """
    if (module, name) == ("torch._C", "_VariableFunctionsClass"):
        return importlib.import_module("flambeau")  # getattr of it gives torch.relu and the like
    candidates = [_swap(module, to_pytorch=False)]
    for prefix, places in _ELSEWHERE:
        if (module + ".").startswith(prefix + "."):
            candidates.extend(place for place in places if place not in candidates)
    for candidate in candidates:
        try:
            return _attribute(candidate, name)
        except AttributeError:
            continue
        except ModuleNotFoundError as error:
            if error.name is None or not error.name.startswith("flambeau"):
                raise
    raise AttributeError(
        f"Can't get attribute '{name}' on module '{module}': flambeau has no {module}.{name}. "
        "If only the weights are wanted, save model.state_dict() where the file came from and "
        "load that."
    )
