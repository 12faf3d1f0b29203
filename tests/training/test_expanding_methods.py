"""der and foster: one more backbone per task, and what becomes of it."""

import itertools

import numpy as np
import pytest
from tiny_tasks import assert_same, choice_of, head_of, learn, of_backbone, run

from tfcil.classifier import FEATURES, LOGITS, branches, expose, forward, num_classes

NUM_OLD, NUM_NEW = 4, 3


def outputs(model, images, name):
    return forward(expose(model, name), images)[name]


def test_der_adds_a_backbone_per_task_and_keeps_the_others():
    """Their features stay as they were, so weights and batch statistics did."""
    second = run("der")
    third = learn(second.student, 2, choice_of("der"))
    images = third.images[::5]
    models = [second.teacher, second.student, third.student]
    features = [outputs(model, images, FEATURES) for model in models]
    width = features[0].shape[1]
    assert [one.shape[1] for one in features] == [width, 2 * width, 3 * width]
    for older, newer in itertools.pairwise(features):
        np.testing.assert_array_equal(newer[:, : older.shape[1]], older)
        assert np.abs(newer[:, -width:] - older[:, -width:]).max() > 1e-3
    assert [len(branches(model)) for model in models] == [1, 2, 3]
    assert [num_classes(model) for model in models] == [4, 7, 9]
    task = third.phases[0].task
    assert (task.num_old, task.num_new, task.earlier) == (7, 2, (4, 3))
    assert task.class_counts == (3,) * 7 + (15, 15)


def test_der_starts_from_the_old_weights_and_then_trains_its_head_anew():
    found = run("der")
    main, balancing = found.phases
    kernel, bias = found.teacher.get_layer(LOGITS).get_weights()
    start, start_bias = head_of(main.student[0])
    np.testing.assert_array_equal(start[: kernel.shape[0], :NUM_OLD], kernel)
    np.testing.assert_array_equal(start_bias, [*bias, *[0] * NUM_NEW])
    again, again_bias = head_of(balancing.student[0])
    assert (again != head_of(main.student[1])[0]).all()
    np.testing.assert_array_equal(again_bias, 0)


def test_der_can_align_instead():
    found = run("der", "ce", "weight_aligning")
    assert [phase.name for phase in found.phases] == ["main"]
    norms = np.linalg.norm(found.student.get_layer(LOGITS).get_weights()[0], axis=0)
    assert norms[NUM_OLD:].mean() == pytest.approx(norms[:NUM_OLD].mean(), rel=1e-5)


def test_foster_is_compressed_to_one_backbone():
    found = run("foster")
    assert [phase.name for phase in found.phases] == ["main", "compression"]
    assert len(branches(found.student)) == 1
    kernel, _ = found.teacher.get_layer(LOGITS).get_weights()
    more = NUM_NEW * (kernel.shape[0] + 1)
    assert found.student.count_params() == found.teacher.count_params() + more
    # It is taught by the expanded model, as that was at the end of its training.
    boosting, compression = found.phases
    for backbones in (of_backbone, lambda weights: {LOGITS: head_of(weights)}):
        assert_same(backbones(compression.teacher[0]), backbones(boosting.student[1]))
    assert_same(compression.teacher[0], compression.teacher[1])


def test_foster_boosts_beside_a_frozen_backbone():
    before, after = map(of_backbone, run("foster").phases[0].student)
    old = {name for name in before if not name.endswith("_branch1")}
    assert len(old) == len(before) / 2
    assert_same({name: before[name] for name in old}, {name: after[name] for name in old})
    moved = set(before) - old
    assert all(np.abs(before[name][0] - after[name][0]).max() > 0 for name in moved)
