"""A classifier that keeps its state and learns new classes in several calls."""

from pathlib import Path

import keras
import numpy as np

from tfcil.classifier import adopted, adopted_backbone, network_of
from tfcil.console import training_progress
from tfcil.errors import UserError
from tfcil.exemplars import ExemplarMemory
from tfcil.learning.arrays import alike, checked_images, collected, names_in, numbers_in
from tfcil.learning.checks import (
    check_all,
    check_brought,
    check_budget,
    check_exemplars,
    check_names,
    check_new,
    check_range,
    check_statistics,
    listed,
    refuse,
)
from tfcil.learning.one_task import learned, remembered
from tfcil.learning.settings import Settings
from tfcil.learning.state import has_state, read_state, write_state

# At a larger rate, a model that was trained elsewhere forgets more: see the docs for figures.
NETWORK = "backbone", "weights", "side", "adapter", "precision"
ADOPTED_RECIPE = {"epochs": 30, "batch_size": 32, "learning_rate": 0.003}


class IncrementalClassifier:
    """An image classifier that learns classes in several calls, and keeps a few images of each.

    It starts untrained; `from_keras` starts from a trained model, and `open` from a saved state.

    Args:
        budget: exemplars kept over all classes; 0: none, with which methods that train forget
            more. Closed-form methods (`ncm`, `lda`, `ridge`, `ranpac`) need none.
        method: dictionary with the keys of the section `method` of params.yaml; by default the
            baseline with balanced softmax.
        options: dictionary with the keys of the section `options`.
        recipe: dictionary with the keys of the section `increment`; by default 30 epochs.
        exemplars: dictionary with the keys of the section `exemplars`.
        backbone: name of a network as in params.yaml, or an untrained `keras.Model` from images
            to features (batch, d).
        weights: `"imagenet"` or `"preset"` of a network given by name; `None`: random ones.
        side: pixels of the shorter side to which the model resizes images before such a network;
            `None`: it takes them as they are.
        adapter: `"case"` or `None`, of a network given by name, as in params.yaml.
        precision: `"float32"` or `"mixed_bfloat16"`, of a network given by name.
        strategy: `"none"`, or `"mirrored"` for all devices of this machine.
        seed: of everything drawn.
        folder: to which each call that changes the state saves it; `None`: nothing is saved.

    Attributes:
        model: the plain `keras.Model` from images to logits, or `None` before the first task.
        classes: the names of the classes, strings or integers, in the order of the logits.
        tasks: number of classes of each task.
        memory: the `ExemplarMemory`, or `None` before the first exemplar.
        statistics: dictionary of the arrays that a closed-form method keeps of the classes.
        settings: the arguments as `Settings`.

    Raises:
        UserError: where a setting is wrong, or the folder holds a classifier already.

    Example:
        >>> classifier = tfcil.IncrementalClassifier(budget=200, folder="state")
        >>> classifier.learn(images, labels)
        >>> classifier = tfcil.IncrementalClassifier.open("state")
        >>> classifier.learn(more_images, more_labels)
        >>> classifier.predict(images[:2])
        array(['koala', 'panda'], dtype='<U5')
    """

    def __init__(
        self,
        budget,
        *,
        method=None,
        options=None,
        recipe=None,
        exemplars=None,
        backbone="simple_cnn",
        weights=None,
        side=None,
        adapter=None,
        precision="float32",
        strategy="none",
        seed=0,
        folder=None,
    ):
        own = isinstance(backbone, keras.Model)
        given = {"method": method, "options": options, "recipe": recipe, "exemplars": exemplars}
        given = {name: value for name, value in given.items() if value is not None}
        given |= {"budget": budget, "strategy": strategy, "seed": seed}
        network = dict(zip(NETWORK, (backbone, weights, side, adapter, precision), strict=True))
        given["model"] = None if own else network
        if own:
            check_brought(weights=weights, side=side, adapter=adapter)
        self.settings = Settings.of(given, type(self).__name__)
        if folder is not None and has_state(folder):
            raise UserError(
                "Expected a folder without a classifier; IncrementalClassifier.open goes on with "
                f"the one in it. Received: folder={folder}"
            )
        self.folder = None if folder is None else Path(folder)
        self.classes, self.tasks, self.memory, self.statistics = [], [], None, {}
        self._model = adopted_backbone(backbone) if own else None
        self._number = 0

    @classmethod
    def from_keras(cls, model, class_names=None, *, budget, folder=None, **settings):
        """Starts from a trained Keras classifier.

        It has no exemplars of its classes yet: pass images of them to `remember`, otherwise it
        forgets more. A closed-form method has no statistics of them: `remember` is then required.
        Frozen layers stay frozen.

        Args:
            model: a `keras.Model` with one input of images, that ends with a Dense layer and its
                softmax, or its logits. It is not changed.
            class_names: strings or integers, in the order of the outputs; by default 0, 1, 2, ...
            budget: see the class.
            folder: see the class.
            settings: see the class: method, options, recipe, exemplars, strategy, seed. The
                default recipe is 30 epochs with a learning rate of 0.003.

        Raises:
            UserError: where the model is of another kind, the names don't fit it, or a setting is
                wrong.
        """
        for name in filter(settings.__contains__, NETWORK):
            raise UserError(f"Expected no {name}: the model brings it. Received: {name}")
        classifier = cls(budget, folder=folder, **{"recipe": ADOPTED_RECIPE} | settings)
        method = classifier.settings.choice().method
        if method.head.kind != "linear":
            raise UserError(
                "Expected a method with a linear head, as your model has: baseline, icarl, eeil, "
                f"bic, wa, ssil, der, foster, ... Received: method.name={method.spelling}"
            )
        classifier._model = adopted(model)
        count = classifier._model.output.shape[-1]
        check_budget(budget, count)
        classifier.classes = names_in(range(count) if class_names is None else class_names)
        check_names(classifier.classes, count)
        classifier.tasks = [count]
        classifier._save()
        return classifier

    @classmethod
    def open(cls, folder):
        """Opens the classifier that was saved in a folder, and goes on saving it there.

        Raises:
            UserError: where the folder holds none, or a damaged one.
        """
        model, memory, statistics, facts = read_state(folder)
        settings = Settings.of(facts["settings"], str(folder))
        classifier = cls(settings.budget)
        classifier.settings, classifier.folder = settings, Path(folder)
        classifier._model, classifier.memory, classifier.statistics = model, memory, statistics
        classifier.classes, classifier.tasks = facts["classes"], facts["tasks"]
        classifier._number = facts["number"]
        return classifier

    @property
    def model(self):
        """The plain `keras.Model` from images to logits, or `None` before the first task."""
        return self._model if self.classes else None

    def learn(self, images, labels=None, **changes):
        """Learns a task of new classes; their logits follow those of the known classes.

        New classes are numbered in the sorted order of their names, whatever the order of the
        images. All images are held in the memory of this process.

        Args:
            images: (n, height, width, channels) uint8 or float, scaled as the model expects, in all
                calls alike; or a `tf.data.Dataset` or another iterable of pairs of images and
                labels, batched or not.
            labels: (n,) class names or integers; `None` for pairs.
            changes: budget, method, options, recipe, exemplars, strategy or seed, from this
                task on.

        Returns:
            The classifier itself.

        Raises:
            UserError: where a class is known already, or images or settings don't fit.
        """
        images, labels = collected(images, labels, self.memory)
        settings = self._changed(changes)
        new = sorted(set(labels))
        check_new(new, self.classes)
        check_budget(settings.budget, len(self.classes) + len(new))
        check_statistics(self.classes, self.statistics, self.settings, settings)
        check_exemplars(self._kept(), settings)
        if not self.classes:
            check_range(images, settings.model and settings.model.backbone)
        classes = [*self.classes, *new]
        title = f"task {len(self.tasks)}: {len(new)} new classes"
        with training_progress(title) as on_epoch:
            self._model, self.memory, self.statistics = learned(
                settings,
                images,
                numbers_in(labels, classes),
                self._model,
                self.memory,
                self.statistics,
                earlier=self.tasks or None,
                on_epoch=on_epoch,
            )
        self.settings, self.classes, self.tasks = settings, classes, [*self.tasks, len(new)]
        self._save()
        return self

    def remember(self, images, labels=None):
        """Chooses exemplars of known classes that have none: those of a model of `from_keras`.

        With a closed-form method it computes their statistics, and the head anew from all of them.

        Args:
            images: see `learn`; of known classes, for a closed-form method of all of them.
            labels: see `learn`.

        Returns:
            The classifier itself.

        Raises:
            UserError: where a class is not known, or has exemplars or statistics already.
        """
        images, labels = collected(images, labels, self.memory)
        given, kept = sorted(set(labels), key=str), self._kept()
        known = f"classes that the classifier knows: {listed(self.classes) or 'none so far'}"
        refuse([name for name in given if name not in kept], known)
        refuse(
            [name for name in given if kept[name]],
            "classes without exemplars: exemplars are never chosen anew",
        )
        numbers = numbers_in(labels, self.classes)
        if self.settings.keeps_statistics:
            check_all(given, self.classes, self.statistics)
            before = network_of(self._model)
            self._model, self.memory, self.statistics = learned(
                self.settings, images, numbers, before
            )
        else:
            check_budget(self.settings.budget, len(self.classes), or_zero=False)
            memory = self.memory
            if memory is None:
                memory = ExemplarMemory.empty(images.shape[1:], images.dtype)
            self.memory = remembered(self._model, memory, images, numbers, self.settings)
        self._save()
        return self

    def predict(self, images, batch_size=128):
        """Predicts the class of each image.

        Args:
            images: (n, height, width, channels), scaled as in `learn`.
            batch_size: images at a time.

        Returns:
            (n,) class names, strings or integers as in `learn`.
        """
        if not self.classes:
            raise UserError("Expected a classifier that has learned. Received: no class")
        images = alike(checked_images(images), self.memory)
        logits = self._model.predict(images, batch_size=batch_size, verbose=0)
        return np.array(self.classes)[logits.argmax(axis=1)]

    def _kept(self) -> dict:
        """Returns the number of exemplars of each known class."""
        known = len(self.classes)
        counts = np.zeros(known, int) if self.memory is None else self.memory.counts(known)
        return dict(zip(self.classes, counts, strict=True))

    def _changed(self, changes):
        fixed = [name for name in NETWORK if name in changes]
        if fixed:
            raise UserError(f"Expected no change of the network. Received: {', '.join(fixed)}")
        return Settings.of(dict(self.settings) | changes, "learn")

    def _save(self):
        if self.folder is None:
            return
        self._number += 1
        write_state(
            self.folder,
            self._number,
            self._model,
            self.memory,
            self.statistics,
            classes=self.classes,
            tasks=self.tasks,
            settings=self.settings.model_dump(mode="json"),
        )
