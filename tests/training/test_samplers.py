"""Which images a step sees: a pure function of (seed, step), whatever epoch a run starts from."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfcil.layers.draws import Augmentation
from tfcil.training import Balanced, Joined, PerClass, Shuffled
from tfcil.training.samplers import Plan

SEED = (3, 20, 0)
AUGMENTATION = Augmentation(crop_padding=4, flip=True)
quickly = settings(max_examples=50, deadline=None)


def plan_of(size, batch_size, epochs, seed=SEED, **options):
    return Plan(Shuffled(np.arange(size), batch_size), epochs, seed, **options)


def batches_of(plan):
    """The images of each step of each epoch."""
    return [[indices for _, indices, _ in plan.epoch(epoch)] for epoch in range(plan.epochs)]


@quickly
@given(size=st.integers(1, 60), batch_size=st.integers(1, 40), epochs=st.integers(1, 5))
def test_every_image_is_seen_once_per_epoch_in_full_batches(size, batch_size, epochs):
    plan = plan_of(size, batch_size, epochs)
    batches = [indices for epoch in batches_of(plan) for indices in epoch]
    assert len(batches) == plan.steps
    assert all(len(indices) == min(batch_size, size) for indices in batches)
    stream = np.concatenate(batches)[: epochs * size].reshape(epochs, size)
    assert (np.sort(stream, axis=1) == np.arange(size)).all()


def test_steps_are_numbered_through_all_epochs():
    plan = plan_of(10, 4, 3)
    numbers = [[number for number, *_ in plan.epoch(epoch)] for epoch in range(3)]
    assert numbers == [[0, 1, 2], [3, 4], [5, 6, 7]]  # an epoch may end within a batch


def test_an_epoch_is_the_same_whether_or_not_the_ones_before_were_run():
    plan = plan_of(50, 8, 4, augmentation=AUGMENTATION)
    through = [list(plan.epoch(epoch)) for epoch in range(4)][2]
    alone = list(plan_of(50, 8, 4, augmentation=AUGMENTATION).epoch(2))
    for step, same_step in zip(through, alone, strict=True):
        for values, same in zip(step, same_step, strict=True):
            np.testing.assert_array_equal(values, same)


@pytest.mark.parametrize("seed", [(4, 20, 0), (3, 30, 0), (3, 20, 1)])
def test_seed_task_and_phase_change_the_order(seed):
    ((first,),), ((other,),) = batches_of(plan_of(50, 50, 1)), batches_of(plan_of(50, 50, 1, seed))
    assert not np.array_equal(first, other)


def test_epochs_differ_from_each_other():
    (first,), (second,) = batches_of(plan_of(50, 50, 2))
    assert not np.array_equal(first, second)


NEW, OLD = np.arange(10, 30), np.arange(3)


def joined(batch_size=5):
    return Joined((Shuffled(NEW, batch_size), Shuffled(OLD, 2, number=1)))


def test_joined_samplers_have_their_share_of_every_batch_and_the_first_makes_the_epoch():
    plan = Plan(joined(), 2, (0,))
    epochs = batches_of(plan)
    assert [len(epoch) for epoch in epochs] == [4, 4]
    assert plan.steps == 8
    assert plan.sampler.size == 7
    assert sorted(plan.sampler.indices) == [*OLD, *NEW]
    for epoch in epochs:
        assert sorted(np.concatenate([indices[:5] for indices in epoch])) == NEW.tolist()
    replayed = np.concatenate([indices[5:] for epoch in epochs for indices in epoch])
    assert np.bincount(replayed[:15]).tolist() == [5, 5, 5]


def test_joined_samplers_of_the_same_images_do_not_see_them_in_the_same_order():
    both = Joined((Shuffled(NEW, 20), Shuffled(NEW, 20, number=1)))
    first, second = both.batch(SEED, 0).reshape(2, 20)
    assert not np.array_equal(first, second)


def test_balanced_sampler_sees_each_class_equally_often():
    """3, 30 and 300 images: each class is a third of what is seen, each of its images as likely."""
    labels = np.random.default_rng(0).permutation(np.repeat([0, 4, 7], [3, 30, 300]))
    sampler = Balanced(labels, 111)
    assert sampler.steps_per_epoch == 3
    seen = np.concatenate([sampler.batch(SEED, step) for step in range(200)])
    shares = np.bincount(labels[seen])[[0, 4, 7]] / len(seen)
    np.testing.assert_allclose(shares, 1 / 3, atol=0.01)
    of_rare = np.bincount(seen)[labels == 0] / len(seen)
    np.testing.assert_allclose(of_rare, 1 / 9, atol=0.01)
    assert len(np.unique(seen)) == 333


@quickly
@given(
    counts=st.lists(st.integers(1, 6), min_size=1, max_size=8),
    classes=st.integers(1, 10),
    per_class=st.integers(1, 5),
    step=st.integers(0, 1000),
)
def test_per_class_sampler_draws_different_classes_and_as_many_images_of_each(
    counts, classes, per_class, step
):
    """An image comes again only where all of its class came: as often as one another, but for 1."""
    labels = np.random.default_rng(0).permutation(np.repeat(10 * np.arange(len(counts)), counts))
    sampler = PerClass(labels, classes, per_class)
    indices = sampler.batch(SEED, step)
    assert len(indices) == len(sampler.passes(step)) == sampler.size
    found, times = np.unique(labels[indices], return_counts=True)
    assert len(found) == min(classes, len(counts))
    assert (times == per_class).all()
    for label in found:
        often = np.bincount(indices, minlength=len(labels))[labels == label]
        assert often.max() - often.min() <= 1


def test_per_class_sampler_sees_each_class_and_each_of_its_images_equally_often():
    labels = np.random.default_rng(0).permutation(np.repeat([0, 4, 7, 9], [2, 3, 30, 100]))
    sampler = PerClass(labels, 3, 2)
    assert sampler.steps_per_epoch == 135 / 6
    seen = np.concatenate([sampler.batch(SEED, step) for step in range(2000)])
    shares = np.bincount(labels[seen])[[0, 4, 7, 9]] / len(seen)
    np.testing.assert_allclose(shares, 1 / 4, atol=0.01)
    of_thirty = np.bincount(seen)[labels == 7] / len(seen)
    np.testing.assert_allclose(of_thirty, 1 / 120, atol=0.003)


@pytest.mark.parametrize(
    "sampler", [PerClass(np.arange(12) % 6, 6, 4), Balanced(np.arange(12), 30)]
)
def test_an_epoch_has_a_step_where_a_batch_draws_more_images_than_there_are(sampler):
    assert [len(numbers) for numbers in batches_of(Plan(sampler, 3, SEED))] == [1, 1, 1]


@pytest.mark.parametrize(
    "sampler",
    [Shuffled(NEW, 7), joined(), Balanced(np.arange(20) % 3, 6), PerClass(np.arange(20) % 6, 3, 2)],
    ids=lambda one: type(one).__name__,
)
def test_a_batch_is_a_function_of_seed_and_step(sampler):
    expected = [sampler.batch(SEED, step) for step in range(6)]
    assert all(len(indices) == sampler.size for indices in expected)
    for step in (5, 0, 3):
        np.testing.assert_array_equal(sampler.batch(SEED, step), expected[step])
    assert not np.array_equal(expected[0], expected[1])
    assert not np.array_equal(sampler.batch((3, 20, 1), 0), expected[0])
