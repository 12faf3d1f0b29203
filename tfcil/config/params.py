"""`params.yaml` as typed sections: every value is checked before any work is done.

The field descriptions are the reference of the parameters; nothing else repeats them.
"""

import contextlib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, StrictInt, ValidationError, field_validator, model_validator

from tfcil.components.recipe import Recipe
from tfcil.components.sections import PositiveInt, Section
from tfcil.config.network import Model
from tfcil.config.settings import Choice, Method, Strategy, choose
from tfcil.config.yaml_file import read_yaml
from tfcil.errors import brief, shown
from tfcil.evaluation.figures import check_asked
from tfcil.scenario import check_chain, check_order_name

TaskKey = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


Seed = Annotated[StrictInt, Field(ge=0, lt=2**32)]


class LongTail(Section):
    """Fewer training images of each class than of the one before; the test images all stay."""

    ratio: Annotated[float, Field(ge=1, allow_inf_nan=False)] = Field(
        description="how many times more images the largest class has than the smallest"
    )
    order: Literal["shuffled", "ordered"] = Field(
        "shuffled",
        description="which class has how many: drawn by the seed, or falling in the order of "
        "arrival",
    )
    seed: Seed = Field(0, description="decides which images are kept, and the shuffled order")


class LabelNoise(Section):
    """Wrong labels among the training images; those of the test images stay."""

    rate: Annotated[float, Field(ge=0, lt=1)] = Field(
        description="part of the labels of each task that name another class of the task"
    )
    seed: Seed = Field(0, description="decides which labels are wrong, and how")


class Dataset(Section):
    """Which images are learned."""

    name: str = Field(
        description="`omniglot100` (embedded), `folder` (your own images), or the name of an image "
        "classification set of tensorflow-datasets"
    )
    path: Annotated[str, Field(min_length=1)] | None = Field(
        None,
        description="of a `folder`: it holds CLASS/IMAGE, or train/CLASS/IMAGE and "
        "test/CLASS/IMAGE; or a CSV file with the columns path, label and perhaps split",
    )
    train_split: str = Field(
        "train", description="split of tensorflow-datasets, or folder in `path`, to learn from"
    )
    test_split: str = Field(
        "test", description="split of tensorflow-datasets, or folder in `path`, to evaluate on"
    )
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.2, description="of each class of a `folder`, where it has no test images of its own"
    )
    on_bad_image: Literal["error", "skip"] = Field(
        "error",
        description="images of a `folder` that cannot be used: told, or left out and listed in "
        "data/skipped.csv",
    )
    classes: list[str] | str | None = Field(
        None,
        description="the only classes that are used, by their names; imagenet100_lucir: those of "
        "ImageNet-Subset; null: all",
    )
    image_size: PositiveInt | None = Field(
        None, description="side in pixels that images are resized to; null: they all have one size"
    )
    resize: Literal["stretch", "crop"] = Field(
        "stretch",
        description="stretch: the whole image; crop: its middle, after the shorter side was "
        "resized to 256/224 of image_size",
    )
    store: Literal["raw", "encoded"] = Field(
        "raw",
        description="raw: pixels, of image_size; encoded: JPEG or PNG files of whole images, the "
        "shorter side at most 256/224 of image_size, decoded while training; resized_crop then "
        "cuts from the whole image",
    )
    long_tail: LongTail | None = Field(
        None, description="unbalanced classes: docs/unbalanced.md; null: all training images"
    )
    label_noise: LabelNoise | None = Field(
        None, description="wrong labels, given after `long_tail` and `validation`; null: none"
    )

    @model_validator(mode="after")
    def _settings_fit(self):
        if (self.name == "folder") != (self.path is not None):
            raise ValueError(
                "expected a path with name=folder, and with no other. "
                f"Received: dataset.name={shown(self.name)}, dataset.path={shown(str(self.path))}"
            )
        if self.resize == "crop" and self.image_size is None:
            raise ValueError("resize=crop needs image_size. Received: dataset.image_size=None")
        if isinstance(self.classes, str) and self.classes != "imagenet100_lucir":
            raise ValueError(
                "classes: expected imagenet100_lucir or a list of names. "
                f"Received: dataset.classes={shown(self.classes)}"
            )
        if self.classes == []:
            raise ValueError("classes: expected at least one name. Received: dataset.classes=[]")
        return self


class Scenario(Section):
    """In which order the classes arrive."""

    order: Seed | str | list[StrictInt] = Field(
        "natural",
        description="a published order (lucir_1993, icarl_1993, podnet_1, podnet_2, podnet_3), "
        "natural, a seed, or the list of the data set's labels",
    )

    @field_validator("order")
    @classmethod
    def _order_is_known(cls, order):
        return check_order_name(order) if isinstance(order, str) else order


class TaskSpec(Section):
    """One task: which classes it brings, after which task, and by which recipe it is trained."""

    classes: StrictInt | list[str] = Field(
        description="how many of the classes that are left in the order, or their names"
    )
    after: str = Field(description="key of the task before; `start` for the first")
    recipe: Literal["base", "increment"] = Field(description="the section that trains it")

    @field_validator("classes", mode="wrap")
    @classmethod
    def _classes_are_some(cls, classes, check):
        with contextlib.suppress(ValidationError):
            if check(classes) and (isinstance(classes, list) or classes >= 1):
                return classes
        raise ValueError(
            "expected a count of at least 1 or a list of class names. "
            f"Received: classes={brief(classes)}"
        )


class Exemplars(Section):
    """Which images of the old classes are kept."""

    selection: Literal["herding", "random"] = Field("herding", description="how they are chosen")
    per_class: PositiveInt | None = Field(
        None, description="fixed number per class; null: the memory is shared equally"
    )


class Params(Section):
    """The whole params.yaml."""

    seed: Annotated[StrictInt, Field(ge=0, lt=2**31)] = Field(
        1993, description="of everything drawn"
    )
    memory: Annotated[StrictInt, Field(ge=0)] = Field(
        description="budget: exemplars kept over all classes, one of each at least; 0: none"
    )
    strategy: Strategy = Field(
        "none",
        description="mirrored: batches are split over all devices of this machine; multi_worker: "
        "over those of several machines",
    )
    machines: PositiveInt = Field(
        1, description="of the Ray cluster at RAY_ADDRESS; more than one with multi_worker only"
    )
    validation: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0,
        description="part of each task's training images that is held out and evaluated on in "
        "place of the test images; 0: the test images",
    )
    tensorboard: str | None = Field(
        None,
        min_length=1,
        description="folder into which training writes its scalars as TensorBoard reads them, such "
        "as runs/tensorboard; null: none",
    )
    dataset: Dataset
    scenario: Scenario = Scenario()
    tasks: dict[TaskKey, TaskSpec]
    exemplars: Exemplars = Exemplars()
    model: Model = Model()
    method: Method = Method()
    options: dict[str, Any] = Field(
        {},
        description="options of methods, losses and corrections by their names, where they differ "
        "from the defaults; those of components that are not used are checked and ignored",
    )
    measures: dict[str, Any] = Field(
        {},
        description="what is measured only where it is asked for, such as the similarity of "
        "features: docs/report.md",
    )
    base: Recipe = Field(description="how the first task is trained: epochs, rates, augmentation")
    increment: Recipe = Field(description="how every later task is trained")

    @field_validator("options", mode="before")
    @classmethod
    def _options_may_be_empty(cls, options):
        return {} if options is None else options

    @field_validator("measures")
    @classmethod
    def _measures_are_known(cls, measures):
        return check_asked(measures)

    @model_validator(mode="after")
    def _machines_fit(self):
        if (self.machines > 1) != (self.strategy == "multi_worker"):
            expected = "2 or more" if self.strategy == "multi_worker" else "1"
            raise ValueError(
                f"expected machines={expected} with strategy={self.strategy}. "
                f"Received: machines={self.machines}"
            )
        return self

    @model_validator(mode="after")
    def _components_fit(self):
        self.choice().check_recipes(self.base, self.increment)
        if "adapter" in (self.base.trainable, self.increment.trainable) and not self.model.adapter:
            raise ValueError(
                "model.adapter: expected case with trainable=adapter. Received: model.adapter=None"
            )
        return self

    def choice(self) -> Choice:
        """Returns the components that are chosen, with their options."""
        return choose(self.method, self.options, self.memory, self.strategy)

    @model_validator(mode="after")
    def _tasks_are_a_chain(self):
        check_chain({key: task.model_dump() for key, task in self.tasks.items()})
        for key, task in self.tasks.items():
            if task.after != "start" and getattr(self, task.recipe).trainable == "adapter":
                raise ValueError(
                    f"{task.recipe}.trainable: expected adapter for the first task alone, as the "
                    "features of old classes stay what they were. "
                    f"Received: {task.recipe}.trainable=adapter, tasks.{key}.after={task.after}"
                )
        return self

    @model_validator(mode="after")
    def _memory_has_room_for_each_class(self):
        each = {key: task.classes for key, task in self.tasks.items()}
        sizes = {key: one if isinstance(one, int) else len(one) for key, one in each.items()}
        total, largest = sum(sizes.values()), max(sizes, key=sizes.get, default=None)
        if 0 < self.memory < total:
            raise ValueError(
                f"memory: expected 0, or at least one exemplar for each of the {brief(total)} "
                f"classes of all tasks, most of them in tasks.{largest}.classes. "
                f"Received: memory={brief(self.memory)}"
            )
        return self


def load_params(path: str | Path = "params.yaml") -> Params:
    """Reads and checks a whole params.yaml.

    Args:
        path: the YAML file.

    Returns:
        The typed sections, immutable.

    Raises:
        UserError: one line that names the key, what is allowed and what was received.
    """
    return Params.of(read_yaml(path), source=str(path))
