"""params.yaml: a wrong value is told in one line: the key, the value and what is allowed."""

import copy
from pathlib import Path

import pytest
import yaml

from tfcil.config.params import Params, load_params
from tfcil.config.presets import find_preset, presets, rewrite_tasks
from tfcil.errors import UserError

ROOT = Path(__file__).parents[1]
DEFAULT = yaml.safe_load((ROOT / "params.yaml").read_text())


def changed(path, value):
    values = copy.deepcopy(DEFAULT)
    *sections, key = path.split(".")
    section = values
    for name in sections:
        section = section.setdefault(name, {})
    section[key] = value
    return values


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("memory", -5, "memory: input should be greater than or equal to 0. Received: memory=-5"),
        ("memory", "abc", "memory: input should be a valid integer. Received: memory='abc'"),
        ("memory", True, "memory: input should be a valid integer"),
        ("memory", 20.5, "memory: input should be a valid integer"),
        ("seed", 2**40, "seed: input should be less than 2147483648"),
        (
            "method.loss",
            "focal",
            "method.loss: expected 'ce', 'bce', 'bsce', 'meta-bsce' or 'relaxed-bsce'. "
            "Received: method.loss='focal'",
        ),
        ("method.name", "basline", "(did you mean baseline?)"),
        ("method.los", "ce", "method.los: no such key (did you mean loss?)"),
        ("methd", {}, "methd: no such key (did you mean method?)"),
        ("method.logit_adjust", 1, "would remove it twice"),
        ("tasks.01.recipe", "incremnt", "tasks.01.recipe: expected 'base' or 'increment'"),
        ("tasks.01.clases", 3, "tasks.01.clases: no such key (did you mean classes?)"),
        (
            "tasks.01.classes",
            0,
            "tasks.01.classes: expected a count of at least 1",
        ),
        (
            "tasks.01.classes",
            [],
            "tasks.01.classes: expected a count of at least 1",
        ),
        ("tasks.01.after", "07", "tasks.01.after"),
        ("tasks", {}, "tasks"),
        ("strategy", "mirror", "'mirrored' or 'multi_worker' (did you mean mirrored?)"),
        ("tasks", {0: {"classes": 3, "after": "start", "recipe": "base"}}, "tasks.0"),
        ("tasks", {"a/../b": {"classes": 3, "after": "start", "recipe": "base"}}, "a/../b"),
        ("model.backbone", "resnet23", "(did you mean resnet32?)"),
        ("model.precision", "float16", "model.precision: expected 'float32' or 'mixed_bfloat16'"),
        ("base.schedule", "step", "schedule=step needs milestones"),
        ("base.learning_rate", float("nan"), "base.learning_rate: input should be a finite number"),
        ("base.learning_rate", 0, "base.learning_rate: input should be greater than 0"),
        ("base.warmup", 99, "warmup must not exceed epochs"),
        ("base", None, "base: expected a section"),
        ("dataset", "cifar100", "dataset: expected a section"),
        (
            "exemplars.per_class",
            0,
            "exemplars.per_class: input should be greater than or equal to 1",
        ),
        ("scenario.order", "lucir_1994", "scenario.order"),
        ("validation", 1, "validation: input should be less than 1. Received: validation=1"),
        ("validation", -0.1, "validation: input should be greater than or equal to 0"),
        ("validation", float("nan"), "validation: input should be a finite number"),
        ("dataset.test_fraction", 0, "dataset.test_fraction: input should be greater than 0"),
        ("dataset.test_fraction", 1, "dataset.test_fraction: input should be less than 1"),
        ("dataset.on_bad_image", "ignore", "dataset.on_bad_image: expected 'error' or 'skip'"),
        ("dataset.path", "", "dataset.path: string should have at least 1 character"),
    ],
)
def test_bad_value_is_told_in_one_line(key, value, told):
    with pytest.raises(UserError) as error:
        Params.of(changed(key, value), "params.yaml")
    assert told in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("method", "others", "told"),
    [
        (
            {"name": "finetune"},
            {"memory": 200},
            "method.name=finetune is memory-free, expected memory=0. Received: memory=200",
        ),
        ({"name": "lwf", "loss": "bce"}, {"memory": 1}, "method.name=lwf is memory-free"),
        (
            {"loss": "relaxed-bsce"},
            {"memory": 200},
            "method.loss=relaxed-bsce is for classes without exemplars, expected memory=0 or "
            "loss=bsce. Received: memory=200",
        ),
        (
            {"loss": "meta-bsce"},
            {"memory": 0},
            "method.loss=meta-bsce learns its coefficient from exemplars, expected memory of 1 or "
            "more. Received: memory=0",
        ),
        (
            {"loss": "meta-bsce"},
            {"strategy": "mirrored"},
            "method.loss=meta-bsce runs on one device. Received: strategy=mirrored",
        ),
        *[
            (
                {"name": name, "loss": "ce", "second_stage": True},
                {"second_stage": None},
                f"method.name={name} has a second stage: expected a section second_stage",
            )
            for name in ("lucir", "podnet", "eeil", "der", "foster")
        ],
    ],
)
def test_a_method_that_the_rest_does_not_fit_is_told_in_one_line(method, others, told):
    with pytest.raises(UserError) as error:
        Params.of(DEFAULT | others | {"method": method}, "params.yaml")
    assert told in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("method", "others"),
    [
        ({"name": "finetune", "loss": "relaxed-bsce"}, {"memory": 0}),
        ({"name": "wa", "loss": "ce", "second_stage": False}, {"memory": 0}),
        ({"name": "wa", "loss": "ce"}, {"second_stage": None}),  # corrects, trains nothing
        ({"name": "podnet", "loss": "bsce"}, {"second_stage": None}),  # drops its second stage
        ({"name": "der", "loss": "ce", "weight_aligning": True}, {"second_stage": None}),
    ],
)
def test_a_method_asks_for_no_more_than_it_uses(method, others):
    assert Params.of(DEFAULT | others | {"method": method}, "params.yaml").method.name


@pytest.mark.parametrize("text", ["", "- 1\n", "memory: [", "a: 1\na: 2\n", "\t", "memory: \xff"])
def test_bad_file_is_told_in_one_line(tmp_path, text):
    path = tmp_path / "params.yaml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(UserError) as error:
        load_params(path)
    assert "\n" not in str(error.value)


def test_missing_key_is_named():
    values = copy.deepcopy(DEFAULT)
    del values["memory"]
    with pytest.raises(UserError, match="memory: this key is required"):
        Params.of(values, "params.yaml")


def test_scientific_notation_without_a_dot_is_a_number():
    """PyYAML reads 5e-4 as a text, DVC as a number: both must mean the same."""
    assert Params.of(changed("base.weight_decay", "5e-4"), "params.yaml").base.weight_decay == 5e-4


def test_default_params_are_the_default_preset():
    assert (ROOT / "params.yaml").read_text() == find_preset("omniglot100").read_text()


@pytest.mark.parametrize("name", sorted(presets()))
def test_every_preset_is_valid_and_says_what_it_costs(name):
    load_params(presets()[name])
    head = presets()[name].read_text().split("seed:")[0]
    for word in ("Command:", "Hardware:", "Time:", "Result:"):
        assert word in head


def test_unknown_preset_names_the_nearest():
    with pytest.raises(UserError, match=r"did you mean omniglot100\?"):
        find_preset("omniglot10")


def test_rewriting_the_tasks_leaves_the_rest_to_the_letter(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(
        "# head\nmemory: 1   # a\ntasks:  # b\n  '00': {classes: 2}\n\n  # c\n  '01': x\nseed: 1\n"
    )
    rewrite_tasks(path, {"00": {"classes": 5, "after": "start", "recipe": "base"}})
    assert path.read_text() == (
        "# head\nmemory: 1   # a\n"
        'tasks:\n  "00": {classes: 5, after: "start", recipe: base}\n'
        "seed: 1\n"
    )


def test_rewriting_without_a_block_of_tasks_is_told(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text("memory: 1\n")
    with pytest.raises(UserError, match="tasks"):
        rewrite_tasks(path, {})
