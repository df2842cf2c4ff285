"""pandas, matplotlib, scikit-learn and tqdm take tensors as they take PyTorch's."""

from __future__ import annotations

import io

import numpy as np
import pytest

import flambeau as torch

GRAD = r"Can't call numpy\(\) on Tensor that requires grad"


def test_a_data_frame_of_tensors() -> None:
    pandas = pytest.importorskip("pandas")
    t = torch.arange(6.0).reshape(2, 3)
    frame = pandas.DataFrame(t, columns=list("abc"))
    assert frame["b"].tolist() == [1, 4]
    frame["d"] = t[:, 0]
    assert frame.dtypes.astype(str).tolist() == ["float32"] * 4
    assert pandas.DataFrame({"x": t[0], "y": t[1]}).shape == (3, 2)
    assert pandas.Series(t[1]).tolist() == [3, 4, 5]
    with pytest.raises(RuntimeError, match=GRAD):
        pandas.DataFrame({"x": torch.ones(3, requires_grad=True)})


def test_tensors_of_a_data_frame() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1, 2], "b": [1.5, 2.5]})
    assert torch.tensor(frame["a"]).dtype == torch.int64
    assert torch.tensor(frame["b"]).dtype == torch.float64
    assert torch.tensor(frame.values).shape == (2, 2)
    assert torch.FloatTensor(frame.values).dtype == torch.float32


@pytest.fixture
def axes():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots()
    yield axes
    figure.savefig(io.BytesIO())
    pyplot.close(figure)


def test_plotting_tensors(axes) -> None:
    t = torch.arange(6.0).reshape(2, 3)
    (line,) = axes.plot(t[0], t[1])
    assert isinstance(line.get_xdata(), np.ndarray)
    assert len(axes.plot(t)) == 3
    assert len(axes.hist(t)[0]) == 3
    assert axes.scatter(t[0], t[1], c=t[0]).get_offsets().shape == (3, 2)
    assert axes.imshow(t).get_array().shape == (2, 3)
    assert len(axes.bar(torch.arange(3), t[0])) == 3
    axes.plot([torch.tensor(1.0), torch.tensor(2.0)])
    axes.fill_between(torch.arange(3), t[0], t[1])


@pytest.mark.parametrize("kind", ["plot", "imshow", "hist"])
def test_plotting_a_tensor_that_requires_grad_is_refused(axes, kind: str) -> None:
    with pytest.raises(RuntimeError, match=GRAD):
        getattr(axes, kind)(torch.ones(1, 3, requires_grad=True))


def test_scikit_learn_takes_tensors() -> None:
    pytest.importorskip("sklearn")
    from sklearn.linear_model import LinearRegression
    from sklearn.metrics import accuracy_score, confusion_matrix
    from sklearn.model_selection import train_test_split
    from sklearn.preprocessing import StandardScaler

    x = torch.randn(20, 3)
    y = (x[:, 0] > 0).long()
    np.testing.assert_allclose(LinearRegression().fit(x, x[:, 0]).coef_, [1, 0, 0], atol=1e-5)
    assert accuracy_score(y, y) == 1
    assert confusion_matrix(y, y).trace() == 20
    assert StandardScaler().fit_transform(x).shape == (20, 3)
    train, test, *_ = train_test_split(x, y, random_state=0)
    assert isinstance(train, torch.Tensor)
    assert tuple(test.shape) == (5, 3)
    with pytest.raises(RuntimeError, match=GRAD):
        LinearRegression().fit(x.requires_grad_(), y)


def test_a_progress_bar_knows_the_loaders_length() -> None:
    tqdm = pytest.importorskip("tqdm").tqdm
    data = torch.utils.data.TensorDataset(torch.arange(6.0), torch.arange(6))
    loader = torch.utils.data.DataLoader(data, batch_size=4)
    bar = tqdm(loader, file=io.StringIO())
    assert bar.total == 2
    assert [len(x) for x, _ in bar] == [4, 2]
