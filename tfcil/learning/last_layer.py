"""The correction retrain_head for any Keras classifier, without tasks."""

import numpy as np

from tfcil.classifier import head_and_features
from tfcil.corrections.retrain_head import Options, images_per_class, refitted_head
from tfcil.errors import UserError


def retrain_head(
    model, images, labels, penalty="l2", strength=None, repeats=10, seed=0, batch_size=250
):
    """Fits the last layer of a classifier anew, in place, on equally many images of each class.

    It is a logistic regression on the standardised inputs of the layer, averaged over draws with as
    many images of each class as the smallest one has. No other weight changes.

    Args:
        model: a `keras.Model` with one input and one output that ends with a Dense layer, at most
            followed by a softmax. It is changed.
        images: (n, ...), as the model takes them: those it was trained on, or others.
        labels: (n,) integers, the outputs that are right; each class has some.
        penalty: `"l1"` or `"l2"`, of the weights.
        strength: of the penalty, 1 / C of scikit-learn; `None`: chosen on half of the images, which
            the fit for the choice does not see.
        repeats: balanced draws whose heads are averaged.
        seed: of the draws.
        batch_size: images at a time.

    Returns:
        The same model.

    Raises:
        UserError: the model has another end, a class has no image, or a setting is wrong.

    Example:
        >>> tfcil.retrain_head(model, images, labels).save("retrained.keras")

    Reference:
        Kirichenko et al., DFR (arXiv 2204.02937).
    """
    given = {"penalty": penalty, "strength": strength, "repeats": repeats}
    options = Options.of(given, "retrain_head")
    head, body = head_and_features(model)
    if not head.use_bias or head.quantization_mode:
        what = "a quantized one" if head.quantization_mode else "use_bias=False"
        raise UserError(
            "retrain_head: expected a Dense layer with a bias and weights of floats. "
            f"Received: layer={head.name} with {what}"
        )
    labels = np.asarray(labels)
    _check_labels(labels, len(images), head.units)
    features = body.predict(images, batch_size=batch_size, verbose=0)
    size = images_per_class(labels)
    head.set_weights(refitted_head(features, labels, size, options, np.random.default_rng(seed)))
    return model


def _check_labels(labels, num_images, num_classes) -> None:
    if labels.shape != (num_images,) or labels.dtype.kind not in "iu":
        raise UserError(
            f"retrain_head: expected labels: one integer for each of {num_images} images. "
            f"Received: labels of shape {labels.shape} and type {labels.dtype}"
        )
    if missing := set(range(num_classes)) ^ set(labels.tolist()):
        raise UserError(
            f"retrain_head: expected images of each class from 0 to {num_classes - 1} and of no "
            f"other. Received: label {min(missing)} "
            f"{'without an image' if 0 <= min(missing) < num_classes else 'in labels'}"
        )
