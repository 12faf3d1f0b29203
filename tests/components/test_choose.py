"""`method` and `options`: a senseless combination is told in one line, defaults are resolved."""

import pytest

from tfcil.components.facts import Head
from tfcil.components.recipe import Recipe
from tfcil.components.registry import find, names
from tfcil.config.settings import Method, choose
from tfcil.errors import UserError

BALANCED = ("bsce", "meta_bsce", "relaxed_bsce", "tal")
BOUNDED = ("gce", "rjm")
MEMORY = {"finetune": 0, "lwf": 0}  # of the methods without one


def chosen(name, loss="ce", correction="default", memory=None, strategy="none", **options):
    """The choice of an experiment with a memory that suits it; `options` by their components."""
    if memory is None:
        memory = 0 if loss == "relaxed_bsce" else MEMORY.get(name, 200)
    return choose(Method(name=name, loss=loss, correction=correction), options, memory, strategy)


def corrections_of(*arguments, **others):
    correction = chosen(*arguments, **others).correction
    return correction and correction.name


TWICE = "method.correction: the class prior is removed by {}, {} would remove it twice: choose"


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (("wa", "bsce", "weight_aligning"), TWICE.format("loss=bsce", "weight_aligning")),
        (("bic", "meta_bsce", "bias_layer"), TWICE.format("loss=meta_bsce", "bias_layer")),
        (("der", "bsce", "weight_aligning"), TWICE.format("loss=bsce", "weight_aligning")),
        (("baseline", "bsce", "logit_adjustment"), TWICE.format("loss=bsce", "logit_adjustment")),
        (
            ("replay", "relaxed_bsce", "logit_adjustment"),
            TWICE.format("loss=relaxed_bsce", "logit_adjustment"),
        ),
        (
            ("ssil", "ce", "logit_adjustment"),
            TWICE.format("its separated softmax", "logit_adjustment"),
        ),
        (
            ("foster", "ce", "weight_aligning"),
            TWICE.format("its class weights", "weight_aligning"),
        ),
        (
            ("ssil", "bsce"),
            "method.loss: ssil is trained with loss=ce, as its separated softmax already balances "
            "it. Received: method.loss=bsce",
        ),
        (("foster", "bsce"), "as its class weights already balances it"),
        (
            ("baseline", "bce"),
            "method.loss: bce belongs to methods that name it, baseline does not. "
            "Received: method.loss=bce",
        ),
        (("lucir", "nca"), "nca belongs to methods that name it, lucir does not"),
        (
            ("lucir", "ce", "weight_aligning"),
            "method.correction: weight_aligning corrects a linear head, lucir has a cosine one. "
            "Received: method.correction=weight_aligning",
        ),
        (
            ("podnet", "nca", "bias_layer"),
            "bias_layer corrects a linear head, podnet has a local_similarity one",
        ),
        (("lucyr",), "(did you mean lucir?)"),
        (("baseline", "ce", "second_stage"), "method.correction: expected one of"),
    ],
)
def test_a_combination_that_makes_no_sense_is_told_in_one_line(values, told):
    with pytest.raises(UserError) as error:
        chosen(*values)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("values", "others", "told"),
    [
        (("finetune",), {"memory": 1}, "method.name=finetune is memory-free, expected memory=0."),
        (("lwf", "bce"), {"memory": 1}, "method.name=lwf is memory-free"),
        (
            ("replay", "relaxed_bsce"),
            {"memory": 200},
            "method.loss=relaxed_bsce is for classes without exemplars, expected memory=0 or "
            "loss=bsce. Received: memory=200",
        ),
        (
            ("finetune", "meta_bsce"),
            {},
            "method.loss=meta_bsce learns from exemplars, expected memory of 1 or more. "
            "Received: memory=0",
        ),
        (
            ("mmd",),
            {"strategy": "mirrored"},
            "method.name=mmd runs on one device, expected strategy=none. "
            "Received: strategy=mirrored",
        ),
        *[
            (
                (name, "ce", correction),
                {"memory": 0},
                f"correction {found} needs exemplars, expected memory of 1 or more, or "
                "method.correction=none. Received: memory=0",
            )
            for name, correction, found in (
                ("bic", "default", "bias_layer"),
                ("podnet", "default", "balanced_finetuning"),
                ("replay", "balanced_finetuning", "balanced_finetuning"),
                ("lwf", "logit_adjustment", "logit_adjustment"),
            )
        ],
    ],
)
def test_what_memory_or_strategy_do_not_allow_is_told_in_one_line(values, others, told):
    with pytest.raises(UserError) as error:
        chosen(*values, **others)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


LOSSES = {  # that a method takes, beside every general one
    "icarl": {"bce"},
    "lwf": {"bce"},
    "podnet": {"nca"},
}
ONLY_CE = {"ssil", "foster", "unit_replay"}


@pytest.mark.parametrize("name", names("method"))
def test_a_method_takes_these_losses_and_no_other(name):
    expected = {"ce"} if name in ONLY_CE else {"ce", *BALANCED, *BOUNDED} | LOSSES.get(name, set())
    if not MEMORY.get(name, 200):
        expected -= {"meta_bsce"}
    for loss in names("loss"):
        if loss in expected:
            assert chosen(name, loss).loss.name == loss
        else:
            with pytest.raises(UserError, match=f"method.loss.*{loss}"):
                chosen(name, loss)


PUBLISHED = {  # what follows a training with cross-entropy
    "baseline": None,
    "bic": "bias_layer",
    "der": "balanced_finetuning",
    "dgr": None,
    "eeil": "balanced_finetuning",
    "finetune": None,
    "foster": None,
    "icarl": None,
    "lda": None,
    "lucir": None,
    "lwf": None,
    "mmd": None,
    "ncm": None,
    "podnet": "balanced_finetuning",
    "ranpac": None,
    "replay": None,
    "ridge": None,
    "ssil": None,
    "unit_replay": None,
    "wa": "weight_aligning",
}


@pytest.mark.parametrize("name", names("method"))
def test_the_default_correction_is_as_published_and_dropped_with_a_balanced_softmax(name):
    assert corrections_of(name) == PUBLISHED[name]
    if name in ONLY_CE:
        return
    for loss in {"bsce", "relaxed_bsce", "tal"} if name in MEMORY else BALANCED:
        assert corrections_of(name, loss) is None


@pytest.mark.parametrize("name", ["wa", "eeil", "podnet"])
def test_a_balanced_softmax_of_strength_0_is_ce_and_removes_no_prior(name):
    assert corrections_of(name, "bsce", bsce={"tau": 0}) == PUBLISHED[name]
    assert corrections_of(name, "bsce", "logit_adjustment", bsce={"tau": 0.0})
    assert corrections_of(name, "bsce", bsce={"tau": 0.5}) is None


@pytest.mark.parametrize("loss", BOUNDED)
def test_a_bounded_loss_removes_the_prior_where_its_option_says_so(loss):
    balanced = {loss: {"prior": "counts"}}
    assert corrections_of("wa", loss) == "weight_aligning"
    assert corrections_of("wa", loss, "logit_adjustment") == "logit_adjustment"
    assert corrections_of("wa", loss, **balanced) is None
    with pytest.raises(UserError, match=f"removed by loss={loss}, logit_adjustment"):
        chosen("wa", loss, "logit_adjustment", **balanced)


@pytest.mark.parametrize("loss", BOUNDED)
def test_a_bounded_loss_without_a_warm_up_is_warned_of_once(loss):
    assert chosen("baseline", loss).warnings == []
    (line,) = chosen("baseline", loss, **{loss: {"warmup": 0}}).warnings
    assert line.startswith(f"options.{loss}.warmup=0: ")
    assert "\n" not in line


@pytest.mark.parametrize("name", ["eeil", "podnet", "lucir", "der", "baseline", "icarl", "ssil"])
def test_balanced_finetuning_can_be_chosen_or_left_out_of_any_method(name):
    for loss in ("ce",) if name in ONLY_CE else ("ce", "bsce"):
        assert corrections_of(name, loss, "balanced_finetuning") == "balanced_finetuning"
        assert corrections_of(name, loss, "none") is None


@pytest.mark.parametrize(
    "name", ["eeil", "wa", "der", "baseline", "icarl", "ssil", "foster", "dgr"]
)
def test_retrain_head_follows_any_method_with_a_linear_head(name):
    """Also a balanced softmax: the balanced head takes the place of the trained one."""
    for loss in ("ce",) if name in ONLY_CE else ("ce", "bsce"):
        assert corrections_of(name, loss, "retrain_head") == "retrain_head"


@pytest.mark.parametrize(("name", "kind"), [("lucir", "cosine"), ("podnet", "local_similarity")])
def test_retrain_head_refuses_another_head(name, kind):
    with pytest.raises(
        UserError, match=f"retrain_head corrects a linear head, {name} has a {kind}"
    ):
        chosen(name, "ce", "retrain_head")


@pytest.mark.parametrize("name", ["ridge", "ranpac"])
@pytest.mark.parametrize("correction", ["weight_aligning", "bias_layer", "logit_adjustment"])
def test_a_head_of_statistics_takes_no_correction_of_a_trained_one(name, correction):
    told = f"^method.correction: {correction} presumes .* of {name} follows from statistics"
    with pytest.raises(UserError, match=told):
        chosen(name, "ce", correction)
    assert corrections_of(name, "ce", "retrain_head") == "retrain_head"


def test_another_correction_takes_the_place_of_the_published_one():
    assert corrections_of("wa", "ce", "logit_adjustment") == "logit_adjustment"
    assert corrections_of("der", "ce", "weight_aligning") == "weight_aligning"


COSINE, LINEAR = Head(kind="cosine"), Head()


@pytest.mark.parametrize(
    ("name", "loss", "options", "head", "first_loss"),
    [
        ("baseline", "bsce", {}, LINEAR, "ce"),
        ("baseline", "bsce", {"bsce": {"first_task": True}}, LINEAR, "bsce"),
        ("icarl", "ce", {}, LINEAR, "ce"),
        ("icarl", "bce", {}, LINEAR, "bce"),
        ("lwf", "bce", {}, LINEAR, "bce"),
        ("lucir", "meta_bsce", {"podnet": {"proxies": 7}}, COSINE, "ce"),
        ("der", "ce", {}, LINEAR, "ce"),
        ("podnet", "nca", {}, Head(kind="local_similarity", proxies=10), "nca"),
        (
            "podnet",
            "bsce",
            {"podnet": {"proxies": 3}},
            Head(kind="local_similarity", proxies=3),
            "nca",
        ),
        (
            "podnet",
            "ce",
            {"podnet": {"proxies": 1}},
            Head(kind="local_similarity", proxies=1),
            "ce",
        ),
    ],
)
def test_the_first_task_gets_the_head_and_the_loss_that_go_with_the_method(
    name, loss, options, head, first_loss
):
    """And nothing else: whatever else of a method changes, the first task is the same."""
    found = chosen(name, loss, **options).first_task()
    assert found.keys() == {"head", "loss", "correction"}
    assert (found["head"], found["loss"].name, found["correction"]) == (head, first_loss, None)


@pytest.mark.parametrize("correction", ["logit_adjustment", "balanced_finetuning"])
def test_a_correction_follows_the_first_task_where_its_option_says_so(correction):
    """For classes of unequal size."""
    assert chosen("replay", "ce", correction).first_task()["correction"] is None
    asked = {correction: {"first_task": True}}
    for name in ("replay", "lucir"):
        choice = chosen(name, "ce", correction, **asked)
        for found in (choice.first_task(), choice.later_task()):
            assert found["correction"].name == correction
            assert found["correction"].options["first_task"] is True


def test_a_task_holds_all_options_of_the_components_in_use_and_of_no_other():
    """A stale key of another method is then none of the settings, and changes no digest."""
    unused = {"lucir": {"margin": 9.0}, "bias_layer": None, "meta_bsce": {"tau": 3}}
    options = {"wa": {"temperature": 4}, "weight_aligning": {}}
    found = chosen("wa", "ce", **options, **unused).later_task()
    assert found == chosen("wa", "ce", **options).later_task()
    assert found["method"].model_dump() == {"name": "wa", "options": {"temperature": 4.0}}
    assert found["loss"].model_dump() == {"name": "ce", "options": {}}
    assert found["correction"].model_dump() == {"name": "weight_aligning", "options": {}}
    bsce = chosen("wa", "bsce", **options, bsce={"tau": 0.5}).later_task()
    assert bsce["loss"].options == {"tau": 0.5, "zero_count": "mask", "first_task": False}


def test_what_a_task_holds_makes_the_same_components_again():
    choice = chosen("lucir", "bsce", "balanced_finetuning", lucir={"margin": 0.25})
    for kind, one in choice.later_task().items():
        if kind != "head":
            assert one.load(kind) == getattr(choice, kind)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"bsce": {"tua": 1}}, "options.bsce.tua: no such key (did you mean tau?)"),
        ({"lucir": {"margins": 1}}, "options.lucir.margins: no such key (did you mean margin?)"),
        ({"lucri": {}}, "options.lucri: no such method, loss or correction (did you mean lucir?)"),
        (
            {"wa": [1]},
            "options.wa: expected a section of keys and values. Received: options.wa=[1]",
        ),
        (
            {"balanced_finetuning": {"epohs": 1}},
            "options.balanced_finetuning.epohs: no such key (did you mean epochs?)",
        ),
        (
            {"foster": {"compression": {"epohs": 1}}},
            "options.foster.compression.epohs: no such key (did you mean epochs?)",
        ),
        (
            {"foster": {"compression": {"warmup": 2}}},
            "options.foster.compression.warmup: expected a fraction",
        ),
    ],
)
@pytest.mark.parametrize("name", ["baseline", "lucir", "foster"])
def test_options_are_checked_whether_or_not_their_component_is_in_use(name, options, told):
    with pytest.raises(UserError) as error:
        chosen(name, **options)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_every_option_is_described():
    """The reference of the parameters is made of it."""
    for kind in ("method", "loss", "correction"):
        for name in names(kind):
            fields = type(find(kind, name).options).model_fields
            assert [key for key, field in fields.items() if not field.description] == [], name


@pytest.mark.parametrize(("name", "loss"), [("icarl", "bce"), ("podnet", "nca")])
def test_smoothing_without_a_smoothed_loss_is_refused(name, loss):
    plain, smooth = Recipe(epochs=1), Recipe(epochs=1, label_smoothing=0.1)
    choice = chosen(name, loss)
    choice.check_recipes(plain, plain)
    for first, later in ((plain, smooth), (smooth, plain)):
        with pytest.raises(UserError, match=f"label_smoothing: expected 0 with loss={loss}"):
            choice.check_recipes(first, later)


@pytest.mark.parametrize("name", ["ssil", "foster"])
def test_smoothing_that_a_method_would_ignore_is_refused(name):
    """The first task is trained without the method, and smoothed."""
    plain, smooth = Recipe(epochs=1), Recipe(epochs=1, label_smoothing=0.1)
    chosen(name).check_recipes(smooth, plain)
    with pytest.raises(UserError, match=f"^label_smoothing: expected 0 with method.name={name}, "):
        chosen(name).check_recipes(plain, smooth)


@pytest.mark.parametrize("name", ["lucir", "podnet"])
def test_norm_alignment_of_vectors_without_a_length_is_refused(name):
    plain, aligned = Recipe(epochs=1), Recipe(epochs=1, norm_alignment=0.1)
    chosen("baseline").check_recipes(plain, aligned)
    with pytest.raises(UserError, match=f"^norm_alignment: expected 0 with method.name={name}, "):
        chosen(name).check_recipes(plain, aligned)
