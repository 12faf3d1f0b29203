"""How a classifier learns its next task."""

from typing import Annotated, Literal

from pydantic import Field, StrictInt, field_validator, model_validator

from tfcil.backbones.names import check_backbone
from tfcil.components.sections import Section
from tfcil.config.params import Exemplars, Recipe
from tfcil.method_options import Method, check_fit


class Settings(Section):
    """What stands in params.yaml for an experiment, for one classifier."""

    budget: Annotated[StrictInt, Field(ge=0)] = Field(
        description="exemplars kept over all classes; 0: none"
    )
    method: Method = Method()
    recipe: Recipe = Recipe(epochs=30)
    second_stage: Recipe | None = Field(None, description="null: as `recipe`")
    exemplars: Exemplars = Exemplars()
    backbone: str | None = Field("simple_cnn", description="null: a network of the person's own")
    precision: Literal["float32", "mixed_bfloat16"] = "float32"
    strategy: Literal["none", "mirrored"] = "none"
    seed: Annotated[StrictInt, Field(ge=0, lt=2**31)] = 0

    @field_validator("backbone")
    @classmethod
    def _backbone_is_known(cls, name):
        return name if name is None else check_backbone(name)

    @model_validator(mode="after")
    def _method_fits_the_rest(self):
        try:
            check_fit(self.method, self.budget, self.strategy, self.second_stage or self.recipe)
        except ValueError as error:
            raise ValueError(str(error).replace("memory=", "budget=")) from None
        return self

    @property
    def needs_exemplars(self) -> bool:
        """Whether the method cannot do without exemplars of each old class."""
        by_stage = self.method.about.second_stage in ("balancing", "correction")
        return self.method.loss == "meta-bsce" or (self.method.has_second_stage and by_stage)

    def epochs(self, first) -> int:
        """Epochs of all stages of a task, the first or a later one."""
        stages = [self.recipe]
        if self.method.trains_second_stage and not first:
            stages.append(self.second_stage or self.recipe)
        return sum(stage.epochs for stage in stages)
