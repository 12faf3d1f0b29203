"""`params.yaml` as typed sections: every value is checked before any work is done.

The field descriptions are the reference of the parameters; nothing else repeats them.
"""

import contextlib
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import Field, StrictInt, ValidationError, field_validator, model_validator

from tfcil.backbones.names import check_backbone
from tfcil.components.sections import Section, brief
from tfcil.errors import UserError
from tfcil.method_options import FirstTask, Method, NonNegative, PositiveInt, check_fit
from tfcil.scenario import check_chain, check_order_name

Strategy = Literal["none", "mirrored", "multi_worker"]
TaskKey = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


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
    test_split: str = Field("test", description="likewise to evaluate on")
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

    @model_validator(mode="after")
    def _settings_fit(self):
        if (self.name == "folder") != (self.path is not None):
            raise ValueError(
                "expected a path with name=folder, and with no other. "
                f"Received: dataset.name={self.name}, dataset.path={self.path}"
            )
        if self.resize == "crop" and self.image_size is None:
            raise ValueError("resize=crop needs image_size. Received: dataset.image_size=None")
        if isinstance(self.classes, str) and self.classes != "imagenet100_lucir":
            raise ValueError(
                "classes: expected imagenet100_lucir or a list of names. "
                f"Received: dataset.classes={self.classes}"
            )
        if self.classes == []:
            raise ValueError("classes: expected at least one name. Received: dataset.classes=[]")
        return self


class Scenario(Section):
    """In which order the classes arrive."""

    order: Annotated[StrictInt, Field(ge=0, lt=2**32)] | str | list[StrictInt] = Field(
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


class Model(Section):
    """The network before it knows any class."""

    backbone: str = Field("simple_cnn", description="one of our own or of keras.applications")
    weights: Literal["imagenet"] | None = Field(
        None, description="pretrained weights of a keras.applications backbone"
    )
    last_relu: bool | None = Field(
        None,
        description="whether a ReLU ends a backbone of our own; cosine heads want features of both "
        "signs; null: as published",
    )
    precision: Literal["float32", "mixed_bfloat16"] = Field(
        "float32", description="what convolutions compute in; weights and losses stay float32"
    )

    @field_validator("backbone")
    @classmethod
    def _backbone_is_known(cls, name):
        return check_backbone(name)


class Recipe(Section):
    """How long and how fast a task is trained: SGD with momentum."""

    epochs: PositiveInt = Field(description="passes over the task's images and the memory")
    batch_size: PositiveInt = Field(128, description="images per step, over all devices")
    learning_rate: Annotated[float, Field(gt=0)] = Field(0.1, description="highest rate")
    schedule: Literal["constant", "step", "cosine", "linear"] = Field(
        "cosine",
        description="how the rate falls: step by `decay` at the `milestones`, the others to 0",
    )
    warmup: NonNegative = Field(0.0, description="epochs over which the rate rises from 0")
    milestones: list[Annotated[float, Field(gt=0)]] = Field([], description="epochs, for `step`")
    decay: Annotated[float, Field(gt=0, lt=1)] = Field(0.1, description="factor, for `step`")
    momentum: Annotated[float, Field(ge=0, lt=1)] = Field(0.9, description="of SGD")
    weight_decay: NonNegative = Field(5e-4, description="L2 coefficient, added to the gradient")
    crop_padding: Annotated[StrictInt, Field(ge=0)] = Field(
        0, description="pixels of padding before the random crop; 0: no crop"
    )
    resized_crop: bool = Field(
        False,
        description="as ImageNet models are trained: a random box of 8 to 100 % of the image is "
        "resized to the whole",
    )
    flip: bool = Field(False, description="mirror half of the images, left to right")

    @model_validator(mode="after")
    def _crops_exclude_each_other(self):
        if self.resized_crop and self.crop_padding:
            raise ValueError(
                "expected resized_crop or crop_padding, not both. "
                f"Received: crop_padding={self.crop_padding}"
            )
        return self

    @model_validator(mode="after")
    def _schedule_fits(self):
        if self.schedule == "step" and not self.milestones:
            raise ValueError("schedule=step needs milestones, a list of epochs such as [80, 120]")
        if self.warmup > self.epochs:
            raise ValueError(f"warmup must not exceed epochs={self.epochs}")
        return self


class TaskSettings(Section):
    """Everything that decides how one task is trained: the contents of recipes/KEY.json."""

    recipe: Recipe
    second_stage: Recipe | None = None
    method: Method | None = Field(None, description="null for the first task")
    first_task: FirstTask | None = Field(FirstTask(), description="null for later tasks")
    earlier: tuple[PositiveInt, ...] | None = Field(
        None, description="number of classes of each task before; null: the old ones were one task"
    )
    seed: StrictInt = 0
    strategy: Strategy = "none"
    code: str = Field("", description="digest of the method's code: DVC sees a change of it here")

    @property
    def epochs(self) -> int:
        """Epochs of all stages."""
        return self.recipe.epochs + (self.second_stage.epochs if self.second_stage else 0)


class Params(Section):
    """The whole params.yaml."""

    seed: Annotated[StrictInt, Field(ge=0, lt=2**31)] = Field(
        1993, description="of everything drawn"
    )
    memory: Annotated[StrictInt, Field(ge=0)] = Field(
        description="budget: exemplars kept over all classes; 0: none"
    )
    strategy: Strategy = Field(
        "none",
        description="mirrored: batches are split over all devices of this machine; multi_worker: "
        "over those of all machines of TF_CONFIG",
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
    base: Recipe = Field(description="how the first task is trained: epochs, rates, augmentation")
    increment: Recipe = Field(description="how every later task is trained")
    second_stage: Recipe | None = Field(
        None, description="how the stage after the main training is trained, in methods with one"
    )

    @model_validator(mode="after")
    def _method_fits_the_rest(self):
        check_fit(self.method, self.memory, self.strategy, self.second_stage)
        return self

    @model_validator(mode="after")
    def _tasks_are_a_chain(self):
        check_chain({key: task.model_dump() for key, task in self.tasks.items()})
        return self


class _UniqueKeyLoader(yaml.SafeLoader):
    """Refuses a key that stands twice: YAML would silently keep the last."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                line = node.start_mark.line + 1
                raise UserError(f"Expected each key once. Received: {key} twice from line {line}")
        return super().construct_mapping(node, deep)


def read_yaml(path: str | Path) -> dict:
    """Reads a YAML file of sections; one that is missing, damaged or ambiguous is a `UserError`."""
    try:
        loaded = yaml.load(Path(path).read_text(encoding="utf-8"), _UniqueKeyLoader)
    # A number of thousands of digits, the 13th month and ten thousand brackets are no YAMLError.
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"Expected a readable YAML file ({reason}). Received: path={path}"
        ) from None
    if not isinstance(loaded, dict):
        raise UserError(
            f"{path}: expected sections such as `memory: 200`. Received: {brief(loaded)}"
        )
    return loaded


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
