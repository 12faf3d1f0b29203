"""The stages of one task's training: what is trained, on which images, how."""

import keras
import numpy as np

from tfcil.classifier import LOGITS, Head, expose, num_classes, plain, takes
from tfcil.classifier.inference import forward
from tfcil.errors import UserError
from tfcil.exemplars import herding
from tfcil.layers.augmentation import Augmentation
from tfcil.methods import Increment, Method, Task, method_named
from tfcil.methods.classification import first_task_term, prior_shift
from tfcil.training.batches import Plan, Stream
from tfcil.training.fit import Fit, fit
from tfcil.training.meta import MetaCoefficient
from tfcil.training.strategy import synchronize_batch_norm
from tfcil.training.transforms import clipped, frozen_columns, weight_decay


class Trainer:
    """The stages of one task's training, and what they have in common.

    Args:
        teacher: the model of the task before, or an untrained one.
        images: (n, height, width, channels) uint8: the new images and the exemplars.
        labels: (n,) int, their classes.
        settings: the `TaskSettings`.
        num_devices: that share each batch.
        on_epoch: called after each epoch with its row of the curve.
        checkpoint: the task's `Checkpoint`, or `None`.

    Attributes:
        curve: a dictionary per epoch so far.

    Raises:
        UserError: where the labels don't fit the teacher.
    """

    def __init__(
        self, teacher, images, labels, settings, num_devices, on_epoch=None, checkpoint=None
    ):
        self.settings, self.num_devices, self.on_epoch = settings, num_devices, on_epoch
        self.checkpoint = checkpoint
        self.options = settings.method
        self.curve = []
        if not takes(teacher, images.shape[1:]):
            raise UserError(
                f"Expected images {tuple(teacher.input.shape[1:])}, as the model takes them. "
                f"Received: images {tuple(images.shape[1:])}"
            )
        increment = _increment(num_classes(teacher), labels, settings.earlier)
        if increment.num_old and self.options is None:
            raise UserError("Expected a method for a task after the first. Received: method=None")
        first = settings.first_task if self.options is None else self.options.first_task()
        self.first = first
        generator = np.random.default_rng([settings.seed, increment.num_old, 2])
        head = Head(first.head, first.proxies)
        self.task = Task(teacher, increment, self.options, head, images, labels, generator)

    def first_task(self):
        """Trains the first task."""
        outputs = ("logits", "scale") if self.first.loss == "nca" else ("logits",)
        method = Method(lambda options, increment: [first_task_term(self.first)], outputs=outputs)
        return _finished(self._train(method, None, self._everything()))

    def later_task(self):
        """Trains a later task by the method."""
        task, options = self.task, self.options
        method = method_named(options.name)
        held_out = method.held_out(task)
        kept = np.setdiff1d(self._everything(), held_out)
        # What is held out does not count: counts describe what is trained on.
        task.increment = _increment(
            task.increment.num_old, task.labels[kept], self.settings.earlier
        )
        if options.trains_second_stage:
            self._check(method.second_stage)
        student = self._train(method, None, kept)
        if options.trains_second_stage:
            student = self._train(method.second_stage, student, kept)
        method.after_training(student, task, held_out)
        return _finished(student, prior_shift(options, task.increment))

    def _train(self, stage, trained, indices):
        classifier, training = self.prepared(stage, trained, indices)
        images, labels = self.task.images, self.task.labels
        before = len(self.curve)
        self.curve += fit(training, images, labels, self.on_epoch, before, self.checkpoint)
        synchronize_batch_norm(classifier, False)
        return classifier

    def prepared(self, stage, trained, indices):
        """Makes a stage ready to run.

        Args:
            stage: the `Stage`.
            trained: the classifier of the stage before, or `None`.
            indices: of the images it may see.

        Returns:
            The classifier, and its `Fit`.
        """
        task, recipe = self.task, self._recipe(stage)
        teacher, student = stage.teacher(task, trained), stage.student(task, trained)
        classifier = _classifier_of(student)
        if stage.head_only:
            for layer in classifier.layers:
                layer.trainable = layer.name == LOGITS
        if stage.balanced:
            indices = self._balanced(classifier, indices)
        synchronize_batch_norm(classifier, self.num_devices > 1)
        student = expose(student, *stage.outputs) if student is classifier else student
        plan = self._plan(stage, recipe, indices)
        training = Fit(
            stage.name,
            student,
            _frozen(teacher, stage),
            stage.terms(self.options, task.increment),
            self._transforms(stage, recipe, student, classifier),
            recipe,
            plan,
            self._meta(stage, classifier, plan),
            _number(stage),
        )
        return classifier, training

    def _check(self, second_stage):
        """Refuses what the second stage lacks before the main training, which may take hours."""
        self._recipe(second_stage)
        increment = self.task.increment
        if second_stage.balanced and not any(increment.class_counts[: increment.num_old]):
            raise UserError(
                f"The second stage of {self.options.name} balances new classes against exemplars: "
                "expected memory of 1 or more. Received: no exemplar"
            )

    def _recipe(self, stage):
        if isinstance(stage, Method):
            return self.settings.recipe
        if self.settings.second_stage is None:
            raise UserError(
                f"Expected a recipe for the second stage of {self.options.name}. "
                "Received: second_stage=None"
            )
        return self.settings.second_stage

    def _plan(self, stage, recipe, indices):
        streams = (_stream(indices, recipe.batch_size),)
        is_old = self.task.labels[indices] < self.task.increment.num_old
        if stage.replays and is_old.any():
            new, old = indices[~is_old], indices[is_old]
            streams = (
                _stream(new, recipe.batch_size),
                Stream(old, self.options.replay_batch_size),
            )
        if sum(stream.batch_size for stream in streams) < self.num_devices:
            raise UserError(
                f"Expected an image per step for each of the {self.num_devices} devices. "
                f"Received: batch_size={recipe.batch_size}, {len(indices)} images"
            )
        return Plan(
            streams=streams,
            epochs=recipe.epochs,
            seed=(self.settings.seed, self.task.increment.num_old, _number(stage)),
            augmentation=Augmentation(recipe.crop_padding, recipe.flip, recipe.resized_crop),
        )

    def _meta(self, stage, classifier, plan):
        learned = isinstance(stage, Method) and self.options and self.options.loss == "meta-bsce"
        if not (learned and self.task.increment.num_old):
            return None
        task = self.task
        return MetaCoefficient(
            *(classifier, task.increment, self.options, task.images, task.labels),
            *(plan.seed, plan.augmentation),
        )

    def _transforms(self, stage, recipe, student, classifier):
        transforms = [weight_decay(recipe.weight_decay)] if recipe.weight_decay else []
        if stage.largest_gradient:
            transforms.append(clipped(stage.largest_gradient))
        if stage.freezes_old_columns:
            kernel = classifier.get_layer(LOGITS).kernel
            position = [one is kernel for one in student.trainable_variables].index(True)
            count = self.task.increment.num_old * self.task.head.proxies
            transforms.append(frozen_columns(position, count))
        return transforms

    def _everything(self):
        return np.arange(len(self.task.labels))

    def _balanced(self, classifier, kept):
        """As many images of each class as an old class has, the new ones chosen by herding."""
        labels, num_old = self.task.labels[kept], self.task.increment.num_old
        counts = np.bincount(labels)
        size = counts[:num_old].max()
        chosen = [kept[labels < num_old]]
        for label in range(num_old, len(counts)):
            own = kept[labels == label]
            features = forward(expose(classifier, "features"), self.task.images[own])["features"]
            chosen.append(own[herding(features, size)])
        return np.concatenate(chosen)


def _number(stage) -> int:
    return 0 if isinstance(stage, Method) else 1


def _classifier_of(student):
    """The classifier in a model with a dictionary of outputs, or the model itself."""
    if not isinstance(student.output, dict):
        return student
    return keras.Model(student.input, student.output["logits"], name=student.name)


def _finished(student, shift=None):
    model = plain(student, shift)
    for layer in model.layers:
        layer.trainable = True
    return model


def _frozen(teacher, stage):
    names = stage.outputs if stage.teacher_outputs is None else stage.teacher_outputs
    return expose(teacher, *names) if names and num_classes(teacher) else None


def _stream(indices, batch_size) -> Stream:
    """A batch is never larger than the training set."""
    return Stream(indices, min(batch_size, len(indices)))


def _increment(num_old, labels, earlier) -> Increment:
    counts = np.bincount(labels)
    if len(counts) <= num_old:
        raise UserError(
            f"Expected labels from {num_old} on, the first that the model does not know. "
            f"Received: largest label={len(counts) - 1}"
        )
    empty = np.flatnonzero(counts[num_old:] == 0) + num_old
    if len(empty):
        raise UserError(f"Expected images of every new class. Received: none of class {empty[0]}")
    earlier = tuple(earlier or ((num_old,) if num_old else ()))
    if sum(earlier) != num_old:
        raise UserError(
            f"Expected the sizes of the tasks before to add up to the {num_old} classes that the "
            f"model knows. Received: earlier={earlier}"
        )
    return Increment(num_old, len(counts) - num_old, tuple(counts.tolist()), earlier)
