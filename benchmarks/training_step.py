"""Images per second of tfcil's training step, against a hand-written loop and against PyTorch.

All train ResNet-32 on 32x32x3 images, as they are or resized, with random crops and flips, SGD with
momentum and weight decay; once with cross-entropy alone, once with the distillation of a teacher.
"""

import argparse
import importlib.util
import os
import time
from dataclasses import dataclass
from itertools import islice, product

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@dataclass(frozen=True)
class Settings:
    """What all implementations have in common."""

    batch_size: int = 128
    side: int = 32
    crop_padding: int = 4
    learning_rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    temperature: float = 2.0
    distillation_weight: float = 1.0
    mean: tuple = (129.3, 124.1, 112.4)
    std: tuple = (68.2, 65.4, 70.4)


class TfcilSteps:
    """Takes the steps of the first phase of a task, as `tfcil.training.train.fit` does."""

    def __init__(self, images, labels, teacher, num_new, settings):
        from tfcil.classifier import num_classes
        from tfcil.components.facts import Head
        from tfcil.components.recipe import Recipe
        from tfcil.components.registry import find
        from tfcil.training import Task
        from tfcil.training.train import Training, make_engine, take_steps

        num_old = num_classes(teacher)
        task = Task(
            teacher=teacher,
            num_old=num_old,
            num_new=num_new,
            earlier=(num_old,),
            images=images,
            labels=labels,
            recipe=Recipe(
                epochs=100,
                batch_size=settings.batch_size,
                learning_rate=settings.learning_rate,
                momentum=settings.momentum,
                weight_decay=settings.weight_decay,
                crop_padding=settings.crop_padding,
                flip=True,
                sides=[settings.side] if settings.side != 32 else [],
            ),
            head=Head(),
            loss=find("loss", "ce").defined("term"),
            generator=np.random.default_rng(0),
        )
        phase = task.phase([task.classification()])
        if num_old:
            options = {
                "temperature": settings.temperature,
                "distillation_weight": settings.distillation_weight,
                "distillation_scale": "constant",
            }
            learn = find("method", "baseline", options).defined("learn")
            # In the place of `train`: gives the phase back, untrained.
            phase = learn(task, lambda _, phase: phase)
        training = Training(task, phase, seed=(0, num_old, 0))
        engine = make_engine(training)
        self.curves = (
            curve
            for epoch in range(training.plan.epochs)
            for curve in take_steps(training, engine, epoch, task)
        )

    def run(self, steps):
        """Takes steps and reads what the curve shows of them."""
        curves = list(islice(self.curves, steps))
        return [[float(value) for value in curve.values()] for curve in curves]


class BareSteps:
    """Takes the same steps in one `tf.function` that knows nothing of tfcil but the augmentation.

    Args:
        images: (n, 32, 32, 3) uint8.
        labels: (n,) int32.
        teacher: a classifier, or an untrained model.
        num_new: number of classes to add.
        settings: `Settings`.
    """

    def __init__(self, images, labels, teacher, num_new, settings):
        import tensorflow as tf

        from tfcil.classifier import grown, num_classes, resized
        from tfcil.classifier.fused_batch_norm import fuse_batch_norm
        from tfcil.layers.augmentation import crop_and_flip, resize

        self.images, self.labels, self.settings = images, labels, settings
        self.generator = np.random.default_rng(0)
        side = settings.side if settings.side != 32 else None
        num_old, temperature = num_classes(teacher), settings.temperature
        student = grown(teacher, num_new, np.random.default_rng(0))
        student, teacher = (fuse_batch_norm(resized(one, side)) for one in (student, teacher))
        variables = [variable.value for variable in student.trainable_variables]
        velocities = [tf.Variable(tf.zeros_like(variable)) for variable in variables]
        weight = settings.distillation_weight * temperature**2

        @tf.function(jit_compile=False)
        def step(images, labels, draws):
            images = resize(crop_and_flip(images, draws, settings.crop_padding), side)
            if num_old:
                old = tf.nn.softmax(teacher(images, training=False) / temperature)
            with tf.GradientTape() as tape:
                logits = student(images, training=True)
                losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
                if num_old:
                    losses += weight * tf.nn.softmax_cross_entropy_with_logits(
                        old, logits[:, :num_old] / temperature
                    )
                loss = tf.reduce_mean(losses)
            gradients = tape.gradient(loss, variables)
            for variable, velocity, gradient in zip(variables, velocities, gradients, strict=True):
                tf.raw_ops.ResourceApplyKerasMomentum(
                    var=variable.handle,
                    accum=velocity.handle,
                    lr=settings.learning_rate,
                    grad=gradient + settings.weight_decay * variable,
                    momentum=settings.momentum,
                )
            return loss

        self.step = step

    def run(self, steps):
        """Takes steps and reads their losses."""
        losses = [self._step() for _ in range(steps)]
        return [float(loss) for loss in losses]

    def _step(self):
        batch, padding = self.settings.batch_size, self.settings.crop_padding
        chosen = self.generator.integers(len(self.images), size=batch)
        draws = self.generator.integers(
            0, [2 * padding + 1, 2 * padding + 1, 2], (batch, 3), dtype="int32"
        )
        return self.step(self.images[chosen], self.labels[chosen], draws)


def competitors(distil, settings):
    """Builds every implementation: 50 classes from nothing, or 10 more beside a teacher of 50."""
    from tfcil.classifier import grown, untrained

    def teacher():
        model = untrained("resnet32", (32, 32, 3), settings.mean, settings.std)
        return grown(model, num_old, np.random.default_rng(0)) if distil else model

    num_old, num_new = (50, 10) if distil else (0, 50)
    images = np.random.default_rng(0).integers(0, 256, (10_000, 32, 32, 3), dtype="uint8")
    labels = (np.arange(len(images)) % (num_old + num_new)).astype("int32")
    found = {
        "tfcil": TfcilSteps(images, labels, teacher(), num_new, settings),
        "bare tf.function": BareSteps(images, labels, teacher(), num_new, settings),
    }
    if importlib.util.find_spec("torch"):
        import torch
        from torch_step import TorchSteps

        for name in ("contiguous_format", "channels_last"):
            found[f"PyTorch, {name}"] = TorchSteps(
                images, labels, num_old, num_old + num_new, settings, getattr(torch, name)
            )
    return found


def measure(implementations, rounds, steps):
    """Times rounds of some steps of each, in turn.

    Returns:
        The seconds of each round by implementation: arrays (rounds, 2) of wall and CPU time.
    """
    names = list(implementations)
    seconds = {name: np.empty((rounds, 2)) for name in names}
    for name in names:  # compiles, and fills caches
        implementations[name].run(2)
    for index in range(rounds):
        # Nobody always runs after the same other one.
        for name in np.roll(names, index):
            before = time.perf_counter(), time.process_time()
            implementations[name].run(steps)
            after = time.perf_counter(), time.process_time()
            seconds[name][index] = np.subtract(after, before)
    return seconds


def summarise(seconds, images):
    """Computes the rows of the table: medians over the rounds, and ratios of the same rounds."""
    rows = []
    for name, one in seconds.items():
        wall, cpu = np.median(one, axis=0)
        relative = np.median(one / seconds["tfcil"], axis=0)
        rows.append(
            {
                "implementation": name,
                "images/s": images / wall,
                "CPU ms/image": 1000 * cpu / images,
                "wall ratio": relative[0],
                "CPU ratio": relative[1],
            }
        )
    return [{key: _plain(value) for key, value in row.items()} for row in rows]


def _plain(value):
    return value if isinstance(value, str) else round(float(value), 3)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, help="threads of TensorFlow and PyTorch each")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--steps", type=int, default=4, help="steps of each per round")
    parser.add_argument("--sides", type=int, nargs="+", default=[32, 24], help="in pixels")
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[64, 128])
    parser.add_argument("--output", default="training_step", help="name of the file of results")
    options = parser.parse_args()
    from tfcil.console import native_messages_hidden

    with native_messages_hidden():
        import reporting

        from tfcil.stages.training_log import processor
        from tfcil.training import make_deterministic

    if options.threads:
        _limit(options.threads)

    make_deterministic()  # as every stage that trains
    results = {"threads": options.threads, "rounds": options.rounds, "steps": options.steps}
    results["processor"] = processor()
    for side, batch_size, distil in product(options.sides, options.batch_sizes, (False, True)):
        settings = Settings(batch_size=batch_size, side=side)
        seconds = measure(competitors(distil, settings), options.rounds, options.steps)
        rows = summarise(seconds, options.steps * settings.batch_size)
        loss = "with distillation" if distil else "cross-entropy"
        title = f"{side} x {side} pixels, batch {batch_size}, {loss}"
        reporting.show(f"{title} (ratio above 1: tfcil is faster)", rows)
        results[title] = rows
    reporting.save(options.output, results)


def _limit(threads):
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    if importlib.util.find_spec("torch"):
        import torch

        torch.set_num_threads(threads)


if __name__ == "__main__":
    main()
