import dataclasses
import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfcil.errors import UserError
from tfcil.exemplars import ExemplarMemory, herding, quota

SHAPE = (2, 3, 1)


def class_data(sizes, first=0, seed=0):
    """Images, labels and features of classes `first`, `first + 1`, ... of the given sizes."""
    generator = np.random.default_rng([seed, first])
    labels = np.repeat(np.arange(first, first + len(sizes)), sizes)
    order = generator.permutation(len(labels))
    images = generator.integers(0, 256, size=(len(labels), *SHAPE), dtype=np.uint8)
    return images, labels[order], generator.normal(size=(len(labels), 4))


def memory_of(sizes, num_seen=None, budget=10**6, **options):
    num_seen = len(sizes) if num_seen is None else num_seen
    return ExemplarMemory.empty(SHAPE).update(*class_data(sizes), num_seen, budget, **options)


def assert_equal(one, other):
    for name in ("images", "labels", "ranks"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


# Quotas


def test_trap_7_a_budget_of_2000_and_20_per_class_are_different_memories():
    """They agree only once all 100 classes have been seen."""
    assert [quota(2000, seen) for seen in (50, 60, 70, 80, 90, 100)] == [40, 33, 28, 25, 22, 20]
    assert [quota(2000, seen, per_class=20) for seen in (50, 60, 70, 80, 90, 100)] == [20] * 6


def test_trap_3_a_quota_is_rounded_down_never_up():
    assert quota(10, 3) == 3
    assert quota(2, 3) == 0
    assert quota(0, 3) == 0


def test_per_class_holds_as_long_as_the_budget_allows():
    assert [quota(100, seen, per_class=20) for seen in (2, 5, 6, 50)] == [20, 20, 16, 2]


@given(st.integers(0, 10**5), st.integers(1, 1000), st.none() | st.integers(0, 500))
def test_quotas_never_exceed_the_budget_and_leave_less_than_one_each(budget, num_seen, per_class):
    share = quota(budget, num_seen, per_class)
    assert share * num_seen <= budget
    assert share == per_class or (share + 1) * num_seen > budget


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((-5, 3), "memory=-5"), ((5, 0), "num_seen=0"), ((5, 3, -1), "per_class=-1")],
)
def test_an_impossible_quota_is_refused(arguments, message):
    with pytest.raises(ValueError, match=f"Received: {message}"):
        quota(*arguments)


# Updates


def test_an_update_keeps_the_herded_images_of_each_new_class():
    images, labels, features = class_data([7, 9])
    memory = ExemplarMemory.empty(SHAPE).update(images, labels, features, 2, budget=7)
    assert memory.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert memory.ranks.tolist() == [0, 1, 2, 0, 1, 2]
    for label in (0, 1):
        members = np.flatnonzero(labels == label)
        expected = images[members[herding(features[members], 3)]]
        np.testing.assert_array_equal(memory.images[memory.labels == label], expected)


def test_old_classes_are_truncated_by_rank_and_never_chosen_anew():
    before = memory_of([10, 10], budget=12)
    after = before.update(*class_data([10], first=2), 3, budget=12)
    assert after.counts(3).tolist() == [4, 4, 4]
    kept = before.ranks < 4
    np.testing.assert_array_equal(after.images[:8], before.images[kept])
    np.testing.assert_array_equal(after.labels[:8], before.labels[kept])


def test_a_memory_that_shrank_does_not_grow_back():
    """The other images of an old class are gone, whatever the budget says later."""
    memory = memory_of([10, 10], budget=4).update(*class_data([10], first=2), 3, budget=300)
    assert memory.counts(3).tolist() == [2, 2, 10]


def test_trap_3_a_class_smaller_than_its_quota_keeps_all_it_has():
    memory = memory_of([1, 30, 3], budget=60)
    assert memory.counts(3).tolist() == [1, 20, 3]


def test_classes_smaller_than_the_fixed_number_leave_room_that_no_other_class_takes():
    """Long-tailed classes: all images of the small ones, never more than the number of others."""
    memory = memory_of([30, 5, 1], budget=60, per_class=20)
    assert memory.counts(3).tolist() == [20, 5, 1]
    memory = memory.update(*class_data([40, 2], first=3), 5, budget=60, per_class=20)
    assert memory.counts(5).tolist() == [12, 5, 1, 12, 2]  # 60 // 5 each


def test_the_fixed_number_per_class_is_kept_at_every_task():
    memory = memory_of([30, 30], budget=100, per_class=5)
    memory = memory.update(*class_data([30], first=2), 3, budget=100, per_class=5)
    assert memory.counts(3).tolist() == [5, 5, 5]


@pytest.mark.parametrize("budget", [0, 2])
def test_a_budget_below_one_each_keeps_nothing(budget):
    memory = memory_of([5, 5, 5], budget=budget)
    assert len(memory) == 0
    assert memory.images.shape == (0, *SHAPE)
    assert memory.counts(3).tolist() == [0, 0, 0]


def test_an_update_without_new_images_only_truncates():
    before = memory_of([6, 6], budget=12)
    after = before.update(*class_data([]), 4, budget=12)
    assert after.counts(4).tolist() == [3, 3, 0, 0]


def test_classes_that_arrive_below_the_old_ones_are_sorted_in():
    late = ExemplarMemory.empty(SHAPE).update(*class_data([4], first=1), 2, budget=4)
    both = late.update(*class_data([4], first=0), 2, budget=4)
    assert both.labels.tolist() == [0, 0, 1, 1]
    assert both.ranks.tolist() == [0, 1, 0, 1]


def test_random_selection_repeats_with_the_seed_and_differs_without():
    def draw(seed):
        generator = np.random.default_rng(seed)
        return memory_of([40, 40], budget=20, selection="random", generator=generator)

    assert_equal(draw(0), draw(0))
    assert not np.array_equal(draw(0).images, draw(1).images)


def test_the_budget_is_respected_after_any_history():
    """Class sizes, budgets, caps and selections change from task to task."""

    task = st.tuples(
        st.lists(st.integers(0, 12), min_size=1, max_size=4),
        st.integers(0, 60),
        st.none() | st.integers(0, 8),
        st.sampled_from(["herding", "random"]),
    )

    @settings(max_examples=60, deadline=None)
    @given(st.lists(task, min_size=1, max_size=5))
    def check(history):
        memory, seen, had = ExemplarMemory.empty(SHAPE), 0, np.zeros(0, dtype=int)
        generator = np.random.default_rng(0)
        for sizes, budget, per_class, selection in history:
            before = memory
            data = class_data(sizes, first=seen)
            seen += len(sizes)
            memory = before.update(*data, seen, budget, per_class, selection, generator)
            share = quota(budget, seen, per_class)
            had = np.minimum(np.concatenate([had, sizes]).astype(int), share)
            assert len(memory) <= budget
            assert memory.counts(seen).tolist() == had.tolist()
            for label in np.unique(before.labels):
                old, new = (
                    before.images[before.labels == label],
                    memory.images[memory.labels == label],
                )
                np.testing.assert_array_equal(new, old[:share])

    check()


# What cannot be a memory


def test_a_class_is_never_stored_twice():
    memory = memory_of([5, 5])
    with pytest.raises(ValueError, match=r"never chosen anew\. Received: labels=\[1\]"):
        memory.update(*class_data([5, 5], first=1), 3, budget=100)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": np.zeros((2, *SHAPE), np.float32)}, "uint8"),
        ({"images": np.zeros((2, 3, 3, 1), np.uint8)}, r"\(n, 2, 3, 1\).*\(2, 3, 3, 1\)"),
        ({"images": np.zeros((3, *SHAPE), np.uint8)}, "3, 2 and 2"),
        ({"features": np.zeros((1, 4))}, "2, 2 and 1"),
        ({"labels": np.array([0, 2])}, r"0\.\.1.*num_seen=2"),
        ({"labels": np.array([-1, 0])}, r"0\.\.1"),
        ({"selection": "herdin"}, "one of herding, random.*selection='herdin'"),
        ({"selection": "random"}, "generator=None"),
        ({"budget": -1}, "memory=-1"),
    ],
)
def test_an_update_with_what_does_not_fit_is_refused(change, message):
    arguments = {
        "images": np.zeros((2, *SHAPE), np.uint8),
        "labels": np.array([0, 1]),
        "features": np.ones((2, 4)),
        "num_seen": 2,
        "budget": 10,
    }
    with pytest.raises(ValueError, match=message):
        ExemplarMemory.empty(SHAPE).update(**(arguments | change))


@pytest.mark.parametrize(
    ("labels", "ranks"), [([1, 0], [0, 0]), ([0, 0], [1, 0]), ([0, 0], [0, 2]), ([-1, 0], [0, 0])]
)
def test_exemplars_out_of_order_are_refused(labels, ranks):
    with pytest.raises(ValueError, match="sorted by label"):
        ExemplarMemory(
            np.zeros((2, *SHAPE), np.uint8), np.array(labels, np.int32), np.array(ranks, np.int32)
        )


def test_counts_of_fewer_classes_than_are_kept_are_refused():
    with pytest.raises(ValueError, match="num_classes=1"):
        memory_of([2, 2]).counts(1)


# Files


@pytest.mark.parametrize("sizes", [[], [3, 1, 7]])
def test_a_saved_memory_comes_back_the_same(tmp_path, sizes):
    memory = memory_of(sizes, num_seen=3)
    memory.save(tmp_path / "memory.npz")
    loaded = ExemplarMemory.load(tmp_path / "memory.npz")
    assert_equal(memory, loaded)
    assert [loaded.images.dtype, loaded.labels.dtype, loaded.ranks.dtype] == ["u1", "i4", "i4"]


def test_equal_memories_give_equal_bytes_on_any_day(tmp_path, monkeypatch):
    """Also when one of them lies otherwise in the computer's memory."""
    memory = memory_of([3, 4])
    other = dataclasses.replace(memory, images=np.asfortranarray(memory.images))
    memory.save(tmp_path / "one.npz")
    monkeypatch.setattr("time.time", lambda: 2e9)
    monkeypatch.setattr("time.localtime", lambda *_: (2033, 5, 18, 3, 33, 20, 2, 138, 0))
    other.save(tmp_path / "other.npz")
    one, two = ((tmp_path / name).read_bytes() for name in ("one.npz", "other.npz"))
    assert hashlib.sha256(one).digest() == hashlib.sha256(two).digest()


def test_the_file_holds_plain_arrays_that_numpy_opens(tmp_path):
    memory_of([3, 4]).save(tmp_path / "memory.npz")
    with np.load(tmp_path / "memory.npz", allow_pickle=False) as stored:
        assert sorted(stored.files) == ["images", "labels", "original_counts", "ranks"]


def contents(**changes):
    """The arrays of a sound file of two exemplars, with some replaced or, where None, left out."""
    arrays = {
        "images": np.zeros((2, *SHAPE), np.uint8),
        "labels": np.array([0, 1], np.int32),
        "ranks": np.array([0, 0], np.int32),
        "original_counts": np.array([5, 5], np.int64),
    }
    return {name: array for name, array in (arrays | changes).items() if array is not None}


@pytest.mark.parametrize(
    "changes",
    [
        {"ranks": None},
        {"original_counts": None},
        {"original_counts": np.array([5.0, 5.0])},
        {"original_counts": np.array([5, -1])},
        {"original_counts": np.array([[5, 5]])},
        {"images": np.zeros((2, *SHAPE), np.float64)},
        {"images": np.zeros((2, 6), np.uint8)},
        {"images": np.zeros((3, *SHAPE), np.uint8)},
        {"labels": np.array([0, 1], np.int64)},
        {"labels": np.array([[0], [1]], np.int32)},
        {"labels": np.int32(3)},
        {"labels": np.array([1, 0], np.int32)},
        {"ranks": np.array([0, 1], np.int32)},
        {"ranks": np.array([0], np.int32)},
        {"labels": np.array([{}, {}])},
    ],
)
def test_a_file_with_other_contents_is_refused_by_name(tmp_path, changes):
    path = tmp_path / "memory.npz"
    np.savez(path, **contents())
    ExemplarMemory.load(path)
    np.savez(path, **contents(**changes))
    with pytest.raises(UserError, match=r"Received: path=.*memory\.npz") as caught:
        ExemplarMemory.load(path)
    assert "\n" not in str(caught.value)


def test_a_file_cut_short_anywhere_is_refused_by_name(tmp_path):
    path = tmp_path / "memory.npz"
    memory_of([2, 3]).save(path)
    whole = path.read_bytes()
    for length in range(0, len(whole), 29):
        path.write_bytes(whole[:length])
        with pytest.raises(UserError, match=r"Received: path=.*memory\.npz"):
            ExemplarMemory.load(path)


def load_or_message(path):
    try:
        return ExemplarMemory.load(path)
    except UserError as error:
        return str(error)


def test_a_file_with_a_flipped_byte_is_refused_or_holds_the_same(tmp_path):
    """Some bytes of the archive, such as its dates, say nothing about the contents."""
    path = tmp_path / "memory.npz"
    memory = memory_of([2, 3])
    memory.save(path)
    whole = path.read_bytes()
    refused = 0
    for position in range(0, len(whole), 3):
        flipped = bytes([whole[position] ^ 0xFF])
        path.write_bytes(whole[:position] + flipped + whole[position + 1 :])
        result = load_or_message(path)
        if isinstance(result, str):
            assert f"Received: path={path}" in result
            refused += 1
        else:
            assert_equal(result, memory)
    assert refused > len(whole) // 6


@pytest.mark.parametrize("text", [b"", b"no archive", b"\x80\x04pickle"])
def test_a_file_of_another_kind_is_refused_by_name(tmp_path, text):
    path = tmp_path / "memory.npz"
    path.write_bytes(text)
    with pytest.raises(UserError, match=r"Received: path=.*memory\.npz"):
        ExemplarMemory.load(path)


def test_a_missing_file_is_refused_by_name(tmp_path):
    with pytest.raises(UserError, match=r"memory\.npz"):
        ExemplarMemory.load(tmp_path / "memory.npz")


def test_it_knows_how_many_images_each_class_came_with():
    """Also of classes that were truncated since, or of which nothing is kept."""
    images, labels = np.zeros((7, 2, 2, 1), "uint8"), np.array([0, 0, 0, 0, 0, 1, 1])
    memory = ExemplarMemory.empty((2, 2, 1))
    memory = memory.update(images, labels, np.ones((7, 3)), num_seen=2, budget=4)
    assert memory.original_counts.tolist() == [5, 2]
    more = np.array([3, 3, 3])
    memory = memory.update(images[:3], more, np.ones((3, 3)), num_seen=4, budget=0)
    assert memory.original_counts.tolist() == [5, 2, 0, 3]
