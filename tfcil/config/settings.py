"""The components that `method` and `options` choose, and the settings that decide one task."""

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field, StrictInt

from tfcil.components.facts import Head
from tfcil.components.recipe import Recipe, check_recipes
from tfcil.components.registry import Component, all_components, find
from tfcil.components.sections import PositiveInt, Section
from tfcil.errors import UserError, brief, nearest, shown

Strategy = Literal["none", "mirrored", "multi_worker"]


class Method(Section):
    """How a task is learned without forgetting the ones before it."""

    name: str = Field("baseline", description="how later tasks are learned: see docs/methods.md")
    loss: str = Field(
        "bsce",
        description="classification loss: ce, or balanced softmax (bsce, meta_bsce, relaxed_bsce); "
        "gce or rjm where labels may be wrong; bce with icarl and lwf, nca with podnet",
    )
    correction: str = Field(
        "default",
        description="what follows the training against the bias to new or frequent classes: "
        "default is the method's own, where the loss does not remove that bias already; none; or a "
        "name",
    )


class Chosen(Section):
    """A component and all of its options."""

    name: str
    options: dict[str, Any] = Field(default_factory=dict)

    @classmethod
    def of_component(cls, component: Component | None) -> "Chosen | None":
        """Writes a component down, with all of its options."""
        return component and cls(name=component.spelling, options=component.options.model_dump())

    def load(self, kind: str) -> Component:
        """Finds the component and checks its options.

        Args:
            kind: `"method"`, `"loss"` or `"correction"`.
        """
        return find(kind, self.name, self.options)


class TaskSettings(Section):
    """Everything that decides how one task is trained: the contents of recipes/KEY.json."""

    recipe: Recipe
    method: Chosen | None = Field(None, description="null for the first task")
    loss: Chosen = Chosen(name="ce")
    correction: Chosen | None = None
    head: Head = Head()
    earlier: tuple[PositiveInt, ...] | None = Field(
        None, description="number of classes of each task before; null: the old ones were one task"
    )
    backbone: str | None = Field(
        None, description="SHA-256 of the file that the first task starts from; null: no file"
    )
    seed: StrictInt = 0
    strategy: Strategy = "none"
    code: str = Field("", description="digest of the components' code: a change of it is seen here")

    @property
    def modules(self) -> list[str]:
        """Names of the modules of the components in use."""
        in_use = {"method": self.method, "loss": self.loss, "correction": self.correction}
        return [one.load(kind).module.__name__ for kind, one in in_use.items() if one]


@dataclass(frozen=True)
class Choice:
    """The components of an experiment."""

    method: Component
    loss: Component  # of later tasks
    first_loss: Component  # of the first task
    correction: Component | None

    @property
    def components(self) -> list[Component]:
        """All of them."""
        return [one for one in vars(self).values() if one]

    @property
    def warnings(self) -> list[str]:
        """One line per component whose options are allowed and hardly meant."""
        return [
            one.warning for one in (self.method, self.loss, self.correction) if one and one.warning
        ]

    def first_task(self) -> dict:
        """Returns what of the components decides the first task: `head`, `loss`, `correction`.

        The method does not, unless it keeps statistics: experiments that differ in it share their
        first task.
        """
        corrected = self.correction if self.correction and self.correction.on_first_task else None
        learner = self.method if self.method.facts.keeps_statistics else None
        return {
            "head": self.method.head,
            "loss": Chosen.of_component(self.first_loss),
            "correction": Chosen.of_component(corrected),
        } | ({"method": Chosen.of_component(learner)} if learner else {})

    def later_task(self) -> dict:
        """Returns what decides a later task: `head`, `method`, `loss`, `correction`."""
        return {
            "head": self.method.head,
            "method": Chosen.of_component(self.method),
            "loss": Chosen.of_component(self.loss),
            "correction": Chosen.of_component(self.correction),
        }

    def check_recipes(self, first: Recipe, later: Recipe) -> None:
        """Refuses recipes that the losses can't follow, and recipes in options that don't fit."""
        for loss, recipe in ((self.first_loss, first), (self.loss, later)):
            if recipe.label_smoothing and not loss.facts.smooths:
                raise UserError(
                    f"label_smoothing: expected 0 with loss={loss.spelling}, which has no smoothed "
                    f"form. Received: label_smoothing={recipe.label_smoothing}"
                )
        if later.label_smoothing and not self.method.facts.smooths:
            raise UserError(
                f"label_smoothing: expected 0 with method.name={self.method.spelling}, whose "
                "classification has no smoothed form. "
                f"Received: label_smoothing={later.label_smoothing}"
            )
        for recipe in (first, later):
            if recipe.norm_alignment and self.method.head.kind != "linear":
                raise UserError(
                    f"norm_alignment: expected 0 with method.name={self.method.spelling}, in whose "
                    "head the weight vectors have no length. "
                    f"Received: norm_alignment={recipe.norm_alignment}"
                )
        for one in self.components:
            check_recipes(later, one.options, f"options.{one.name}")
        if self.correction and self.correction.on_first_task:
            check_recipes(first, self.correction.options, f"options.{self.correction.name}")


def choose(method: Method, options: dict, memory: int, strategy: str = "none") -> Choice:
    """Finds the components that are named, and checks all options and that everything fits.

    Args:
        method: the section `method` of params.yaml.
        options: the section `options`: dictionaries by the names of components, in use or not.
        memory: number of exemplars over all classes.
        strategy: the setting `strategy`.

    Raises:
        UserError: one line that names the wrong key.
    """

    def component(kind, spelling):
        return find(kind, spelling, _given(options, find(kind, spelling).name))

    learner, loss = component("method", method.name), component("loss", method.loss)
    first_loss = loss if loss.on_first_task else component("loss", learner.facts.first_loss)
    name = method.correction
    if name == "default":
        name = None if loss.removes_prior else learner.facts.correction
    correction = None if name in (None, "none") else component("correction", name)
    choice = Choice(learner, loss, first_loss, correction)
    _check_options(options, choice)
    _check_loss(choice)
    _check_correction(choice)
    _check_memory(choice, memory)
    _check_devices(choice, strategy)
    return choice


def _given(options, name):
    values = options.get(name)
    if not isinstance(values, dict | None):
        raise UserError(
            f"options.{name}: expected a section of keys and values. "
            f"Received: options.{name}={brief(values)}"
        )
    return values


def _check_options(options, choice) -> None:
    """Checks the options of components that are not in use, too: they may be mistyped."""
    known = all_components() | {one.name: one for one in choice.components}
    for name in options:
        if name not in known:
            key = f"options.{shown(name)}"
            raise UserError(
                f"{key}: no such method, loss or correction{nearest(name, known)}. "
                f"Received: {key}={brief(options[name])}"
            )
        find(known[name].kind, known[name].spelling, _given(options, name))


def _check_loss(choice) -> None:
    facts, loss = choice.method.facts, choice.loss
    if loss.spelling in facts.own_losses or (facts.any_loss and loss.facts.general):
        return
    name = choice.method.spelling
    if facts.any_loss:
        expected = f"{loss.spelling} belongs to methods that name it, {name} does not"
    else:
        balanced = f", as {facts.removes_prior} already balances it" if facts.removes_prior else ""
        expected = f"{name} is trained with loss={' or '.join(facts.own_losses)}{balanced}"
    raise UserError(f"method.loss: {expected}. Received: method.loss={loss.spelling}")


def _check_correction(choice) -> None:
    if choice.correction is None:
        return
    facts, name = choice.correction.facts, choice.correction.spelling
    if choice.method.head.kind not in facts.heads:
        raise UserError(
            f"method.correction: {name} corrects a {' or '.join(facts.heads)} head, "
            f"{choice.method.spelling} has a {choice.method.head.kind} one. "
            f"Received: method.correction={name}"
        )
    remover = choice.method.removes_prior
    if choice.loss.removes_prior:
        remover = f"loss={choice.loss.spelling}"
    if facts.expects_prior and remover:
        raise UserError(
            f"method.correction: the class prior is removed by {remover}, {name} would remove it "
            f"twice: choose loss=ce or correction=none. Received: method.correction={name}"
        )
    if facts.expects_prior and choice.method.facts.keeps_statistics:
        raise UserError(
            f"method.correction: {name} presumes a head that was trained on exemplars, that of "
            f"{choice.method.spelling} follows from statistics of all images: choose "
            f"correction=none. Received: method.correction={name}"
        )


def _check_devices(choice, strategy) -> None:
    if strategy != "none" and choice.method.facts.one_device:
        raise UserError(
            f"method.name={choice.method.spelling} runs on one device, expected strategy=none. "
            f"Received: {strategy=!s}"
        )


def _check_memory(choice, memory) -> None:
    method, loss, correction = choice.method, choice.loss, choice.correction
    if memory and not method.facts.memory:
        raise UserError(
            f"method.name={method.spelling} is memory-free, expected memory=0. "
            f"Received: memory={memory}"
        )
    if memory and loss.facts.memory == "refuses":
        raise UserError(
            f"method.loss={loss.spelling} is for classes without exemplars, expected memory=0 or "
            f"loss=bsce. Received: memory={memory}"
        )
    if not memory and loss.facts.memory == "needs":
        raise UserError(
            f"method.loss={loss.spelling} learns from exemplars, expected memory of 1 or more. "
            "Received: memory=0"
        )
    if not memory and correction and correction.facts.needs_memory:
        raise UserError(
            f"correction {correction.spelling} needs exemplars, expected memory of 1 or more, or "
            "method.correction=none. Received: memory=0"
        )
