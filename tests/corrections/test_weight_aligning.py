"""weight_aligning: official numbers, what moves and what stays."""

import numpy as np
import pytest

from tfcil.corrections.weight_aligning import aligned_kernel
from tfcil.errors import UserError


def rng(seed=0):
    return np.random.default_rng(seed)


def norms(kernel):
    return np.linalg.norm(kernel, axis=0)


@pytest.mark.parametrize("form", ["", "foster_"])
def test_official_weight_aligning(oracle, form):
    stored = oracle("wa")
    kernel = stored["weight"].T
    decay = float(stored["foster_value"]) if form else 1.0
    num_old = kernel.shape[1] - int(stored["n_new"])
    aligned, gamma = aligned_kernel(kernel, num_old, decay)
    np.testing.assert_allclose(aligned, stored[f"{form}aligned"].T, rtol=1e-12)
    np.testing.assert_allclose(gamma, stored[f"{form}gamma"], rtol=1e-12)


def test_aligned_columns_have_one_mean_norm_and_old_ones_stay():
    kernel = rng().normal(size=(6, 5)).astype("float32") * [1, 2, 3, 10, 20]
    kernel = kernel.astype("float32")
    aligned, _ = aligned_kernel(kernel, 3)
    assert aligned.dtype == np.float32
    np.testing.assert_array_equal(aligned[:, :3], kernel[:, :3])
    np.testing.assert_allclose(norms(aligned)[:3].mean(), norms(aligned)[3:].mean(), rtol=1e-6)


def test_aligning_new_columns_of_0_leaves_them():
    aligned, gamma = aligned_kernel(np.array([[1.0, 0], [1, 0]]), 1)
    np.testing.assert_array_equal(aligned[:, 1], 0)
    assert np.isfinite(gamma)


@pytest.mark.parametrize("num_old", [0, 3, 4])
def test_aligning_needs_old_and_new_classes(num_old):
    with pytest.raises(UserError, match=f"Received: num_old={num_old}"):
        aligned_kernel(np.ones((2, 3)), num_old)
