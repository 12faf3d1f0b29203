"""A CSV file of images is a data set; what is wrong in it is told with its line."""

import numpy as np
import pytest
from PIL import Image

from tfcil.config.params import Dataset
from tfcil.data import load_dataset, open_dataset
from tfcil.errors import UserError


@pytest.fixture
def folder(tmp_path):
    for value in range(1, 9):
        (tmp_path / "photos").mkdir(exist_ok=True)
        Image.new("L", (4, 4), value).save(tmp_path / "photos" / f"{value}.png")
    return tmp_path


def settings(file):
    return Dataset(name="folder", path=str(file))


def values(images):
    return images[:, 0, 0, 0].tolist()


def test_images_have_the_split_that_is_said(folder):
    """Other columns, spaces, empty lines and the mark of a spreadsheet do no harm."""
    file = folder / "labels.CSV"
    file.write_text(
        "\ufeffwho,path, Label,split\n"
        'me,photos/2.png,"cat, big",train\n'
        "\n"
        f"you,{folder}/photos/1.png, dog ,test\n"
        'me, photos/../photos/3.png ,"cat, big",test\n'
        "you,photos/4.png,dog,train\n",
        encoding="utf-8",
    )
    dataset = load_dataset(settings(file))
    assert dataset.class_names == ("cat, big", "dog")
    assert (dataset.train_labels.tolist(), values(dataset.train_images)) == ([0, 1], [2, 4])
    assert (dataset.test_labels.tolist(), values(dataset.test_images)) == ([0, 1], [3, 1])


@pytest.mark.parametrize("header", ["path,label", "path,label,split"])
def test_images_without_a_split_get_the_one_of_a_folder(folder, header):
    blank = "," * (header.count(",") - 1)
    file = folder / "labels.csv"
    rows = [f"photos/{value}.png,{'cat' if value < 5 else 'dog'}{blank}" for value in range(1, 9)]
    file.write_text("\n".join([header, *rows]))
    for value in range(1, 9):
        name = "cat" if value < 5 else "dog"
        (folder / "classes" / name).mkdir(parents=True, exist_ok=True)
        source = folder / "photos" / f"{value}.png"
        (folder / "classes" / name / source.name).write_bytes(source.read_bytes())
    ours, theirs = (load_dataset(settings(path)) for path in (file, folder / "classes"))
    for key in ("train_images", "train_labels", "test_images", "test_labels"):
        np.testing.assert_array_equal(getattr(ours, key), getattr(theirs, key))


def test_what_is_said_of_a_class_counts_for_its_other_images(folder):
    """A class whose test image is named needs no other; its equal goes with it."""
    file = folder / "labels.csv"
    (folder / "copy.png").write_bytes((folder / "photos" / "1.png").read_bytes())
    file.write_text(
        "path,label,split\nphotos/1.png,cat,test\nphotos/2.png,cat,train\ncopy.png,cat\n"
    )
    with pytest.raises(UserError, match="line 4: expected 3 fields"):
        open_dataset(settings(file))
    file.write_text(file.read_text().replace("copy.png,cat", "copy.png,cat,"))
    dataset = load_dataset(settings(file))
    assert values(dataset.train_images) == [2]
    assert values(dataset.test_images) == [1, 1]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "line 1: expected a header with path, label and perhaps split"),
        ("a.png,cat\n", "line 1: expected a header"),
        ("path;label\na.png;cat\n", "Received: path;label"),
        ("path,label,path\n", "line 1: expected a header"),
        ("path,label,split,split\n", "line 1: expected a header"),
        ("path,label\na.png,cat\nb.png\n", "line 3: expected 2 fields, as the header has"),
        ("path,label\na,b.png,cat\n", "line 2: expected 2 fields"),
        ("path,label\n,cat\n", "line 2: expected the path of an image"),
        ("path,label\na.png,\n", "line 2: expected a label, the name of a class; it is empty"),
        ('path,label\na.png,"c\nat"\n', "it has control characters"),
        ("path,label\na.png," + 201 * "c", "line 2: expected a label"),
        ("path,label,split\na.png,cat,val\n", "expected split to be train, test or nothing"),
        (
            "path,label\na.png,cat\n./a.png,cat\n",
            "line 3: expected each file once, it is in line 2",
        ),
        ('path,label\na.png,"cat"x\n', "line 2: expected comma-separated values"),
        ('path,label\na.png,"cat', "expected comma-separated values"),
        ("path,label\na.png,cat\xff\n", "expected a CSV file in UTF-8"),
    ],
)
def test_what_is_wrong_is_told_with_file_and_line(tmp_path, text, told):
    file = tmp_path / "labels.csv"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(UserError) as error:
        open_dataset(settings(file))
    message = str(error.value)
    assert message.startswith("dataset.path: ")
    assert told in message
    assert str(file) in message
    assert "\n" not in message


def test_a_file_without_rows_has_no_class(tmp_path):
    (tmp_path / "labels.csv").write_text("path,label\n")
    with pytest.raises(UserError, match=r"at least one image"):
        open_dataset(settings(tmp_path / "labels.csv"))


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(UserError, match=r"No such file.*dataset\.path=.*labels\.csv$"):
        open_dataset(settings(tmp_path / "labels.csv"))


def test_an_image_that_is_missing_is_told_with_its_line(folder):
    file = folder / "labels.csv"
    file.write_text(
        "path,label\nphotos/1.png,cat\nphotos/2.png,cat\nphotos/\x009.png,cat\nno.png,cat\n"
    )
    with pytest.raises(UserError) as error:
        open_dataset(settings(file))
    assert r"photos/\x009.png (line 4) of the class cat (embedded null byte)" in str(error.value)
    assert "no.png (line 5) of the class cat (No such file or directory)" in str(error.value)
    assert "2 cannot" in str(error.value)
