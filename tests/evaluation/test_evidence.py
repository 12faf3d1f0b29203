"""Evidence: what rules and measures read of a model, and how often the model runs for it."""

import numpy as np
import pytest

from tfcil.evaluation.evidence import Evidence
from tfcil.evaluation.figures import compute_figures
from tfcil.evaluation.registry import all_measures, all_rules
from tfcil.exemplars import ExemplarMemory


@pytest.fixture
def passes():
    """How many images each forward pass took."""
    return []


@pytest.fixture
def evidence(passes):
    """A linear model of four pixels and two classes: its features are the pixels."""

    def forward(images):
        passes.append(len(images))
        features = images.reshape(len(images), 4).astype("float32")
        return {"logits": features @ np.eye(4, 2, dtype="float32"), "features": features}

    images = np.random.default_rng(0).integers(0, 256, (7, 2, 2, 1), np.uint8)
    kept = ExemplarMemory(images[:2], np.array([0, 1], np.int32), np.zeros(2, np.int32))
    return Evidence(forward, images, np.arange(7) % 2, kept)


def test_nothing_is_computed_before_it_is_read(evidence, passes):
    assert evidence.labels.tolist() == [0, 1, 0, 1, 0, 1, 0]
    assert evidence.exemplar_labels.tolist() == [0, 1]
    assert passes == []


def test_logits_and_features_are_of_one_pass(evidence, passes):
    np.testing.assert_array_equal(evidence.logits, evidence.features[:, :2])
    assert evidence.num_classes == 2
    assert passes == [7]


def test_all_rules_and_measures_together_take_a_pass_of_the_images_and_one_of_the_exemplars(
    evidence, passes
):
    for _ in range(2):
        for rule in all_rules().values():
            assert rule.predict(evidence).shape == (7,)
        figures = compute_figures(evidence, {"recall": [1]})
        assert {name.partition("@")[0] for name in figures} == set(all_measures())
    assert sorted(passes) == [2, 7]


def test_features_of_exemplars_are_those_of_their_images(evidence):
    np.testing.assert_array_equal(evidence.exemplar_features, evidence.features[:2])
