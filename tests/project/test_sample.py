"""`tfcil sample`: embedded images as a folder per class, which every other command takes."""

import numpy as np
import pytest
from PIL import Image

from tfcil.cli import main
from tfcil.config.params import Dataset
from tfcil.data.datasets import class_names, load_dataset


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_folder_has_the_images_of_its_classes(here, capsys):
    main(["sample", "raw", "--first", "97", "--classes", "2"])
    assert capsys.readouterr().out == "raw: 40 images of 2 classes\n"
    whole = load_dataset(Dataset(name="omniglot100"))
    names = ["_".join(name.split("/")[1:]) for name in whole.class_names[97:99]]
    assert sorted(folder.name for folder in (here / "raw").iterdir()) == sorted(names)
    for label, name in zip((97, 98), names, strict=True):
        expected = np.concatenate(
            [
                whole.train_images[whole.train_labels == label],
                whole.test_images[whole.test_labels == label],
            ]
        )
        files = sorted((here / "raw" / name).iterdir())
        stored = np.stack([np.asarray(Image.open(file)) for file in files])
        np.testing.assert_array_equal(stored, expected[..., 0])
    assert list(class_names(Dataset(name="folder", path="raw"))) == sorted(names)


def test_more_classes_join_those_that_are_there(here):
    main(["sample", "raw", "--classes", "1"])
    (first,) = (here / "raw").iterdir()
    main(["sample", "raw", "--first", "1", "--classes", "1"])
    assert len(list((here / "raw").iterdir())) == 2
    assert len(list(first.iterdir())) == 20


@pytest.mark.parametrize(("first", "classes"), [(0, 0), (-1, 2), (99, 2)])
def test_classes_that_there_are_not_are_told_in_one_line(here, capsys, first, classes):
    with pytest.raises(SystemExit):
        main(["sample", "raw", f"--first={first}", f"--classes={classes}"])
    line = f"error: Expected some of the 100 embedded classes. Received: {first=}, {classes=}\n"
    assert capsys.readouterr().err == line
    assert list(here.iterdir()) == []
