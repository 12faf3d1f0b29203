"""`trainable: adapter`: trained once, with the first task; then the network stays to the bit."""

import numpy as np
import pytest
from tiny_tasks import images_of

import tfcil
from tfcil import classifier
from tfcil.config.params import Params
from tfcil.errors import UserError
from tfcil.learning.settings import Settings
from tfcil.learning.task import train_task

RECIPE = {"epochs": 1, "batch_size": 20, "learning_rate": 0.1}


def learned(model, first, last, trainable, name="baseline", statistics=None, **others):
    values = {
        "budget": 20,
        "method": {"name": name, "loss": "ce", "correction": "none"},
        "recipe": RECIPE | {"trainable": trainable},
    }
    is_first = not classifier.num_classes(model)
    chosen = Settings.of(values, "settings").of_task(is_first)
    images, labels = images_of(first, last)
    return train_task(lambda: model, images, labels, chosen, statistics=statistics, **others)


def start(adapter="case"):
    return classifier.untrained("resnet20", (28, 28, 1), [127.0], [60.0], adapter=adapter)


def weights(model):
    return {layer.name: layer.get_weights() for layer in classifier.network_of(model).layers}


def changed(before, after):
    return {
        name
        for name, old in before.items()
        if not all(np.array_equal(*pair) for pair in zip(old, after[name], strict=True))
    }


@pytest.mark.parametrize("name", ["baseline", "ncm"])
def test_the_first_task_trains_the_factors_and_later_ones_keep_them(name, tmp_path, capsys):
    model = start()
    first = learned(model, 0, 4, "adapter", name)
    phases = [row["phase"] for row in first.curve]
    assert phases == (["adapter", "main"] if name == "baseline" else ["adapter"])
    factors = {layer.name for layer in classifier.adapter_of(model)}
    assert changed(weights(model), weights(first.model)) == factors
    assert classifier.is_frozen(first.model)
    kept = {"statistics": first.statistics, "extract": classifier.FeatureCache(tmp_path)}
    second = learned(first.model, 4, 7, "head", name, **kept)
    assert changed(weights(first.model), weights(second.model)) == set()
    assert len(list(tmp_path.iterdir())) == 1  # one network, whose features are kept
    assert "the network is new to the cache" in capsys.readouterr().err


def test_a_later_task_and_a_network_without_adapter_are_refused():
    with pytest.raises(UserError, match=r"with model.adapter=case. Received: trainable=adapter$"):
        learned(start(None), 0, 4, "adapter")
    first = learned(start(), 0, 4, "head").model
    with pytest.raises(UserError, match=r"Received: trainable=adapter, 4 classes before$"):
        learned(first, 4, 7, "adapter")


def test_params_are_refused_before_anything_is_trained():
    tasks = {
        "00": {"classes": 2, "after": "start", "recipe": "base"},
        "01": {"classes": 2, "after": "00", "recipe": "increment"},
    }

    def params(base, increment, adapter):
        values = {"memory": 0, "dataset": {"name": "omniglot100"}, "tasks": tasks}
        values["model"] = {"backbone": "resnet20", "adapter": adapter}
        recipes = {"base": base, "increment": increment}
        values |= {key: {"epochs": 1, "trainable": one} for key, one in recipes.items()}
        return Params.of(values, "params.yaml")

    assert params("adapter", "head", "case").model.adapter == "case"
    with pytest.raises(UserError, match=r"model.adapter: expected case with trainable=adapter"):
        params("adapter", "head", None)
    with pytest.raises(UserError, match=r"increment.trainable=adapter, tasks.01.after=00$"):
        params("all", "adapter", "case")


def test_an_incremental_classifier_has_one_too_and_refuses_it_later():
    one = tfcil.IncrementalClassifier(
        budget=0,
        backbone="resnet20",
        adapter="case",
        method={"name": "lda", "loss": "ce"},
        recipe=RECIPE | {"trainable": "adapter"},
    )
    one.learn(*images_of(0, 4, exemplars=0))
    factors = [layer.get_weights()[0] for layer in classifier.adapter_of(one.model)]
    assert len(factors) == 9
    assert not all(np.all(values == 1) for values in factors)
    later = images_of(4, 6, exemplars=0)
    with pytest.raises(UserError, match=r"first task alone.*4 classes before$"):
        one.learn(*later)
    one.learn(*later, recipe=RECIPE | {"trainable": "head"})
    same = [layer.get_weights()[0] for layer in classifier.adapter_of(one.model)]
    assert all(np.array_equal(*pair) for pair in zip(factors, same, strict=True))
