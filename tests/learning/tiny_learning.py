"""A small network for tests of learning from arrays.

Run as `python tiny_learning.py FOLDER` it opens the classifier there and learns the second task.
"""

import sys

import numpy as np
from characters import characters

RECIPE = {"epochs": 2, "batch_size": 16, "learning_rate": 0.01, "crop_padding": 2, "flip": True}


def backbone():
    """Has what makes copies differ where they should not: batch statistics and a Dropout."""
    import keras

    keras.utils.set_random_seed(3)
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            keras.layers.Rescaling(1 / 60, -1 / 3, name="scaling"),
            keras.layers.Conv2D(8, 5, strides=3, name="convolution"),
            keras.layers.BatchNormalization(name="normalised"),
            keras.layers.ReLU(name="positive"),
            keras.layers.Dropout(0.2, name="dropout"),
            keras.layers.GlobalAveragePooling2D(name="pooling"),
        ],
        name="tiny",
    )


def classifier(folder=None, budget=12, **settings):
    """Made of the small network, not trained yet."""
    import tfcil

    settings = {"recipe": RECIPE, "seed": 5, "backbone": backbone()} | settings
    return tfcil.IncrementalClassifier(budget, folder=folder, **settings)


def arrays_of(model):
    """Copies of the weights of a model."""
    return [np.array(weight) for weight in model.get_weights()]


if __name__ == "__main__":
    import tfcil
    from tfcil.training import make_deterministic

    make_deterministic()
    tfcil.IncrementalClassifier.open(sys.argv[1]).learn(*characters(4, 7))
