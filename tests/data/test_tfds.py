"""Sets of tensorflow-datasets: the real CIFAR-100, and small ones written for the test."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from tfcil.cli import main
from tfcil.config.params import Dataset, load_params
from tfcil.config.presets import find_preset
from tfcil.data import load_dataset, open_dataset
from tfcil.data.store import read_facts, read_images
from tfcil.errors import UserError
from tfcil.stages.layout import Layout
from tfcil.stages.prepare import prepare

ROOT = Path(__file__).resolve().parents[2]
CIFAR100 = ROOT.parent / "shared" / "data" / "cifar100" / "tfds"


@pytest.fixture(scope="module")
def tfds():
    return pytest.importorskip("tensorflow_datasets")


@pytest.fixture(scope="module")
def cifar100(tfds):
    if not CIFAR100.is_dir():
        pytest.skip(f"needs {CIFAR100.relative_to(ROOT.parent)}, which is not on this machine")
    with pytest.MonkeyPatch.context() as patch:
        # TFDS_DATA_DIR is read when the package is imported, which may be over.
        patch.setattr(tfds.core.constants, "DATA_DIR", str(CIFAR100))
        return load_dataset(Dataset(name="cifar100"))


def test_cifar100_has_500_and_100_images_per_class(cifar100):
    assert cifar100.train_images.shape == (50000, 32, 32, 3)
    assert cifar100.test_images.shape == (10000, 32, 32, 3)
    assert cifar100.train_images.dtype == cifar100.test_images.dtype == np.uint8
    assert cifar100.train_labels.dtype == cifar100.test_labels.dtype == np.int64
    assert np.bincount(cifar100.train_labels).tolist() == [500] * 100
    assert np.bincount(cifar100.test_labels).tolist() == [100] * 100


def test_cifar100_has_the_fine_labels_by_name(cifar100):
    assert len(cifar100.class_names) == 100
    assert list(cifar100.class_names) == sorted(cifar100.class_names)
    known = {0: "apple", 19: "cattle", 49: "mountain", 99: "worm"}
    assert {label: cifar100.class_names[label] for label in known} == known


def test_cifar100_has_the_published_channel_means(cifar100):
    """They are those of the genuine images: one that differs would show."""
    means = cifar100.train_images.mean(axis=(0, 1, 2), dtype="float64") / 255
    published = [0.5070751592371323, 0.48654887331495095, 0.4409178433670343]
    np.testing.assert_allclose(means, published, rtol=1e-12)


@pytest.fixture(scope="module")
def pets(tfds, tmp_path_factory):
    """Sets stored, not built: two classes in images of two shapes, one set without labels."""
    data_dir = tmp_path_factory.mktemp("tfds")
    image = tfds.features.Image(shape=(None, None, 3))
    label = tfds.features.ClassLabel(names=["cat", "dog"])
    shapes = ((4, 6, 3), (8, 8, 3))
    examples = [
        {"image": np.full(shapes[i % 2], 10 * i, "uint8"), "label": i % 2} for i in range(6)
    ]
    _store(tfds, data_dir, "pets", {"image": image, "label": label}, examples)
    images = [{"image": example["image"]} for example in examples]
    _store(tfds, data_dir, "nameless_pets", {"image": image}, images)
    secret = [example | {"label": -1} for example in examples]
    _store(tfds, data_dir, "secret_pets", {"image": image, "label": label}, examples, secret)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tfds.core.constants, "DATA_DIR", str(data_dir))
        yield data_dir


@pytest.fixture(scope="module")
def imagenet(tfds, tmp_path_factory):
    """ImageNet with one image per class and split, grey as far as the label; stored, not built."""
    data_dir = tmp_path_factory.mktemp("imagenet")
    wnids = tfds.builder("imagenet2012", data_dir=str(data_dir)).info.features["label"].names
    features = {
        "image": tfds.features.Image(encoding_format="jpeg"),
        "label": tfds.features.ClassLabel(names=wnids),
        "file_name": tfds.features.Text(),
    }
    examples = [
        {"image": np.full((7, 9, 3), label // 4, "uint8"), "label": label, "file_name": wnid}
        for label, wnid in enumerate(wnids)
    ]
    splits = {"train": examples, "validation": examples[::-1]}
    _write(tfds, data_dir / "imagenet2012" / "5.1.0", features, splits)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tfds.core.constants, "DATA_DIR", str(data_dir))
        yield wnids


def test_the_preset_of_imagenet_subset_takes_its_images_from_the_1000_classes(imagenet, tmp_path):
    """By the grey of the images: the rank of a class leads back to its WordNet name."""
    settings = load_params(find_preset("imagenet_subset_b50_5steps"))
    small = settings.dataset.model_copy(update={"image_size": 8})
    prepare(Layout.of(tmp_path), settings.model_copy(update={"dataset": small}))
    classes = read_facts(tmp_path / "data" / "train" / "05")["classes"]
    assert len(classes) == len(set(classes)) == 100
    assert classes[:2] == [sorted(classes)[label] for label in (68, 56)]
    for part in ("train", "test"):
        for task, first, count in (("00", 0, 50), ("05", 90, 10)):
            images, labels = read_images(tmp_path / "data" / part / task)
            assert images.shape == (count, 8, 8, 3)
            assert sorted(labels) == list(range(first, first + count))
            for image, label in zip(images, labels, strict=True):
                assert np.abs(image.mean() - imagenet.index(classes[label]) // 4) <= 1


def _store(tfds, data_dir, name, features, examples, tests=None):
    splits = {"train": examples, "test": tests or examples[:2]}
    _write(tfds, data_dir / name / "1.0.0", features, splits)


def _write(tfds, folder, features, splits):
    folder.mkdir(parents=True)
    identity = tfds.core.dataset_info.DatasetIdentity(
        name=folder.parent.name,
        version=tfds.core.Version(folder.name),
        data_dir=str(folder),
        module_name="",
    )
    info = tfds.core.DatasetInfo(builder=identity, features=tfds.features.FeaturesDict(features))
    writer = tfds.core.SequentialWriter(info, max_examples_per_shard=100)
    writer.initialize_splits([*splits])
    writer.add_examples(splits)
    writer.close_all()


def test_images_of_several_shapes_are_resized(pets):
    dataset = load_dataset(Dataset(name="pets", image_size=5))
    assert dataset.class_names == ("cat", "dog")
    assert dataset.train_images.shape == (6, 5, 5, 3)
    assert dataset.test_images.shape == (2, 5, 5, 3)
    assert dataset.train_labels.tolist() == [0, 1] * 3
    for value, image in enumerate(dataset.train_images):
        np.testing.assert_array_equal(image, 10 * value)


def test_only_the_chosen_images_are_decoded_in_their_order(pets, tfds, monkeypatch):
    dataset = open_dataset(Dataset(name="pets"))
    assert dataset.train.labels.tolist() == [0, 1] * 3
    chosen = dataset.train.labels == 1
    for _ in range(2):  # the files are read again each time
        images = list(dataset.train.images(chosen))
        assert [image[0, 0, 0] for image in images] == [10, 30, 50]
        assert {image.shape for image in images} == {(8, 8, 3)}


def test_classes_are_chosen_by_name(pets):
    dataset = load_dataset(Dataset(name="pets", classes=["dog"]))
    assert dataset.class_names == ("dog",)
    assert dataset.train_labels.tolist() == [0, 0, 0]
    assert dataset.train_images[:, 0, 0, 0].tolist() == [10, 30, 50]


def test_a_split_without_labels_is_refused(pets):
    """ImageNet's `test` is one; the label -1 would be the last class."""
    with pytest.raises(UserError, match="expected a split with labels") as error:
        load_dataset(Dataset(name="secret_pets", image_size=5))
    assert str(error.value).endswith("Received: dataset.test_split=test")


def test_any_split_that_tensorflow_datasets_can_cut_is_read(pets):
    dataset = load_dataset(
        Dataset(name="pets", image_size=5, train_split="train[:4]", test_split="train[4:]")
    )
    assert dataset.train_images[:, 0, 0, 0].tolist() == [0, 10, 20, 30]
    assert dataset.test_images[:, 0, 0, 0].tolist() == [40, 50]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("pets", "Received: dataset.image_size=None"),
        ("nameless_pets", "(one class per image). Received: dataset.name=nameless_pets"),
        ("coco", "(one class per image). Received: dataset.name=coco"),
        ("cifar10O", "(did you mean cifar10?). Received: dataset.name=cifar10O"),
        ("foldr", "(did you mean folder?). Received: dataset.name=foldr"),
        ("image_folder", "Received: dataset.name=image_folder"),
        ("CIFAR-100", "(did you mean cifar100?). Received: dataset.name=CIFAR-100"),
        ("omniglot10", "(did you mean omniglot100?). Received: dataset.name=omniglot10"),
        ("cifar100:9.9.9", "Received: dataset.name=cifar100:9.9.9"),
        ("../pets", "Received: dataset.name=../pets"),
    ],
)
def test_a_set_that_does_not_fit_is_told_in_one_line(pets, name, told):
    with pytest.raises(UserError) as error:
        load_dataset(Dataset(name=name))
    assert str(error.value).startswith("dataset.")
    assert str(error.value).endswith(told)
    assert "\n" not in str(error.value)


def test_unknown_split_is_told_with_those_there_are(pets):
    with pytest.raises(UserError, match="pets has the splits train, test") as error:
        load_dataset(Dataset(name="pets", image_size=5, test_split="val"))
    assert str(error.value).endswith("Received: dataset.test_split=val")


def test_missing_package_is_told_with_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(UserError, match=r"pip install 'tfcil\[tfds\]'") as error:
        load_dataset(Dataset(name="cifar100"))
    assert str(error.value).endswith("Received: dataset.name=cifar100")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A current folder whose params.yaml names a set, and no data anywhere."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "data"))

    def write(name):
        params = yaml.safe_load((ROOT / "params.yaml").read_text())
        params["dataset"]["name"] = name
        (folder / "params.yaml").write_text(yaml.safe_dump(params))
        return folder

    return write


def test_without_data_and_network_the_command_tells_how_to_get_them(
    tfds, here, tmp_path, monkeypatch, capfd
):
    def unreachable(builder):
        raise ConnectionError("HTTPSConnectionPool(...): Max retries\nexceeded")

    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", unreachable)
    folder = here("cifar100")
    with pytest.raises(SystemExit) as ended:
        main(["run"])
    printed, errors = capfd.readouterr()
    (line,) = errors.splitlines()
    assert (ended.value.code, printed) == (1, "")
    assert line.startswith(f"error: dataset.name: cifar100 is not in {tmp_path / 'data'} and could")
    assert "Max retries exceeded" in line
    assert "tfds build cifar100" in line
    assert line.endswith("Received: dataset.name=cifar100")
    assert os.listdir(folder) == ["params.yaml"]


def test_tensorflow_does_not_bury_the_message(tfds, here):
    """In a process of its own: what its C++ parts write while they load can't be seen in ours."""
    folder = here("cifar10O")
    done = subprocess.run(
        [sys.executable, "-m", "tfcil", "run"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: dataset.name: ")
    assert line.endswith("(did you mean cifar10?). Received: dataset.name=cifar10O")
    assert os.listdir(folder) == ["params.yaml"]
