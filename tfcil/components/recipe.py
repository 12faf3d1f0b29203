"""How one training runs: epochs, batch, optimizer, schedule and augmentation."""

from typing import Annotated, Literal, get_type_hints

from pydantic import (
    Field,
    StrictInt,
    ValidationError,
    WrapValidator,
    create_model,
    model_validator,
)

from tfcil.components.facts import Options
from tfcil.components.sections import NonNegative, Positive, PositiveInt, Section
from tfcil.errors import brief


def _fraction(value, check, info) -> float:
    try:
        return check(value)
    except ValidationError:
        raise ValueError(
            "expected a fraction, of 0 or more and less than 1. "
            f"Received: {info.field_name}={brief(value)}"
        ) from None


Fraction = Annotated[float, Field(ge=0, lt=1), WrapValidator(_fraction)]


class Recipe(Section):
    """How long and how fast a task is trained."""

    epochs: PositiveInt = Field(description="passes over the task's images and the memory")
    batch_size: PositiveInt = Field(128, description="images per step, over all devices")
    optimizer: Literal["sgd", "adamw"] = Field(
        "sgd", description="sgd with momentum, or Adam with decoupled weight decay"
    )
    learning_rate: Positive = Field(0.1, description="highest rate")
    schedule: Literal["constant", "step", "cosine", "linear"] = Field(
        "cosine",
        description="how the rate falls: step by `decay` at the `milestones`, the others to 0",
    )
    warmup: Fraction = Field(
        0.0, description="fraction of the training over which the rate rises from 0"
    )
    milestones: list[Positive] = Field([], description="epochs, for `step`")
    decay: Annotated[float, Field(gt=0, lt=1)] = Field(0.1, description="factor, for `step`")
    momentum: Annotated[float, Field(ge=0, lt=1)] = Field(0.9, description="of sgd")
    nesterov: bool = Field(False, description="Nesterov's momentum, for sgd")
    weight_decay: NonNegative = Field(
        5e-4,
        description="sgd: L2 coefficient, added to the gradient (coupled, as in PyTorch); adamw: "
        "fraction of a weight that is subtracted per unit of the learning rate (decoupled)",
    )
    crop_padding: Annotated[StrictInt, Field(ge=0)] = Field(
        0, description="pixels of padding before the random crop; 0: no crop"
    )
    resized_crop: bool = Field(
        False,
        description="as ImageNet models are trained: a random box of 8 to 100 % of the image is "
        "resized to the whole",
    )
    flip: bool | Literal["alternating"] = Field(
        False,
        description="mirror half of the images, left to right; alternating: each image in every "
        "other pass, instead of by chance",
    )
    sides: list[PositiveInt] = Field(
        [],
        description="sides in pixels to which images are resized while training, each for an equal "
        "part of it, such as [24, 28, 32]; empty: as they are",
    )
    label_smoothing: Fraction = Field(
        0.0, description="part of the target that goes to all classes by their frequency"
    )
    trainable: Literal["all", "head", "adapter"] | PositiveInt = Field(
        "all",
        description="what of the network is trained: all, head (what follows the features), the "
        "head and that many of the last blocks, or adapter (of `base`: model.adapter, then the "
        "head)",
    )
    norm_alignment: NonNegative = Field(
        0.0,
        description="factor of a term that keeps the weight vectors of old and new classes equally "
        "long, for linear heads and tasks after the first; published with 0.1; 0: none",
    )
    ema: Fraction = Field(
        0.0,
        description="at the end each weight is replaced by its exponential moving average over "
        "about this fraction of the training; 0: none",
    )

    @model_validator(mode="after")
    def _settings_fit(self):
        if self.resized_crop and self.crop_padding:
            raise ValueError(
                "expected resized_crop or crop_padding, not both. "
                f"Received: crop_padding={self.crop_padding}"
            )
        if self.schedule == "step" and not self.milestones:
            raise ValueError("schedule=step needs milestones, a list of epochs such as [80, 120]")
        if self.nesterov and (self.optimizer != "sgd" or not self.momentum):
            raise ValueError(
                "nesterov is a form of the momentum of sgd. "
                f"Received: optimizer={self.optimizer}, momentum={self.momentum}"
            )
        return self


class RecipeOptions(Options):
    """Options that hold a recipe."""


def recipe_options(**defaults) -> type[RecipeOptions]:
    """Returns a base class for options that hold a recipe.

    Every key of `Recipe` is an option; one that is null is taken from the section `increment`.

    Args:
        defaults: keys of `Recipe` with another default than null.
    """
    types = get_type_hints(Recipe, include_extras=True)
    fields = {
        name: (types[name] | None, Field(defaults.get(name), description=field.description))
        for name, field in Recipe.model_fields.items()
    }
    return create_model("RecipeOptions", __base__=RecipeOptions, **fields)


def changed_recipe(recipe: Recipe, options: RecipeOptions, key: str = "recipe") -> Recipe:
    """Returns a recipe in which the keys that `recipe_options` holds replace those of another.

    Where the two don't go together, a `UserError` names `key`.
    """
    changes = {name: getattr(options, name) for name in Recipe.model_fields}
    changes = {name: value for name, value in changes.items() if value is not None}
    return Recipe.of(recipe.model_dump() | changes, "", under=key)


def check_recipes(recipe: Recipe, options: Options, key: str) -> None:
    """Refuses recipes in options, or in their sections, that don't go with that of the task."""
    inside = {f"{key}.{name}": value for name, value in options}
    for name, section in ({key: options} | inside).items():
        if isinstance(section, RecipeOptions):
            changed_recipe(recipe, section, name)
