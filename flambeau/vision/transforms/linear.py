"""A linear map of an image's values: whitening."""

from __future__ import annotations

from typing import Any

from ... import nn
from ...tensor import Tensor


class LinearTransformation(nn.Module):
    """Subtracts a mean from an image's values, in a row, and multiplies them by a matrix.

    For whitening: the matrix from the covariance of a dataset's images.

    Args:
        transformation_matrix: ``(D, D)`` with ``D = C * H * W``.
        mean_vector: ``(D,)``.

    Raises:
        ValueError: the matrix is not square, the mean is not as long, they are on two devices, or
            (when called) the image has not as many values.
        TypeError: the image is no tensor.

    Source: https://docs.pytorch.org/vision/0.28/generated/torchvision.transforms.LinearTransformation.html
    """

    def __init__(self, transformation_matrix: Tensor, mean_vector: Tensor) -> None:
        super().__init__()
        rows, columns = (int(side) for side in transformation_matrix.shape)
        if rows != columns:
            raise ValueError(
                f"transformation_matrix should be square. Got {(rows, columns)} rectangular matrix."
            )
        if mean_vector.shape[0] != columns:
            raise ValueError(
                f"mean_vector should have the same length {mean_vector.shape[0]} as any one of the "
                f"dimensions of the transformation_matrix [{(rows, columns)}]"
            )
        if transformation_matrix.device != mean_vector.device:
            raise ValueError(
                "Input tensors should be on the same device. Got "
                f"{transformation_matrix.device} and {mean_vector.device}"
            )
        self.transformation_matrix = transformation_matrix
        self.mean_vector = mean_vector

    def forward(self, tensor: Any) -> Any:
        if not isinstance(tensor, Tensor):
            raise TypeError(f"{type(self).__name__} does not support PIL images: pass a tensor")
        count = 1
        for side in tensor.shape[-3:]:
            count *= int(side)
        if count != self.transformation_matrix.shape[0]:
            raise ValueError(
                "Input tensor and transformation matrix have incompatible shape."
                f"[{' x '.join(str(int(side)) for side in tensor.shape[-3:])}] != "
                f"{self.transformation_matrix.shape[0]}"
            )
        centred = tensor.reshape(-1, count) - self.mean_vector  # type: ignore[attr-defined]
        matrix = self.transformation_matrix.to(centred.dtype)
        return (centred @ matrix).to(tensor.dtype).reshape(tensor.shape)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(transformation_matrix={self.transformation_matrix.tolist()}, "
            f"mean_vector={self.mean_vector.tolist()})"
        )
