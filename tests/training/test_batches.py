"""Which images a step sees: every image once per epoch, whatever epoch a run starts from."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfcil.layers.augmentation import Augmentation
from tfcil.training.batches import Plan, Stream

SIZES = st.integers(1, 60)
AUGMENTATION = Augmentation(crop_padding=4, flip=True)


def plan_of(size, batch_size, epochs, seed=(3, 20, 0), **options):
    return Plan((Stream(np.arange(size), batch_size),), epochs, seed, **options)


@settings(max_examples=50, deadline=None)
@given(size=SIZES, batch_size=st.integers(1, 40), epochs=st.integers(1, 5))
def test_every_image_is_seen_once_per_epoch_in_full_batches(size, batch_size, epochs):
    plan = plan_of(size, batch_size, epochs)
    batches = [indices for epoch in range(epochs) for indices, _ in plan.epoch(epoch)]
    assert len(batches) == plan.steps
    assert all(len(indices) == batch_size for indices in batches)
    stream = np.concatenate(batches)[: epochs * size].reshape(epochs, size)
    assert (np.sort(stream, axis=1) == np.arange(size)).all()


def test_an_epoch_is_the_same_whether_or_not_the_ones_before_were_run():
    plan = plan_of(50, 8, 4, augmentation=AUGMENTATION)
    through = [list(plan.epoch(epoch)) for epoch in range(4)][2]
    alone = list(plan_of(50, 8, 4, augmentation=AUGMENTATION).epoch(2))
    for (indices, draws), (same_indices, same_draws) in zip(through, alone, strict=True):
        np.testing.assert_array_equal(indices, same_indices)
        np.testing.assert_array_equal(draws, same_draws)


@pytest.mark.parametrize("seed", [(4, 20, 0), (3, 30, 0), (3, 20, 1)])
def test_seed_task_and_stage_change_the_order(seed):
    (indices, _), *_ = plan_of(50, 50, 1).epoch(0)
    (others, _), *_ = plan_of(50, 50, 1, seed).epoch(0)
    assert not np.array_equal(indices, others)


def test_each_stream_has_its_share_of_every_batch_and_the_first_makes_the_epoch():
    new, old = np.arange(10, 30), np.arange(3)
    plan = Plan((Stream(new, 5), Stream(old, 2)), 2, (0,))
    batches = [indices for epoch in range(2) for indices, _ in plan.epoch(epoch)]
    assert plan.steps == len(batches) == 8
    assert plan.batch_size == 7
    for epoch in (batches[:4], batches[4:]):
        assert sorted(np.concatenate([indices[:5] for indices in epoch])) == new.tolist()
    replayed = np.concatenate([indices[5:] for indices in batches])
    assert np.bincount(replayed[:15]).tolist() == [5, 5, 5]


def test_epochs_differ_from_each_other():
    plan = plan_of(50, 50, 2)
    assert not np.array_equal(next(plan.epoch(0))[0], next(plan.epoch(1))[0])
