"""The registry: a file is a rule or measure, and nothing else names it."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tfcil
from tfcil.evaluation.evidence import Evidence
from tfcil.evaluation.matrix import AccuracyMatrix
from tfcil.evaluation.registry import all_measures, all_rules, heading, primary
from tfcil.exemplars import ExemplarMemory

PACKAGE = Path(tfcil.__file__).parent
ROOT = PACKAGE.parent


def evidence(features, exemplars, classes, logits=None):
    """Evidence of a model whose features are the pixels of images (n, 1, 1, 2)."""

    def forward(images):
        found = np.asarray(images, "float32").reshape(len(images), -1)
        return {
            "logits": np.zeros((len(images), 3)) if logits is None else logits,
            "features": found,
        }

    pixels = np.array(exemplars, np.float32).reshape(-1, 1, 1, 2)
    labels = np.array(classes, np.int32)
    ranks = (np.arange(len(labels)) - np.searchsorted(labels, labels)).astype(np.int32)
    images = np.array(features, np.float32).reshape(-1, 1, 1, 2)
    memory = ExemplarMemory(pixels, labels, ranks)
    return Evidence(forward, images, np.zeros(len(images), int), memory)


def test_primary_rule_comes_first_and_is_the_only_one():
    first, *others = all_rules()
    assert first == primary()
    assert not any(all_rules()[name].primary for name in others)


def test_names_are_those_of_the_files():
    for folder, found in (("rules", all_rules()), ("measures", all_measures())):
        files = {file.stem for file in (PACKAGE / "evaluation" / folder).glob("*.py")}
        assert set(found) == files - {"__init__"}


def test_no_name_or_title_is_used_twice():
    """In metrics.json rules stand beside the figures of the primary one and the key measures."""
    taken = {"measures", *AccuracyMatrix([[1]], [[1]]).summary()}
    assert taken.isdisjoint(all_rules())
    titles = [one.title for one in (*all_rules().values(), *all_measures().values())]
    assert len(set(titles)) == len(titles)


def test_headings_are_words_in_capitals():
    assert heading("nearest_exemplar") == "NEAREST EXEMPLAR"


def test_no_other_file_knows_a_rule_or_measure_by_name():
    """Nor do templates and plots: what stands in one of them would be missed by a new rule.

    What is asked of a model before it ships knows the calibration error, which it is about.
    """
    names = re.compile(rf"\b({'|'.join((*all_rules(), *all_measures()))})\b")
    code = [file for file in PACKAGE.rglob("*") if file.suffix in (".py", ".j2", ".css", ".js")]
    plots = [ROOT / "dvc.yaml", *(ROOT / "pipelines" / "plots").iterdir()]
    for file in (*code, *plots):
        if not (names.fullmatch(file.stem) or file.is_relative_to(PACKAGE / "release")):
            assert names.findall(file.read_text(encoding="utf-8")) == [], file


def test_registry_loads_no_framework():
    script = (
        "import sys\n"
        "from tfcil.evaluation.registry import all_measures, all_rules\n"
        "all_rules(), all_measures()\n"
        "assert not {'keras', 'tensorflow', 'jax', 'torch'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_cnn_predicts_the_highest_logit():
    logits = np.array([[0.0, 2.0, 1.0], [3.0, -1.0, 3.0]])
    seen = evidence(np.zeros((2, 2)), np.zeros((0, 2)), [], logits)
    assert all_rules()["cnn"].predict(seen).tolist() == [1, 0]


def test_nme_predicts_the_nearest_mean_direction():
    """By hand: mean directions at 0, 45 and 90 degrees; features at 10, 30, 80 degrees."""
    exemplars = [[5, 0], [1, 0], [0, 3], [0, 0.5]]
    angles = np.deg2rad([10, 30, 80])
    features = np.stack([np.cos(angles), np.sin(angles)], axis=1) * [[9], [0.1], [2]]
    seen = evidence(features, [exemplars[0], *exemplars[1:3], exemplars[3]], [0, 1, 1, 2])
    assert all_rules()["nme"].predict(seen).tolist() == [0, 1, 2]


@pytest.mark.parametrize("classes", [[], [0, 1], [0, 2]])
def test_nme_does_not_predict_where_a_class_has_no_exemplar(classes):
    seen = evidence(np.ones((1, 2)), np.ones((len(classes), 2)), classes)
    assert all_rules()["nme"].predict(seen) is None
