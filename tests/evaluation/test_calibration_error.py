"""The expected calibration error, by hand and against its definition bin by bin."""

import numpy as np
import pytest

from tfcil.evaluation.evidence import Evidence
from tfcil.evaluation.registry import all_measures
from tfcil.exemplars import ExemplarMemory

MEASURE = all_measures()["calibration_error"]


def error_of(logits, labels):
    logits = np.asarray(logits)
    images = np.zeros((len(logits), 1, 1, 1), np.uint8)
    evidence = Evidence(
        lambda images: {"logits": logits},
        images,
        np.asarray(labels),
        ExemplarMemory.empty((1, 1, 1)),
    )
    return MEASURE.compute(evidence)


def test_error_by_hand():
    """Two classes, log odds of 0.9, 0.92, 0.6 and 0.62.

    Bins of width 1/15: 0.9 and 0.92 lie in (13/15, 14/15], 0.6 = 9/15 in (8/15, 9/15] and 0.62 in
    (9/15, 10/15]. Of the first two one is right: |1/2 - 0.91|; 0.6 is right: |1 - 0.6|; 0.62 is
    wrong: |0 - 0.62|. Weighted: (2 * 0.41 + 0.4 + 0.62) / 4 = 0.46.
    """
    shares = np.array([0.9, 0.92, 0.6 - 1e-9, 0.62])
    logits = np.log(np.stack([shares, 1 - shares], axis=1))
    assert error_of(logits, [0, 1, 0, 1]) == pytest.approx(0.46, abs=1e-6)


def test_error_is_zero_where_confidence_is_accuracy():
    """Four classes that are equally probable, right once in four; certain and always right."""
    assert error_of(np.zeros((4, 4)), [0, 1, 2, 3]) == pytest.approx(0)
    assert error_of([[0.0, 900.0], [900.0, 0.0]], [1, 0]) == pytest.approx(0)


def test_error_of_certain_and_wrong_answers_is_one():
    assert error_of([[0.0, 900.0], [900.0, 0.0]], [0, 1]) == pytest.approx(1)


def test_error_is_that_of_the_definition():
    """Guo et al., equation 3: |B| / n * |accuracy(B) - confidence(B)|, summed over 15 bins."""
    generator = np.random.default_rng(0)
    logits, labels = generator.normal(size=(500, 7)) * 2, generator.integers(0, 7, 500)
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    confidences, hits = shares.max(axis=1), shares.argmax(axis=1) == labels
    expected = 0
    for number in range(15):
        inside = (confidences > number / 15) & (confidences <= (number + 1) / 15)
        if inside.any():
            gap = abs(hits[inside].mean() - confidences[inside].mean())
            expected += inside.mean() * gap
    assert error_of(logits, labels) == pytest.approx(expected)


def test_error_of_a_model_that_diverged_is_undefined():
    assert error_of([[np.nan, 1.0]], [0]) is None


def test_a_fall_is_good():
    assert MEASURE.less_is_better
    assert MEASURE.kind == "points"
