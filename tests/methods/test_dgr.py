"""dgr counts old images as they came, not as they are kept, from the memory to its loss."""

import dataclasses
from unittest import mock

import numpy as np
import pytest
from loss_of_terms import loss_of, task_of
from tiny_tasks import RECIPE, images_of

import tfcil
from tfcil.errors import UserError
from tfcil.losses import distribution_aware_distillation
from tfcil.methods import dgr


def test_weight_and_lost_images_follow_from_what_the_old_classes_came_with():
    """Classes of 98 and 2 images, of which 2 each are kept, and 25 new images."""
    task = dataclasses.replace(task_of(2, [2, 2, 25]), original_counts=(98, 2))
    term = dgr.distillation(task, dgr.Options())
    assert term.weight == pytest.approx(0.7 * 2)
    teacher, student = np.random.default_rng(0).normal(size=(2, 4, 2)).astype("float32")
    _, curve = loss_of([term], [0, 1, 2, 2], {"old_logits": student}, {"logits": teacher})
    expected = distribution_aware_distillation(teacher, student, [96, 0])
    assert float(curve["distillation"]) == pytest.approx(float(np.mean(expected)), rel=1e-5)


def test_unknown_counts_are_those_of_the_exemplars_and_none_at_all_are_refused():
    task = dataclasses.replace(task_of(3, [2, 5, 4, 25]), original_counts=(98, 0))
    assert task.old_counts.tolist() == [98, 5, 4]
    dgr.check(task, dgr.Options())
    with pytest.raises(UserError, match=r"^method\.name=dgr needs to know .* Received: none$"):
        dgr.check(task_of(2, [0, 0, 25]), dgr.Options())


def test_the_memory_tells_how_many_images_the_old_classes_came_with():
    settings = {"budget": 6, "recipe": RECIPE, "method": {"name": "dgr"}}
    images, labels = images_of(0, 2, exemplars=0)
    some = np.flatnonzero((labels == 0) | (np.arange(len(labels)) % 3 == 0))
    came = np.bincount(labels[some]).tolist()
    assert came[0] > came[1] > 3
    model, memory = tfcil.learn(images[some], labels[some], **settings)
    with mock.patch.object(dgr, "distillation", wraps=dgr.distillation) as called:
        _, memory = tfcil.learn(*images_of(2, 3, exemplars=0), model, memory, **settings)
    (task, _), _ = called.call_args
    assert task.class_counts == (3, 3, 15)
    assert task.old_counts.tolist() == came
    assert memory.original_counts.tolist() == [*came, 15]
