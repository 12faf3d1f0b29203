"""The section `method`: what makes no sense together is told in one line, defaults are resolved."""

import pytest

from tfcil.catalogue import catalogue
from tfcil.errors import UserError
from tfcil.method_options import FirstTask, Method

BALANCED = ("bsce", "meta-bsce", "relaxed-bsce")


def options(name, loss="ce", **others):
    return Method.of({"name": name, "loss": loss, **others}, "method")


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (("wa", "bsce", {"second_stage": True}), "the second stage of wa would remove it twice"),
        (("bic", "meta-bsce", {"second_stage": True}), "loss=meta-bsce already removes the class"),
        (
            ("der", "bsce", {"second_stage": True, "weight_aligning": True}),
            "the second stage of der would remove it twice",
        ),
        (
            ("baseline", "bsce", {"logit_adjust": 1}),
            "the class prior is removed by loss=bsce, logit_adjust would remove it twice",
        ),
        (("podnet", "ce", {"logit_adjust": 1}), "removed by the second stage of podnet,"),
        (("wa", "ce", {"logit_adjust": 0.5}), "removed by the second stage of wa,"),
        (
            ("lucir", "ce", {"logit_adjust": 1, "second_stage": True}),
            "removed by the second stage of lucir,",
        ),
        (
            ("der", "ce", {"logit_adjust": 1, "weight_aligning": True}),
            "removed by the second stage of der,",
        ),
        (("der", "bsce", {"weight_aligning": True}), "weight_aligning is a second stage, which is"),
        (("ssil", "ce", {"logit_adjust": 1}), "removed by its separated softmax,"),
        (("foster", "ce", {"logit_adjust": 1}), "removed by its class weights,"),
        (
            ("ssil", "bsce", {}),
            "ssil is trained with loss=ce, as its separated softmax already balances it. "
            "Received: method.loss=bsce",
        ),
        (("foster", "bsce", {}), "as its class weights already balances it"),
        (("baseline", "bce", {}), "loss=ce or bsce or meta-bsce or relaxed-bsce. Received"),
        (("replay", "relaxed-bsce", {}), "replay is trained with loss=ce or bsce or meta-bsce."),
        (("finetune", "meta-bsce", {}), "Received: method.loss=meta-bsce"),
        (
            ("baseline", "ce", {"second_stage": True}),
            "baseline has no second stage. Received: method.second_stage=true",
        ),
        (
            ("foster", "ce", {"second_stage": False}),
            "foster is not complete without its second stage. Received: method.second_stage=false",
        ),
        (
            ("wa", "ce", {"weight_aligning": True}),
            "wa has no option weight_aligning. Received: method.weight_aligning=true",
        ),
        (("lucyr", "ce", {}), "(did you mean lucir?)"),
    ],
)
def test_a_combination_that_makes_no_sense_is_told_in_one_line(values, told):
    name, loss, others = values
    with pytest.raises(UserError) as error:
        options(name, loss, **others)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", sorted(catalogue()))
def test_every_loss_of_the_catalogue_is_taken_and_every_other_one_refused(name):
    losses = catalogue()[name].losses
    for loss in ("ce", "bce", *BALANCED):
        if loss in losses:
            assert options(name, loss).loss == loss
        else:
            with pytest.raises(UserError, match=f"method.loss={loss}"):
                options(name, loss)


STAGES = {  # with ce: does something follow, is it a training?
    "baseline": (False, False),
    "bic": (True, False),
    "der": (True, True),
    "eeil": (True, True),
    "finetune": (False, False),
    "foster": (True, True),
    "icarl": (False, False),
    "lucir": (False, False),
    "lwf": (False, False),
    "podnet": (True, True),
    "replay": (False, False),
    "ssil": (False, False),
    "wa": (True, False),
}


@pytest.mark.parametrize("name", sorted(STAGES))
def test_second_stage_is_as_published_and_dropped_with_a_balanced_softmax(name):
    method = options(name)
    assert (method.has_second_stage, method.trains_second_stage) == STAGES[name]
    for loss in set(catalogue()[name].losses) & set(BALANCED):
        method = options(name, loss)
        assert (method.has_second_stage, method.trains_second_stage) == (False, False)


def test_the_table_above_knows_every_method():
    assert set(STAGES) == set(catalogue())


@pytest.mark.parametrize("name", ["eeil", "podnet", "lucir", "der"])
def test_balancing_can_be_chosen_or_left_out(name):
    for loss in ("ce", "bsce"):
        assert options(name, loss, second_stage=True).trains_second_stage
        assert not options(name, loss, second_stage=False).has_second_stage


def test_correction_can_be_left_out_and_a_logit_adjustment_takes_its_place():
    method = options("wa", second_stage=False, logit_adjust=1.0)
    assert not method.has_second_stage


def test_aligning_is_a_second_stage_without_a_training():
    method = options("der", "ce", weight_aligning=True)
    assert (method.has_second_stage, method.trains_second_stage) == (True, False)


def test_a_balanced_softmax_of_strength_0_is_ce_and_removes_no_prior():
    assert options("baseline", "bsce", tau=0.0, logit_adjust=1.0).logit_adjust == 1
    assert options("wa", "bsce", tau=0.0, second_stage=True).has_second_stage


@pytest.mark.parametrize(
    ("name", "loss", "others", "expected"),
    [
        ("baseline", "bsce", {}, {}),
        ("icarl", "ce", {}, {}),
        ("icarl", "bce", {}, {"loss": "bce"}),
        ("lwf", "bce", {}, {"loss": "bce"}),
        ("lucir", "bsce", {"proxies": 7}, {"head": "cosine"}),
        ("der", "ce", {}, {}),
        (
            "podnet",
            "ce",
            {},
            {"head": "local_similarity", "proxies": 10, "loss": "nca", "nca": "released"},
        ),
        (
            "podnet",
            "bsce",
            {"proxies": 3, "nca": "paper"},
            {"head": "local_similarity", "proxies": 3, "loss": "nca", "nca": "paper"},
        ),
        (
            "podnet",
            "ce",
            {"nca": "off", "proxies": 1},
            {"head": "local_similarity", "proxies": 1, "loss": "ce"},
        ),
    ],
)
def test_first_task_gets_the_head_and_the_loss_that_go_with_the_method(
    name, loss, others, expected
):
    """And nothing else: whatever else of a method changes, the first task is the same."""
    assert options(name, loss, **others).first_task() == FirstTask(**expected)
