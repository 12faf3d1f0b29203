"""Learns two small tasks in a process of its own and writes curves and weights to an npz.

Run as: python two_tasks.py OUT STRATEGY CPUS METHOD LOSS. The Keras backend comes from the
environment; CPUS is the number of logical devices TensorFlow sees.
"""

import sys

import numpy as np


def learn(strategy, method_name="baseline", loss="bsce", **options):
    from tfcil.classifier import untrained
    from tfcil.config.params import Dataset, TaskSettings
    from tfcil.data.datasets import load_dataset
    from tfcil.training import make_deterministic, train_task

    make_deterministic()
    dataset = load_dataset(Dataset(name="omniglot100"))
    images, labels = dataset.train_images, dataset.train_labels
    # The second task sees 6 new classes in full, and 2 images of each of the 4 old ones.
    first = labels < 4
    old = np.concatenate([np.flatnonzero(labels == label)[:2] for label in range(4)])
    second = np.concatenate([np.flatnonzero((labels >= 4) & (labels < 10)), old])
    # A small rate: at a large one, ReLU and pooling make much of differences in the last digit.
    recipe = {
        "epochs": 2,
        "batch_size": 20,
        "learning_rate": 1e-3,
        "crop_padding": 2,
        "flip": True,
    }
    settings = {"recipe": recipe, "second_stage": recipe, "seed": 5, "strategy": strategy}
    settings |= {"method": {"name": method_name, "loss": loss, **options}}
    settings = TaskSettings.of(settings, "settings")
    model = untrained("simple_cnn", (28, 28, 1), [20.0], [60.0], seed=5)
    # Each backend draws its own numbers from a seed; these are the same on all.
    generator = np.random.default_rng(5)
    model.set_weights(
        [
            generator.normal(0, (2 / np.prod(value.shape[:3])) ** 0.5, value.shape)
            if value.ndim == 4
            else value
            for value in model.get_weights()
        ]
    )
    base, base_curve = train_task(lambda: model, images[first], labels[first], settings)
    student, curve = train_task(lambda: base, images[second], labels[second], settings)
    return base, base_curve, student, curve


def numbers(curve):
    """The figures of a curve's rows, without the names of the stages."""
    return [[value for name, value in row.items() if name != "stage"] for row in curve]


if __name__ == "__main__":
    out, strategy, cpus, method_name, loss = sys.argv[1:]
    if int(cpus) > 1:
        import tensorflow as tf

        tf.config.set_logical_device_configuration(
            tf.config.list_physical_devices("CPU")[0],
            [tf.config.LogicalDeviceConfiguration()] * int(cpus),
        )
    _, base_curve, student, curve = learn(strategy, method_name, loss)
    rows = numbers(base_curve)
    later = numbers(curve)
    weights = {f"weight{i}": value for i, value in enumerate(student.get_weights())}
    np.savez(out, base_curve=rows, curve=later, **weights)
