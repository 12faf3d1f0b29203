"""Which images a step sees: every image once per epoch, whatever epoch a run starts from."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfcil.training.batches import Plan

SIZES = st.integers(1, 60)


@settings(max_examples=50, deadline=None)
@given(size=SIZES, batch_size=st.integers(1, 40), epochs=st.integers(1, 5))
def test_every_image_is_seen_once_per_epoch_in_full_batches(size, batch_size, epochs):
    plan = Plan(size, batch_size, epochs, seed=1, task=0)
    batches = [indices for epoch in range(epochs) for indices, _ in plan.epoch(epoch)]
    assert len(batches) == plan.steps
    assert all(len(indices) == batch_size for indices in batches)
    stream = np.concatenate(batches)[: epochs * size].reshape(epochs, size)
    assert (np.sort(stream, axis=1) == np.arange(size)).all()


def test_an_epoch_is_the_same_whether_or_not_the_ones_before_were_run():
    plan = Plan(50, 8, 4, seed=3, task=20, crop_padding=4, flip=True)
    through = [list(plan.epoch(epoch)) for epoch in range(4)][2]
    alone = list(Plan(50, 8, 4, seed=3, task=20, crop_padding=4, flip=True).epoch(2))
    for (indices, draws), (same_indices, same_draws) in zip(through, alone, strict=True):
        np.testing.assert_array_equal(indices, same_indices)
        np.testing.assert_array_equal(draws, same_draws)


@pytest.mark.parametrize("change", [{"seed": 4}, {"task": 30}])
def test_seed_and_task_change_the_order(change):
    settings = {"size": 50, "batch_size": 50, "epochs": 1, "seed": 3, "task": 20}
    (indices, _), *_ = Plan(**settings).epoch(0)
    (others, _), *_ = Plan(**settings | change).epoch(0)
    assert not np.array_equal(indices, others)


def test_epochs_differ_from_each_other():
    plan = Plan(50, 50, 2, seed=3, task=0)
    assert not np.array_equal(next(plan.epoch(0))[0], next(plan.epoch(1))[0])
