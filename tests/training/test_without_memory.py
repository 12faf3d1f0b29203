"""The whole chain without exemplars: nothing is kept, and nothing needs what was kept."""

import json

import numpy as np
import pytest
import yaml
from tiny_params import tiny_params

from tfcil.stages.run import run_all

PARAMS = tiny_params(3, 2, 2, seed=5, memory=0)


@pytest.fixture(scope="module", params=["finetune", "lwf", "lucir", "mmd"])
def finished(request, tmp_path_factory):
    """Also methods with a memory: lucir as in the journal version, mmd as it is published."""
    folder = tmp_path_factory.mktemp(request.param)
    method = {"name": request.param, "loss": "relaxed_bsce"}
    options = {"relaxed_bsce": {"epsilon": 0.5}}
    params = PARAMS | {"method": method, "options": options}
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    run_all(folder)
    return folder


def test_every_memory_is_empty(finished):
    files = sorted((finished / "memory").glob("*.npz"))
    assert [file.stem for file in files] == ["00", "01", "02", "start"]
    for file in files:
        with np.load(file, allow_pickle=False) as stored:
            assert stored["images"].shape == (0, 28, 28, 1)
            assert len(stored["labels"]) == 0


def test_evaluation_knows_the_logits_alone(finished):
    """Nearest means of exemplars would be of none."""
    for number, task in enumerate(("00", "01", "02")):
        written = json.loads((finished / "evaluation" / f"{task}.json").read_text())
        assert set(written["correct"]) == {"cnn"}
        assert written["images"] == [15, 10, 10][: number + 1]
    assert "nme" not in json.loads((finished / "metrics.json").read_text())


def test_training_saw_the_new_images_alone(finished):
    for task, images in (("01", 32), ("02", 32)):  # 30 images in batches of 16
        row = (finished / "curves" / f"{task}.csv").read_text().splitlines()[1].split(",")
        assert row[:3] == ["1", "main", str(images)]
        assert all(np.isfinite(float(value)) for value in row[3:])
