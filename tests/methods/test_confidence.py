"""The factor of a closed-form head's logits: by hand, and for probabilities that hold."""

import numpy as np
import pytest

from tfcil.methods.shared import statistics
from tfcil.methods.shared.confidence import SPREAD, gaussian_factor, likeliest_factor
from tfcil.methods.shared.statistics import ClassStatistics


def of(features, labels, num_classes=4, balanced=False):
    counts = np.bincount(labels, minlength=num_classes)
    weights = 1 / np.maximum(counts, 1) if balanced else np.ones(num_classes)
    return ClassStatistics.of(features, labels, weights)


def probabilities(logits):
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def margins_of_two(right, wrong):
    """Logits of class 0 that lead by 2, and then of class 1 that trail by 2."""
    return np.tile([1.0, -1.0], (right + wrong, 1)), np.repeat([0, 1], [right, wrong])


def test_the_gaussian_factor_by_hand():
    """Two classes at -1 and 1 with the variance 4, and the head (-x, x): a margin of mean 2 and
    variance 16. The log odds are 2 x / 4, so that its factor is a quarter."""
    features, labels = np.array([-3.0, 1, -1, 3])[:, None], np.array([0, 0, 1, 1])
    found = of(features, labels, 2)
    head = np.array([[-1.0, 1]]), np.zeros(2)
    assert gaussian_factor(head, found, found) == pytest.approx(0.25)
    assert gaussian_factor((4 * head[0], head[1]), found, found) == pytest.approx(1 / 16)


def test_the_gaussian_factor_without_images_or_of_a_head_by_chance_is_one():
    generator = np.random.default_rng(0)
    labels = np.tile(np.arange(4), 20)
    features = generator.normal(size=(4, 6))[labels] + generator.normal(size=(80, 6))
    found, none = of(features, labels), of(features[:0], labels[:0])
    head = statistics.discriminant_head(found, np.eye(6))
    assert gaussian_factor(head, found, none) == 1
    assert gaussian_factor((-head[0], -head[1]), found, found) == 1


@pytest.mark.parametrize("balanced", [False, True])
def test_the_gaussian_factor_makes_probabilities_of_an_overfitted_head(balanced):
    """More dimensions than images: at best accuracy and mean probability would agree."""
    generator = np.random.default_rng(0)
    centres = generator.normal(size=(4, 200)) * 0.25
    labels = np.tile(np.arange(4), 1050)
    features = centres[labels] + generator.normal(size=(len(labels), 200))
    kept, held, test = slice(0, 160), slice(160, 200), slice(200, None)
    trained, other = (of(features[one], labels[one], 4, balanced) for one in (kept, held))
    head = statistics.ridge_head(trained, 0.01)
    logits = features[test] @ head[0] + head[1]
    accuracy = np.mean(logits.argmax(axis=1) == labels[test])
    factor = gaussian_factor(head, trained, other)
    gaps = [abs(probabilities(s * logits).max(axis=1).mean() - accuracy) for s in (1, factor)]
    assert 0.4 < accuracy < 0.9
    assert gaps[1] < 0.06 < gaps[0]


@pytest.mark.parametrize("expected", [0.1, 5.0])
def test_many_images_decide_the_factor(expected):
    """Three of four are right by a margin of 2: softmax gives 3/4 where 2 s = ln 3."""
    logits, labels = margins_of_two(30_000, 10_000)
    factor = likeliest_factor(logits, labels, np.ones(len(labels)), expected)
    assert factor == pytest.approx(np.log(3) / 2, rel=2e-3)


def test_weights_count_as_images_do():
    """One right image of weight 3 and one wrong image of weight 1, many times."""
    logits, labels = margins_of_two(10_000, 10_000)
    factor = likeliest_factor(logits, labels, np.where(labels == 0, 0.3, 0.1), 1.0)
    assert factor == pytest.approx(np.log(3) / 2, rel=2e-3)


def test_images_that_are_all_right_do_not_make_every_answer_certain():
    """Derivative of the loss by ln s: n m s / (1 + e^(m s)) = ln(s / expected) / SPREAD^2."""
    logits, labels = margins_of_two(6, 0)
    factor = likeliest_factor(logits, labels, np.ones(6), 0.5)
    assert 6 * 2 * factor / (1 + np.exp(2 * factor)) == pytest.approx(
        np.log(factor / 0.5) / SPREAD**2, rel=1e-4
    )
    assert 0.5 < factor < 1


def test_the_factor_has_the_unit_of_the_logits():
    """Logits a thousand times as large, and so expected: the same probabilities."""
    generator = np.random.default_rng(0)
    logits, labels = generator.normal(size=(50, 7)), generator.integers(7, size=50)
    one = likeliest_factor(logits, labels, np.ones(50), 2.0)
    assert likeliest_factor(1000 * logits, labels, np.ones(50), 0.002) == pytest.approx(one / 1000)
