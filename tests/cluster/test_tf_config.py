"""TF_CONFIG: what it says of the cluster, and that a wrong one is told in one line."""

import json

import pytest

from tfcil.cluster import Cluster
from tfcil.errors import UserError

WORKERS = {"worker": ["one:4000", "two:4000"]}
BOTH = {"chief": ["one:4000"], "worker": ["two:4000", "three:4000"]}


def config(jobs, job="worker", index=0):
    return json.dumps({"cluster": jobs, "task": {"type": job, "index": index}})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (config(WORKERS), Cluster(("one:4000", "two:4000"), 0)),
        (config(WORKERS, index=1), Cluster(("one:4000", "two:4000"), 1)),
        (config(BOTH, "chief"), Cluster(("one:4000", "two:4000", "three:4000"), 0)),
        (config(BOTH, index=1), Cluster(("one:4000", "two:4000", "three:4000"), 2)),
    ],
)
def test_without_a_chief_the_first_worker_is_one(monkeypatch, text, expected):
    monkeypatch.setenv("TF_CONFIG", text)
    found = Cluster.here()
    assert found == expected
    assert found.is_chief == (found.index == 0)
    assert found.endpoint == ("one", 4000)


def test_messages_name_a_process_by_its_number_and_address():
    cluster = Cluster(("one:4000", "two:4000"), 0)
    assert [cluster.name(index) for index in (0, 1)] == [
        "the chief (one:4000)",
        "worker 1 (two:4000)",
    ]


WRONG = {
    "not set": None,
    "empty": "",
    "no JSON": "{cluster",
    "no object": "[1]",
    "no task": json.dumps({"cluster": WORKERS}),
    "no such job": config(WORKERS, "chief"),
    "an evaluator": config(WORKERS | {"evaluator": ["three:4000"]}, "evaluator"),
    "a parameter server": config(WORKERS | {"ps": ["three:4000"]}),
    "two chiefs": config(BOTH | {"chief": ["one:1", "two:1"]}, "chief"),
    "index too large": config(WORKERS, index=2),
    "negative index": config(WORKERS, index=-1),
    "index as text": config(WORKERS, index="0"),
    "one address twice": config({"worker": ["one:4000", "one:4000"]}),
    "no port": config({"worker": ["one", "two:4000"]}),
    "no host": config({"worker": [":4000", "two:4000"]}),
    "port too large": config({"worker": ["one:70000", "two:4000"]}),
    "addresses in one text": config({"worker": "one:4000"}),
    "a number for an address": config({"worker": [4000]}),
}


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG)
def test_a_wrong_one_is_told_in_one_line_with_an_example(monkeypatch, text):
    if text is None:
        monkeypatch.delenv("TF_CONFIG", raising=False)
    else:
        monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(UserError) as told:
        Cluster.here()
    message = str(told.value)
    assert 'expected a TF_CONFIG such as {"cluster": {"worker": ["host1:12345"' in message
    assert message.endswith(f"Received: TF_CONFIG={text}")
    assert "\n" not in message
