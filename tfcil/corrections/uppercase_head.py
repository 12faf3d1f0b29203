"""uppercase_head: a head that starts at 0, by a few hundred steps of Adam on balanced classes.

Reference: Patacchiola et al., UpperCaSE (arXiv 2206.09843): the fit of its head. Its context, here
the exemplars and as many images of each new class, is our choice.
"""

import numpy as np
from pydantic import Field

from tfcil import classifier
from tfcil.components import facts
from tfcil.components.sections import NonNegative, Positive, PositiveInt
from tfcil.corrections.balanced_finetuning import balanced_images
from tfcil.corrections.shared.every_class import check_every_class
from tfcil.corrections.shared.logistic import cross_entropy

FACTS = facts.CorrectionFacts(heads=("linear",), needs_memory=True)
MEMORIES, TINY = (0.9, 0.999), 1e-8  # Adam's betas and epsilon


class Options(facts.Options):
    """Options of uppercase_head."""

    iterations: PositiveInt = Field(500, description="steps of Adam")
    batch_size: PositiveInt = Field(128, description="images per step, drawn with replacement")
    learning_rate: Positive = Field(1e-3, description="of the first step; it falls linearly")
    last_learning_rate: Positive = Field(1e-5, description="of the last step")
    weight_decay: NonNegative = Field(
        1e-5, description="L2 coefficient, added to the gradient (coupled, as in PyTorch)"
    )


def check(task, options) -> None:
    """Refuses a task in which a class has no image."""
    check_every_class(task, "uppercase_head")


def correct(task, train, trained, options):
    """Fits the head anew on the features of equally many images per class, chosen by herding."""
    features = task.features(trained)
    chosen = balanced_images(task.labels, task.num_old, features)
    head = fitted_head(features[chosen], task.labels[chosen], options, task.generator)
    trained.get_layer(classifier.LOGITS).set_weights(head)
    return trained


def fitted_head(features, labels, options, generator):
    """Computes a linear head by Adam on the cross-entropy, from weights of 0.

    Args:
        features: (n, d), as the head receives them.
        labels: (n,) integers; each class has some.
        options: the `Options`.
        generator: a `numpy.random.Generator`.

    Returns:
        The kernel (d, classes) and the bias (classes,), float32.
    """
    # The bias is the weight of one more feature.
    inputs = np.concatenate([features, np.ones((len(features), 1))], axis=1)
    weights = np.zeros((inputs.shape[1], labels.max() + 1))
    mean, square = np.zeros_like(weights), np.zeros_like(weights)
    rates = np.linspace(options.learning_rate, options.last_learning_rate, options.iterations)
    for step, rate in enumerate(rates, start=1):
        drawn = generator.integers(len(labels), size=options.batch_size)
        _, by_logits = cross_entropy(inputs[drawn] @ weights, labels[drawn])
        gradient = inputs[drawn].T @ by_logits + options.weight_decay * weights
        mean = MEMORIES[0] * mean + (1 - MEMORIES[0]) * gradient
        square = MEMORIES[1] * square + (1 - MEMORIES[1]) * gradient**2
        unbiased = mean / (1 - MEMORIES[0] ** step), square / (1 - MEMORIES[1] ** step)
        weights = weights - rate * unbiased[0] / (np.sqrt(unbiased[1]) + TINY)
    return weights[:-1].astype("float32"), weights[-1].astype("float32")
