"""The settings of a classifier that learns from arrays."""

from typing import Annotated, Any, Literal

from pydantic import Field, StrictInt, model_validator

from tfcil.components.recipe import Recipe
from tfcil.components.sections import Section
from tfcil.config.network import Model
from tfcil.config.params import Exemplars
from tfcil.config.settings import Choice, Method, TaskSettings, choose
from tfcil.errors import UserError


class Settings(Section):
    """The settings that params.yaml has for an experiment, for one classifier."""

    budget: Annotated[StrictInt, Field(ge=0)] = Field(
        description="exemplars kept over all classes; 0: none"
    )
    method: Method = Method()
    options: dict[str, Any] = Field(default_factory=dict)
    recipe: Recipe = Recipe(epochs=30)
    exemplars: Exemplars = Exemplars()
    model: Model | None = Field(Model(), description="null: your own network")
    strategy: Literal["none", "mirrored"] = "none"
    seed: Annotated[StrictInt, Field(ge=0, lt=2**31)] = 0

    @model_validator(mode="after")
    def _components_fit(self):
        self.choice().check_recipes(self.recipe, self.recipe)
        return self

    def choice(self) -> Choice:
        """Returns the components that are chosen, with their options."""
        try:
            return choose(self.method, self.options, self.budget, self.strategy)
        except UserError as error:
            told = str(error).replace("memory=", "budget=").replace("memory of", "budget of")
            raise UserError(told) from None

    @property
    def keeps_statistics(self) -> bool:
        """Whether the method learns from statistics of the classes, on a frozen network."""
        return self.choice().method.facts.keeps_statistics

    @property
    def needs_exemplars(self) -> bool:
        """Whether loss or correction needs exemplars of each old class."""
        choice = self.choice()
        corrects = choice.correction and choice.correction.facts.needs_memory
        return bool(corrects) or choice.loss.facts.memory == "needs"

    def of_task(self, first: bool, earlier=None) -> TaskSettings:
        """Returns the settings of the first or a later task; for `earlier` see `learn`."""
        choice = self.choice()
        return TaskSettings(
            recipe=self.recipe,
            seed=self.seed,
            strategy=self.strategy,
            earlier=None if first else earlier,
            **(choice.first_task() if first else choice.later_task()),
        )
