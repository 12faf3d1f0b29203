"""A recipe within options: only what differs from `increment` is stated."""

import pytest
from pydantic import Field

from tfcil.components.recipe import Recipe, changed_recipe, recipe_options
from tfcil.errors import UserError

INCREMENT = Recipe(epochs=70, learning_rate=0.2, schedule="step", milestones=[40, 60], flip=True)


class Options(recipe_options(epochs=20, schedule="constant")):
    """Options of a component, one of which is no recipe's."""

    first_task: bool = Field(False, description="of the component itself")


def test_every_key_of_a_recipe_is_an_option_with_its_description():
    fields = Options.model_fields
    assert set(fields) == {*Recipe.model_fields, "first_task"}
    for name, field in Recipe.model_fields.items():
        assert fields[name].description == field.description
    assert Options().model_dump(exclude_none=True) == {
        "epochs": 20,
        "schedule": "constant",
        "first_task": False,
    }


def test_keys_that_are_null_are_taken_from_the_other_recipe():
    expected = INCREMENT.model_copy(update={"epochs": 20, "schedule": "constant"})
    assert changed_recipe(INCREMENT, Options()) == expected
    own = Options(schedule=None, epochs=None, learning_rate=0.01, flip=False, weight_decay=0)
    expected = INCREMENT.model_copy(
        update={"learning_rate": 0.01, "flip": False, "weight_decay": 0.0}
    )
    assert changed_recipe(INCREMENT, own) == expected


@pytest.mark.parametrize(
    ("key", "value"),
    [("epochs", 0), ("learning_rate", -1), ("warmup", 1), ("optimizer", "adam"), ("flip", "x")],
)
def test_a_value_is_checked_as_in_any_recipe(key, value):
    with pytest.raises(UserError, match=f"options.own.{key}: "):
        Options.of({key: value}, "", under="options.own")


def test_keys_that_do_not_go_together_with_those_taken_over_are_told_in_one_line():
    plain = INCREMENT.model_copy(update={"schedule": "cosine", "milestones": []})
    with pytest.raises(UserError, match="schedule=step needs milestones") as error:
        changed_recipe(plain, Options(schedule="step"))
    assert "\n" not in str(error.value)
    with pytest.raises(UserError, match="expected resized_crop or crop_padding, not both"):
        changed_recipe(Recipe(epochs=1, crop_padding=4), Options(resized_crop=True))
    with pytest.raises(UserError, match="nesterov is a form of the momentum of sgd"):
        changed_recipe(Recipe(epochs=1, nesterov=True), Options(optimizer="adamw"))
