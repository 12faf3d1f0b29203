"""The section `model` of params.yaml: the network, and what of it fits together."""

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from tfcil.backbones.names import check_backbone, is_file, known_weights
from tfcil.components.sections import PositiveInt, Section
from tfcil.errors import shown


class Model(Section):
    """The network before it knows any class."""

    backbone: str = Field(
        "simple_cnn",
        description="one of our own, efficientnet_lite0, one of keras.applications, the path of a "
        "`.keras` file, or hub:PRESET of keras-hub: docs/pretrained.md",
    )
    weights: Literal["imagenet", "preset"] | None = Field(
        None,
        description="pretrained weights: imagenet of efficientnet_lite0 and keras.applications, "
        "preset of hub:PRESET; a file brings its own; null: random ones",
    )
    side: PositiveInt | None = Field(
        None,
        description="pixels of the shorter side that the model itself resizes images to before the "
        "backbone; null: as they are stored",
    )
    layer: Annotated[str, Field(min_length=1)] | None = Field(
        None,
        description="of a file: the layer whose output gives the features; null: the input of the "
        "Dense layer that ends it, otherwise its output",
    )
    pixels: Literal["raw", "unit", "signed"] | None = Field(
        None,
        description="of a file, and required there: what its network takes, raw 0..255, unit 0..1, "
        "signed -1..1",
    )
    last_relu: bool | None = Field(
        None,
        description="whether a ReLU ends a backbone of our own; cosine heads want features of both "
        "signs; null: as published",
    )
    adapter: Literal["case"] | None = Field(
        None,
        description="case: a factor per channel after each block, which `trainable: adapter` of "
        "`base` trains; null: none",
    )
    precision: Literal["float32", "mixed_bfloat16"] = Field(
        "float32", description="what convolutions compute in; weights and losses stay float32"
    )

    @field_validator("backbone")
    @classmethod
    def _backbone_is_known(cls, name):
        return check_backbone(name)

    @model_validator(mode="after")
    def _settings_fit(self):
        known, of_file = known_weights(self.backbone), is_file(self.backbone)
        name = shown(self.backbone)
        if self.weights not in (None, known):
            raise ValueError(
                f"weights: expected null{f' or {known}' if known else ''} with model.backbone="
                f"{name}. Received: model.weights={self.weights}"
            )
        if of_file != (self.pixels is not None):
            expected = "raw, unit or signed" if of_file else "null"
            raise ValueError(
                f"pixels: expected {expected} with model.backbone={name}. "
                f"Received: model.pixels={self.pixels}"
            )
        if self.layer is not None and not of_file:
            raise ValueError(
                f"layer: expected null with model.backbone={name}, which is no file. "
                f"Received: model.layer={shown(self.layer)}"
            )
        return self
