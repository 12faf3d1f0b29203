"""--reject: the stated share of known images is lost at most, and what is caught is counted."""

import json
import re

import numpy as np
import pytest
import yaml
from PIL import Image

from tfcil.cli import main
from tfcil.data.store import read_images
from tfcil.errors import UserError
from tfcil.release.rejection import confidences, threshold_of


def test_threshold_by_hand():
    """19 images, share 0.1: k = floor(0.1 * 20) = 2, the second smallest confidence."""
    values = np.linspace(0.05, 0.95, 19)
    assert threshold_of(values[::-1], 0.1) == pytest.approx(0.10)
    assert threshold_of(values, 0.05) == pytest.approx(0.05)


def test_new_images_are_rejected_as_often_as_stated():
    """Over many draws of 39 held-out images, 4 of 40 ranks: exactly 0.1 of new ones are below."""
    generator = np.random.default_rng(0)
    lost = [generator.random() < threshold_of(generator.random(39), 0.1) for _ in range(20000)]
    assert np.mean(lost) == pytest.approx(0.1, abs=0.007)


def test_too_few_images_for_a_share_are_told_with_the_number_that_is_enough():
    with pytest.raises(UserError, match=r"expected 19 .*reject=0\.05, 18 images"):
        threshold_of(np.arange(18.0), 0.05)
    threshold_of(np.arange(19.0), 0.05)


@pytest.mark.parametrize("share", [0, 1, -0.1, float("nan")])
def test_a_share_out_of_range_is_told(share):
    with pytest.raises(UserError, match="--reject: expected a share"):
        threshold_of(np.arange(18.0), share)


def test_confidence_is_the_highest_probability():
    logits = np.log([[0.2, 0.7, 0.1], [0.5, 0.25, 0.25]]) + 1000
    np.testing.assert_allclose(confidences(logits), [0.7, 0.5])


def predict(experiment, capsys, task, *options):
    """Answers of the command for all held-out images of both tasks, and its note."""
    folder = experiment / "photos"
    if not folder.exists():
        folder.mkdir()
        for key in ("00", "01"):
            for number, image in enumerate(read_images(experiment / "data" / "test" / key)[0]):
                Image.fromarray(image[..., 0]).save(folder / f"{key}_{number:02}.png")
    capsys.readouterr()
    model = str(experiment / "models" / f"{task}.keras")
    main(["predict", model, str(folder), "--json", *options])
    printed, note = capsys.readouterr()
    return json.loads(printed), note


def test_price_and_gain_are_those_of_the_answers(experiment, capsys):
    """The note counts what the command says of the same images, as files."""
    answers, note = predict(experiment, capsys, "00", "--reject", "0.2")
    rejected = {key: [] for key in ("00", "01")}
    for answer in answers:
        rejected[answer["path"].rsplit("/", 1)[1][:2]].append(not answer["known"])
    numbers = re.search(r"rejects (\d+) of (\d+) .* catches (\d+) of (\d+) images of later", note)
    known, later = rejected["00"], rejected["01"]
    assert [*map(int, numbers.groups())] == [sum(known), len(known), sum(later), len(later)]
    assert 0 < sum(known) <= 0.2 * len(known)


def test_after_the_last_task_nothing_unknown_is_left_to_count(experiment, capsys):
    _, note = predict(experiment, capsys, "01", "--reject", "0.2")
    assert "no class arrives later" in note


def test_a_task_that_is_not_prepared_yet_changes_no_answer(experiment, capsys):
    params = experiment / "params.yaml"
    before = params.read_text()
    added = yaml.safe_load(before)
    added["tasks"]["02"] = {"classes": 1, "after": "01", "recipe": "increment"}
    expected = predict(experiment, capsys, "00", "--reject", "0.2")
    params.write_text(yaml.safe_dump(added))
    try:
        assert predict(experiment, capsys, "00", "--reject", "0.2") == expected
    finally:
        params.write_text(before)


def test_answers_without_the_option_are_as_they_were(experiment, capsys):
    answers, note = predict(experiment, capsys, "00")
    assert note == ""
    assert all(set(answer) == {"path", "predictions"} for answer in answers)


def test_the_line_of_an_unknown_image_says_so(experiment, capsys):
    answers, _ = predict(experiment, capsys, "00", "--reject", "0.2")
    unknown = next(one for one in answers if not one["known"])
    main(["predict", str(experiment / "models" / "00.keras"), unknown["path"], "--reject", "0.2"])
    assert capsys.readouterr().out.startswith(f"{unknown['path']}: unknown: ")
