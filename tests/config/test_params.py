"""params.yaml: a wrong value is told in one line: the key, the value and what is allowed."""

import copy
from pathlib import Path

import pytest
import yaml
from tiny_params import changed

from tfcil.config.params import Params, load_params
from tfcil.config.presets import find_preset, presets
from tfcil.errors import UserError

ROOT = Path(__file__).parents[2]
DEFAULT = yaml.safe_load((ROOT / "params.yaml").read_text())


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
            "method.loss: expected one of bce, bsce, ce, gce, meta_bsce, nca, relaxed_bsce, rjm, "
            "tal, or module:PATH. Received: method.loss=focal",
        ),
        ("method.loss", "meta-bsce", "(did you mean meta_bsce?). Received: method.loss=meta-bsce"),
        ("method.name", "basline", "(did you mean baseline?)"),
        ("method.correction", "weight_alignin", "(did you mean weight_aligning?)"),
        ("method.second_stage", True, "method.second_stage: no such key"),
        (
            "method.name",
            "module:no_such_module",
            "method.name: expected a module that can be imported from here (ModuleNotFoundError: "
            "No module named 'no_such_module'). Received: method.name=module:no_such_module",
        ),
        (
            "method.correction",
            "module:json",
            "expected a module with FACTS = CorrectionFacts(...) and a function correct",
        ),
        ("method.los", "ce", "method.los: no such key (did you mean loss?)"),
        ("methd", {}, "methd: no such key (did you mean method?)"),
        (
            "method.correction",
            "logit_adjustment",
            "the class prior is removed by loss=bsce, logit_adjustment would remove it twice",
        ),
        ("second_stage", None, "second_stage: no such key"),
        ("options", "bsce", "options: input should be a valid section of keys and values"),
        ("options.bsce", 1, "options.bsce: expected a section of keys and values"),
        ("options.bsce.tua", 1, "options.bsce.tua: no such key (did you mean tau?)"),
        ("options.bsce.tau", -1, "options.bsce.tau: input should be greater than or equal to 0"),
        ("options.bsec", {}, "options.bsec: no such method, loss or correction (did you mean bsce"),
        ("options.lucir", {"margin": "x"}, "options.lucir.margin: input should be a valid number"),
        ("options.foster", {"compression": {"epochs": 0}}, "options.foster.compression.epochs: "),
        (
            "options.balanced_finetuning.warmup",
            1,
            "options.balanced_finetuning.warmup: expected a fraction",
        ),
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
        (
            "model.weights",
            "imagenet",
            "model: weights: expected null with model.backbone=simple_cnn",
        ),
        ("model", {"backbone": "hub:x", "weights": "imagenet"}, "expected null or preset with"),
        ("model", {"backbone": "my.keras"}, "pixels: expected raw, unit or signed with model.back"),
        ("model.pixels", "raw", "pixels: expected null with model.backbone=simple_cnn"),
        ("model.layer", "top", "layer: expected null with model.backbone=simple_cnn, which is no"),
        ("model.side", 0, "model.side: input should be greater than or equal to 1"),
        ("model.backbone", "hub:", "or hub:PRESET of keras-hub. Received: backbone=hub:"),
        ("model.precision", "float16", "model.precision: expected 'float32' or 'mixed_bfloat16'"),
        ("base.schedule", "step", "schedule=step needs milestones"),
        ("base.learning_rate", float("nan"), "base.learning_rate: input should be a finite number"),
        ("base.learning_rate", 0, "base.learning_rate: input should be greater than 0"),
        (
            "base.warmup",
            2,
            "base.warmup: expected a fraction, of 0 or more and less than 1. Received: warmup=2",
        ),
        ("increment.warmup", -0.1, "increment.warmup: expected a fraction"),
        ("base.optimizer", "adam", "base.optimizer: expected 'sgd' or 'adamw' (did you mean adamw"),
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
        Params.of(changed(DEFAULT, {key: value}), "params.yaml")
    assert told in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("strategy", "machines", "told"),
    [
        ("mirrored", 2, "expected machines=1 with strategy=mirrored. Received: machines=2"),
        ("multi_worker", 1, "expected machines=2 or more with strategy=multi_worker. Received: "),
        ("multi_worker", 0, "machines: input should be greater than or equal to 1"),
    ],
)
def test_as_many_machines_as_the_strategy_has(strategy, machines, told):
    with pytest.raises(UserError, match=told):
        Params.of(DEFAULT | {"strategy": strategy, "machines": machines}, "params.yaml")


def test_a_memory_has_room_for_an_exemplar_of_each_class():
    """With less, the equal share of a class is rounded down to none."""
    assert Params.of(DEFAULT | {"memory": 100}, "params.yaml").memory == 100
    told = r"each of the 100 classes .* tasks\.0\d\.classes\. Received: memory=99"
    with pytest.raises(UserError, match=told):
        Params.of(DEFAULT | {"memory": 99}, "params.yaml")


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
            {"loss": "relaxed_bsce"},
            {"memory": 200},
            "method.loss=relaxed_bsce is for classes without exemplars, expected memory=0 or "
            "loss=bsce. Received: memory=200",
        ),
        (
            {"loss": "meta_bsce"},
            {"memory": 0},
            "method.loss=meta_bsce learns from exemplars, expected memory of 1 or more. "
            "Received: memory=0",
        ),
        (
            {"loss": "ce", "correction": "balanced_finetuning"},
            {"memory": 0},
            "correction balanced_finetuning needs exemplars, expected memory of 1 or more, or "
            "method.correction=none. Received: memory=0",
        ),
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
        ({"name": "finetune", "loss": "relaxed_bsce"}, {"memory": 0}),
        ({"name": "eeil", "loss": "ce", "correction": "none"}, {"memory": 0}),
        ({"name": "eeil", "loss": "bsce"}, {"memory": 0}),  # drops its fine-tuning
        ({"name": "wa", "loss": "ce"}, {"memory": 0}),  # aligns, which needs no image
        ({"name": "podnet", "loss": "bsce"}, {"options": None}),
        ({"name": "der", "loss": "ce", "correction": "weight_aligning"}, {"options": {}}),
        ({}, {"options": {"bsce": None}}),
    ],
)
def test_a_method_asks_for_no_more_than_it_uses(method, others):
    assert Params.of(DEFAULT | others | {"method": method}, "params.yaml").method.name


@pytest.mark.parametrize(
    ("section", "told"),
    [
        (
            {"optimizer": "adamw", "nesterov": True},
            "nesterov is a form of the momentum of sgd. Received: optimizer=adamw, momentum=0.9",
        ),
        ({"nesterov": True, "momentum": 0}, "nesterov is a form of the momentum of sgd. Received"),
        ({"schedule": "step"}, "schedule=step needs milestones"),
        (
            {"resized_crop": True, "crop_padding": 4},
            "expected resized_crop or crop_padding, not both. Received: crop_padding=4",
        ),
    ],
)
def test_a_recipe_whose_keys_do_not_fit_each_other_is_told_in_one_line(section, told):
    with pytest.raises(UserError) as error:
        Params.of(changed(DEFAULT, {"base": {"epochs": 5} | section}), "params.yaml")
    assert str(error.value).startswith(f"params.yaml: base: {told}")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("method", "options", "told"),
    [
        (
            {"name": "eeil", "loss": "ce"},
            {"balanced_finetuning": {"optimizer": "adamw", "nesterov": True}},
            "options.balanced_finetuning: nesterov is a form of the momentum of sgd. "
            "Received: optimizer=adamw, momentum=0.9",
        ),
        (
            {"name": "eeil", "loss": "ce"},
            {"balanced_finetuning": {"schedule": "step"}},
            "options.balanced_finetuning: schedule=step needs milestones",
        ),
        (
            {"name": "foster", "loss": "ce"},
            {"foster": {"compression": {"resized_crop": True}}},  # increment pads
            "options.foster.compression: expected resized_crop or crop_padding, not both. "
            "Received: crop_padding=2",
        ),
    ],
)
def test_recipe_in_options_that_does_not_go_with_the_task_is_told(method, options, told):
    """Before the first task is trained, which may take a day."""
    with pytest.raises(UserError) as error:
        Params.of(DEFAULT | {"method": method, "options": options}, "params.yaml")
    assert str(error.value).startswith(f"params.yaml: {told}")
    # Another component may be chosen later on, and `increment` be changed with it.
    assert Params.of(DEFAULT | {"options": options}, "params.yaml")


def test_recipe_of_a_correction_goes_with_the_first_task_where_it_follows_it():
    method = {"name": "eeil", "loss": "ce"}
    finetuning = {"resized_crop": True, "crop_padding": 0}
    values = DEFAULT | {"method": method, "options": {"balanced_finetuning": finetuning}}
    values |= {"increment": {"epochs": 3}, "base": {"epochs": 3, "nesterov": True}}
    assert Params.of(values, "params.yaml")
    finetuning |= {"momentum": 0.0}
    assert Params.of(values, "params.yaml")
    finetuning |= {"first_task": True}
    with pytest.raises(UserError, match=r"options\.balanced_finetuning: nesterov is a form"):
        Params.of(values, "params.yaml")


@pytest.mark.parametrize("warmup", [0, 0.0667, 0.9])
def test_one_epoch_goes_with_any_warmup(warmup):
    """To try a pipeline with `-S base.epochs=1` nothing else need be changed."""
    params = Params.of(changed(DEFAULT, {"base": {"epochs": 1, "warmup": warmup}}), "params.yaml")
    assert (params.base.epochs, params.base.warmup) == (1, warmup)


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
    params = Params.of(changed(DEFAULT, {"base.weight_decay": "5e-4"}), "params.yaml")
    assert params.base.weight_decay == 5e-4


def test_default_params_are_the_default_preset():
    assert (ROOT / "params.yaml").read_text() == find_preset("omniglot100").read_text()


@pytest.mark.parametrize("name", sorted(presets()))
def test_every_preset_is_valid_and_says_what_it_costs(name):
    load_params(presets()[name])
    head = presets()[name].read_text().split("seed:")[0]
    for word in ("Command:", "Hardware:", "Time:", "Result:"):
        assert word in head


def test_presets_of_imagenet_keep_whole_images():
    """As pixels, ImageNet-1000 would take 200 GB and training would never see their borders."""
    names = [name for name in presets() if name.startswith("imagenet")]
    assert len(names) == 2
    assert {load_params(presets()[name]).dataset.store for name in names} == {"encoded"}


def test_unknown_preset_names_the_nearest():
    with pytest.raises(UserError, match=r"did you mean omniglot100\?"):
        find_preset("omniglot10")
