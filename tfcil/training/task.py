"""Trains one task: a teacher, images and labels in, a fitted student out."""

import numpy as np

from tfcil.classifier import num_classes
from tfcil.training.strategy import devices, writes
from tfcil.training.trainer import Trainer


def train_task(open_teacher, images, labels, settings, on_epoch=None, checkpoint=None):
    """Teaches a model the classes it has no logits for yet.

    The first task is learned with a plain classification loss: there is nothing to forget, and its
    classes are taken as they come. Later ones are learned by the method, with the teacher frozen in
    inference mode.

    Args:
        open_teacher: function without arguments that returns the model of the task before (or an
            untrained one); it is called where the models must be made.
        images: (n, height, width, channels) uint8: the new images and the exemplars.
        labels: (n,) ranks of their classes; the new ones follow those the teacher knows.
        settings: the `TaskSettings`.
        on_epoch: called after each epoch with its row of the curve.
        checkpoint: a `Checkpoint` from which a killed training goes on; `None`: none is kept.

    Returns:
        The fitted student, of Keras's own layers only, and its curve: a list with a dictionary per
        epoch.

    Raises:
        UserError: where the labels don't fit the teacher, the loss stops being finite, or one of
            several machines is lost.
        Served: on all machines but the chief, which returns what came of it.
    """
    with devices(settings.strategy) as num_devices:
        if not writes():
            on_epoch = checkpoint = None
        teacher = open_teacher()
        trainer = Trainer(
            teacher, images, np.asarray(labels), settings, num_devices, on_epoch, checkpoint
        )
        student = trainer.first_task() if num_classes(teacher) == 0 else trainer.later_task()
        return student, trainer.curve
