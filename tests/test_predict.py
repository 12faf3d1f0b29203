"""tfcil predict: what evaluation predicts, of any image file, and an answer for each path."""

import functools
import json
import subprocess
import sys

import keras
import numpy as np
import pytest
from characters import characters
from photos import photos, pixels
from PIL import Image

from tfcil.classifier import expose, forward, grown, open_classifier, save_classifier, untrained
from tfcil.cli import main
from tfcil.data.pictures import resize
from tfcil.evaluation.evidence import Evidence
from tfcil.evaluation.registry import all_rules, primary
from tfcil.exemplars import ExemplarMemory
from tfcil.files import write_json
from tfcil.predict import BATCH_SIZE, Classifier, fitted, image_files

NAMES = ["panda", "Köter", "小熊猫", "d"]


@pytest.fixture(scope="module")
def images():
    """Test images of four characters, (n, 28, 28, 1): more than one batch."""
    return np.concatenate([characters(0, 4, split)[0] for split in ("test", "train")])


@pytest.fixture(scope="module")
def here(images, tmp_path_factory):
    """A model, the names of its classes, and images of its kind in characters/."""
    folder = tmp_path_factory.mktemp("predict")
    statistics = [float(images.mean())], [float(images.std())]
    start = untrained("simple_cnn", images.shape[1:], *statistics, seed=1)
    save_classifier(grown(start, 4, np.random.default_rng(0)), folder / "model.keras")
    save_classifier(start, folder / "start.keras")
    write_json(folder / "model.json", {"classes": NAMES})
    (folder / "characters").mkdir()
    for number, image in enumerate(images):
        Image.fromarray(image[..., 0]).save(folder / "characters" / f"{number:03}.png")
    return folder


@pytest.fixture
def run(here, monkeypatch, capfd):
    """Runs `tfcil predict model.keras` in the folder; returns status, stdout and stderr."""
    monkeypatch.chdir(here)

    def run(*arguments, model="model.keras"):
        status = 0
        try:
            main(["predict", model, *map(str, arguments)])
        except SystemExit as ended:
            status = ended.code
        return status, *capfd.readouterr()

    return run


def test_a_folder_gets_the_answers_of_evaluation(here, images):
    """In a process of its own: on stdout one JSON list, on stderr nothing."""
    command = [sys.executable, "-m", "tfcil", "predict", "model.keras", "characters", "--json"]
    done = subprocess.run(command, cwd=here, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    answers = json.loads(done.stdout)
    assert len(answers) == len(images) > BATCH_SIZE
    assert [one["path"] for one in answers] == [
        f"characters/{number:03}.png" for number in range(len(images))
    ]
    model = open_classifier(here / "model.keras")
    outputs = functools.partial(forward, expose(model, "logits", "features"))
    evidence = Evidence(outputs, images, None, ExemplarMemory.empty((28, 28, 1)))
    evaluated = all_rules()[primary()].predict(evidence)
    assert [one["predictions"][0]["class"] for one in answers] == [NAMES[k] for k in evaluated]
    assert len(set(evaluated)) > 1
    expected = keras.ops.convert_to_numpy(keras.ops.softmax(model(images)))
    for answer, known in zip(answers, expected, strict=True):
        assert [one["class"] for one in answer["predictions"]] == [
            NAMES[k] for k in np.argsort(-known)
        ]
        told = [one["probability"] for one in answer["predictions"]]
        np.testing.assert_allclose(told, np.sort(known)[::-1], atol=2e-6)


def test_lines_name_path_classes_and_percents(run):
    status, printed, errors = run("characters/003.png", "--top", 2)
    assert (status, errors) == (0, "")
    path, _, ranked = printed.strip().partition(": ")
    assert path == "characters/003.png"
    first, second = (one.rsplit(" ", 1) for one in ranked.split(", "))
    assert {first[0], second[0]} < set(NAMES)
    assert 100 >= float(first[1][:-1]) >= float(second[1][:-1]) >= 0


def test_unreadable_paths_are_told_and_the_others_answered(run, here, tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "empty").mkdir()
    (tmp_path / "sub" / "bad.JPG").write_bytes(photos(1)[0][:400])
    (tmp_path / "sub" / "good.jpeg").write_bytes(photos(1)[0])
    (tmp_path / ".hidden.png").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("no image")
    status, printed, errors = run(tmp_path, tmp_path / "empty", "nothing.png", "--json")
    answers = json.loads(printed)
    bad = [tmp_path / "sub/bad.JPG", tmp_path / "empty", "nothing.png"]
    assert [one["path"] for one in answers] == [
        str(path) for path in (bad[0], tmp_path / "sub/good.jpeg", *bad[1:])
    ]
    assert [sorted(one) for one in answers] == [
        ["error", "path"],
        ["path", "predictions"],
        ["error", "path"],
        ["error", "path"],
    ]
    assert status == 1
    lines = errors.splitlines()
    assert lines == [f"error: {one['error']}" for one in answers if "error" in one]
    assert all(str(path) in line for path, line in zip(bad, lines, strict=True))
    assert "dataset.path" not in errors


def test_nothing_but_errors_is_still_json(run):
    status, printed, _ = run("nothing.png", "--json")
    assert status == 1
    assert len(json.loads(printed)) == 1


@pytest.mark.parametrize(("top", "classes"), [(1, 1), (4, 4), (99, 4)])
def test_top_gives_as_many_classes_as_there_are(run, top, classes):
    _, printed, _ = run("characters/000.png", "--json", "--top", top)
    (answer,) = json.loads(printed)
    assert len(answer["predictions"]) == classes


def test_top_below_one_is_told(run):
    expected = (1, "", "error: --top: expected 1 or more. Received: top=0\n")
    assert run("characters/000.png", "--top", 0) == expected


@pytest.mark.parametrize(
    ("described", "told"),
    [
        ({"classes": NAMES[:3]}, "Expected a name for each of the model's 4 classes. Received: 3"),
        ({"names": NAMES}, "Expected the names of the classes in it."),
        ({"classes": NAMES, "resize": "squeeze"}, "expected one of stretch, crop. Received: resi"),
        (["panda"], "Expected the names of the classes in it."),
    ],
)
def test_names_that_do_not_fit_are_told(run, here, described, told):
    (here / "other.keras").write_bytes((here / "model.keras").read_bytes())
    write_json(here / "other.json", described)
    status, printed, errors = run("characters/000.png", "--json", model="other.keras")
    assert (status, printed) == (1, "")
    assert told in errors
    assert errors.count("\n") == 1


def test_without_names_classes_are_told_by_number(run, here):
    (here / "nameless.keras").write_bytes((here / "model.keras").read_bytes())
    status, printed, errors = run("characters/000.png", "--json", model="nameless.keras")
    assert status == 0
    (answer,) = json.loads(printed)
    assert sorted(one["class"] for one in answer["predictions"]) == ["0", "1", "2", "3"]
    assert errors == "note: nameless.json is missing, classes are told by their numbers\n"


@pytest.mark.parametrize("model", ["start.keras", "missing.keras", "model.json"])
def test_what_is_no_classifier_is_told_in_one_line(run, model):
    status, printed, errors = run("characters/000.png", model=model)
    assert (status, printed) == (1, "")
    assert errors.startswith("error: Expected a")
    assert errors.count("\n") == 1


def test_photos_are_read_as_the_model_takes_them(here, tmp_path):
    (photo,) = photos(1)
    (tmp_path / "photo.jpg").write_bytes(photo)
    classifier = Classifier.open(here / "model.keras")
    grey = np.asarray(Image.open(tmp_path / "photo.jpg").convert("L"))[..., None]
    np.testing.assert_array_equal(classifier.read(tmp_path / "photo.jpg"), resize(grey, 28))


@pytest.mark.parametrize("how", ["stretch", "crop"])
def test_images_are_resized_as_in_training(how):
    image = pixels(photos(1)[0], (90, 50))
    np.testing.assert_array_equal(fitted(image, (32, 32, 3), how), resize(image, 32, how))


def test_images_of_the_right_size_stay_and_others_are_stretched_to_any_shape():
    image = pixels(photos(1)[0], (24, 20))
    assert fitted(image, (20, 24, 3), "stretch") is image
    flat = np.full((50, 9, 3), 7, "uint8")
    np.testing.assert_array_equal(fitted(flat, (20, 24, 3), "stretch"), np.full((20, 24, 3), 7))


def test_images_in_folders_are_sorted_and_hidden_ones_left_out(tmp_path):
    for name in (
        "b/2.png",
        "b/10.PNG",
        "a.webp",
        ".git/x.png",
        "b/.y.png",
        "b/z.txt",
        "d.png/e.gif",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    # A link to a folder may lead to where it stands, and the walk would never end.
    (tmp_path / "b" / "round.png").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "c.gif").symlink_to(tmp_path / "a.webp")
    found = [str(path.relative_to(tmp_path)) for path in image_files(tmp_path)]
    assert found == ["a.webp", "b/10.PNG", "b/2.png", "c.gif", "d.png/e.gif"]
    assert image_files(tmp_path / "b" / "z.txt") == [tmp_path / "b" / "z.txt"]


def test_a_crop_of_a_model_that_is_not_square_is_told(run, here):
    start = untrained("simple_cnn", (20, 24, 1), [30.0], [60.0], seed=1)
    save_classifier(grown(start, 4, np.random.default_rng(0)), here / "wide.keras")
    write_json(here / "wide.json", {"classes": NAMES, "resize": "crop"})
    status, printed, errors = run("characters/000.png", "--json", model="wide.keras")
    assert (status, printed) == (1, "")
    assert errors.endswith("Received: images=20 x 24\n")
