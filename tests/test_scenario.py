import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_params import chain

from tfcil.errors import UserError, nearest
from tfcil.scenario import TaskClasses, build_tasks, class_order, protocol

NAMES = ["ant", "bee", "cat", "dog", "elk", "fox", "gnu", "hen", "ibex", "jay"]


# Class orders


def test_published_orders_equal_the_official_ones(oracle):
    stored = oracle("class_orders")
    np.testing.assert_array_equal(class_order("lucir_1993", 100), stored["lucir_cifar100_seed1993"])
    np.testing.assert_array_equal(class_order("icarl_1993", 100), stored["icarl_cifar100_seed1993"])
    for index, order in enumerate(stored["podnet_cifar100_orders"], start=1):
        np.testing.assert_array_equal(class_order(f"podnet_{index}", 100), order)


def test_the_two_orders_called_seed_1993_differ():
    assert class_order("lucir_1993", 100)[:4].tolist() == [68, 56, 78, 8]
    assert class_order("icarl_1993", 100)[:4].tolist() == [87, 0, 52, 58]


def test_the_first_podnet_order_is_the_icarl_order():
    np.testing.assert_array_equal(class_order("podnet_1", 100), class_order("icarl_1993", 100))


def test_lucir_1993_is_also_the_imagenet_order():
    expected = [54, 7, 894, 512, 126, 337, 988, 11, 284, 493]
    assert class_order("lucir_1993", 1000)[:10].tolist() == expected


@pytest.mark.parametrize(
    ("seed", "first"),
    [(1993, [68, 56, 78]), (1994, [72, 6, 33]), (np.int64(1995), [91, 18, 57])],
)
def test_seeds_use_the_frozen_legacy_stream(seed, first):
    assert class_order(seed, 100)[:3].tolist() == first


@pytest.mark.parametrize("name", ["natural", "lucir_1993", "icarl_1993", "podnet_2", "podnet_3", 7])
def test_every_order_is_a_permutation_in_int64(name):
    order = class_order(name, 100)
    assert order.dtype == np.int64
    assert sorted(order.tolist()) == list(range(100))


def test_natural_keeps_the_numbers_of_the_data_set():
    assert class_order("natural", 5).tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("explicit", [[2, 0, 1], (2, 0, 1), np.array([2, 0, 1])])
def test_an_explicit_order_is_taken_as_it_is(explicit):
    assert class_order(explicit, 3).tolist() == [2, 0, 1]


@pytest.mark.parametrize(
    "order",
    [[0, 1], [0, 1, 1], [0, 1, 3], [1, 2, 3], [0, 1, 2.0], ["0", "1", "2"], [[0, 1, 2]], []],
)
def test_an_explicit_order_must_name_each_class_once(order):
    with pytest.raises(UserError, match=r"each label of 0\.\.2 once\. Received: order="):
        class_order(order, 3)


@pytest.mark.parametrize("order", [None, True, 1993.0])
def test_an_order_of_another_type_is_refused(order):
    with pytest.raises(UserError, match="order must be"):
        class_order(order, 2)


def test_a_misspelt_order_names_the_nearest_one():
    with pytest.raises(UserError, match=r"did you mean lucir_1993\?.*Received: order='lucir1993'"):
        class_order("lucir1993", 100)


@pytest.mark.parametrize("name", ["icarl_1993", "podnet_1", "podnet_2", "podnet_3"])
def test_an_order_published_for_100_classes_is_refused_for_another_number(name):
    with pytest.raises(UserError, match=rf"{name}.*100 classes only.*num_classes=99"):
        class_order(name, 99)


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_out_of_range_is_refused(seed):
    with pytest.raises(UserError, match=f"Received: order={seed}"):
        class_order(seed, 10)


# Tasks


def test_tasks_follow_the_order_with_uneven_sizes():
    order = [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]
    assert build_tasks(chain(4, 1, 3), order, NAMES) == [
        TaskClasses("00", "start", "base", (9, 8, 7, 6), 0, ("jay", "ibex", "hen", "gnu")),
        TaskClasses("01", "00", "increment", (5,), 4, ("fox",)),
        TaskClasses("02", "01", "increment", (4, 3, 2), 5, ("elk", "dog", "cat")),
    ]


def test_a_task_counts_its_old_new_and_seen_classes():
    task = build_tasks(chain(4, 1, 3), range(10), NAMES)[2]
    assert (task.num_old, task.num_new, task.num_seen) == (5, 3, 8)
    assert list(task.ranks) == [5, 6, 7]


def test_named_classes_leave_the_order_before_counts_are_served():
    """Class 0 comes first in the order, but a later task has asked for it by name."""
    tasks = build_tasks(chain(2, ["dog", "ant"], 2), range(10), NAMES)
    assert [task.labels for task in tasks] == [(1, 2), (3, 0), (4, 5)]
    assert [task.num_old for task in tasks] == [0, 2, 4]
    assert tasks[1].names == ("dog", "ant")


def test_all_classes_may_be_used_and_labels_are_plain_integers():
    tasks = build_tasks(chain(7, ["ant"], 2), class_order(3, 10), NAMES)
    labels = [label for task in tasks for label in task.labels]
    assert sorted(labels) == list(range(10))
    assert all(type(label) is int for label in labels)


def test_names_that_differ_by_case_only_are_distinct():
    tasks = build_tasks(chain(["a"], ["A"]), range(2), ["A", "a"])
    assert [task.labels for task in tasks] == [(1,), (0,)]


@pytest.mark.parametrize(
    ("specs", "message"),
    [
        ({}, r"at least one task\. Received: tasks=\{\}"),
        (chain(11), r"ask for 11 classes, but the data set has 10"),
        (chain(9, ["ant", "bee"]), r"ask for 11 classes, but the data set has 10"),
        (chain(2, 0), r"tasks\.01\.classes must be a count.*tasks\.01\.classes=0"),
        (chain(2, -3), r"Received: tasks\.01\.classes=-3"),
        (chain([]), r"Received: tasks\.00\.classes=\[\]"),
        (chain("cat"), r"Received: tasks\.00\.classes='cat'"),
        (chain(2.0), r"Received: tasks\.00\.classes=2\.0"),
        (chain(True), r"Received: tasks\.00\.classes=True"),
        (chain(1, ["hean"]), r"tasks\.01.*did you mean hen\?.*class name='hean'"),
        (chain(["Cat"]), r"did you mean cat\?.*class name='Cat'"),
        (chain([7]), r"tasks\.00\.classes must be names as quoted text.*class name=7"),
        (chain(["cat", "cat"]), r"tasks\.00\.classes must not name.*class name='cat'"),
        (chain(["cat"], ["dog", "cat"]), r"tasks\.01\.classes must not name.*class name='cat'"),
    ],
)
def test_a_wrong_tasks_block_is_one_clear_line(specs, message):
    with pytest.raises(UserError, match=message) as caught:
        build_tasks(specs, range(10), NAMES)
    assert "\n" not in str(caught.value)


def test_a_class_name_that_two_classes_share_is_ambiguous_only_when_asked_for():
    names = ["crane", "crane", "dog"]
    assert build_tasks(chain(3), range(3), names)[0].labels == (0, 1, 2)
    with pytest.raises(UserError, match="2 classes of the data set are called so"):
        build_tasks(chain(["crane"]), range(3), names)


@pytest.mark.parametrize(
    ("key", "after", "expected"),
    [
        ("00", "01", "start"),
        ("01", "start", "00"),
        ("02", "00", "01"),
        ("02", "03", "01"),
        ("01", 0, "00"),
    ],
)
def test_tasks_must_form_one_chain_in_the_order_written(key, after, expected):
    specs = chain(2, 2, 2)
    specs[key]["after"] = after
    with pytest.raises(UserError, match=rf"tasks\.{key}\.after must be '{expected}'.*={after!r}"):
        build_tasks(specs, range(10), NAMES)


def test_no_task_may_take_the_name_of_the_untrained_model():
    with pytest.raises(UserError, match=r"tasks\.start"):
        build_tasks({"start": {"classes": 1, "after": "start", "recipe": "base"}}, range(10), NAMES)


def test_an_order_of_another_length_than_the_data_set_is_refused():
    with pytest.raises(ValueError, match="10 classes"):
        build_tasks(chain(2), range(9), NAMES)


# Protocols


def test_protocol_writes_the_block_of_params_yaml():
    assert protocol(50, 20, 100) == {
        "00": {"classes": 50, "after": "start", "recipe": "base"},
        "01": {"classes": 20, "after": "00", "recipe": "increment"},
        "02": {"classes": 20, "after": "01", "recipe": "increment"},
        "03": {"classes": 10, "after": "02", "recipe": "increment"},
    }


def test_protocol_pads_keys_so_that_they_sort_as_they_arrive():
    assert list(protocol(1, 1, 100))[-1] == "99"
    assert list(protocol(1, 1, 101))[:2] == ["000", "001"]
    assert list(protocol(1, 1, 101))[-1] == "100"


def test_protocol_of_one_task_has_no_increment():
    assert list(protocol(10, 5, 10)) == ["00"]


@pytest.mark.parametrize(
    ("base", "increment", "total", "message"),
    [(0, 1, 5, "base=0"), (6, 1, 5, "base=6"), (2, 0, 5, "increment=0"), (2, -1, 5, "=-1")],
)
def test_an_impossible_protocol_is_refused(base, increment, total, message):
    with pytest.raises(UserError, match=rf"Received: .*{message}"):
        protocol(base, increment, total)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 120))
def test_every_protocol_covers_each_class_once_in_a_valid_chain(base, increment, more):
    total = base + more
    specs = protocol(base, increment, total)
    assert list(specs) == sorted(specs)
    tasks = build_tasks(specs, range(total), [str(label) for label in range(total)])
    assert [label for task in tasks for label in task.labels] == list(range(total))
    assert tasks[0].num_new == base
    assert all(task.num_new == increment for task in tasks[1:-1])


def test_a_name_with_accents_spelled_otherwise_is_explained():
    """Both look the same on the screen."""
    typed, listed = "B\u00e4r", "Ba\u0308r"
    assert nearest(typed, ["dog", listed]) == (
        r" (did you mean 'Ba\u0308r', whose accents are spelled otherwise?)"
    )
    assert nearest("dgo", ["dog", listed]) == " (did you mean dog?)"
    assert nearest("zebra", ["dog", listed]) == ""
