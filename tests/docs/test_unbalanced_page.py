"""docs/unbalanced.md: its settings are accepted, and its numbers are those of the program."""

import re
from pathlib import Path

import pytest
import yaml
from tiny_params import tiny_params

from tfcil.config.params import Params, load_params
from tfcil.config.presets import find_preset
from tfcil.data.long_tail import long_tailed_counts
from tfcil.evaluation.shots import FIGURES

PAGE = (Path(__file__).parents[2] / "docs" / "unbalanced.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("block", re.findall(r"^```yaml\n(.*?)^```", PAGE, flags=re.M | re.S))
def test_settings_of_the_page_are_accepted(block):
    Params.of(tiny_params(2, 2) | yaml.safe_load(block), source="page")


def test_page_has_every_figure_and_the_images_of_the_cifar100_presets():
    assert all(f"| `{name}` |" in PAGE for name in FIGURES)
    counts = long_tailed_counts(500, 100, 100)
    assert f"{counts[0]} to {counts[-1]} images, {counts.sum():,} in all" in PAGE
    for name in re.findall(r"`(cifar100_lt_\w+)`", PAGE):
        params = load_params(find_preset(name))
        assert params.dataset.long_tail.ratio == 100
        assert params.options["bsce"]["first_task"]
