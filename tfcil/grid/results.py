"""What was measured of the variants of a grid."""

import statistics
from dataclasses import dataclass

from tfcil.config.params import Params


@dataclass(frozen=True)
class Variant:
    """The finished runs of one variant.

    Attributes:
        name: its name.
        params: its settings, with any of its seeds.
        records: what came of each run, by seed.
    """

    name: str
    params: Params
    records: dict[int, dict]

    def values(self, figure: str) -> list[float]:
        """Looks a figure up in every record.

        Args:
            figure: where it stands, such as `"metrics.last_accuracy"`.

        Returns:
            A number per seed, none where any of them lacks it.
        """
        found = [_look_up(record, figure.split(".")) for record in self.records.values()]
        return [] if None in found else found

    def mean(self, figure: str) -> float:
        """Computes the mean of a figure over the seeds."""
        return statistics.fmean(self.values(figure))


def _look_up(record, path):
    for key in path:
        record = (record or {}).get(key)
    return record


def collect(runs) -> list[Variant]:
    """Gathers the finished runs by variant: methods in the order of the file, and so within them.

    Args:
        runs: list of `tfcil.grid.plan.Run`.
    """
    variants: dict[str, Variant] = {}
    for run in runs:
        if run.finished:
            variant = variants.setdefault(run.variant, Variant(run.variant, run.params, {}))
            variant.records[run.seed] = run.record()
    methods = list(dict.fromkeys(run.params.method.name for run in runs if run.params))
    names = list(dict.fromkeys(run.variant for run in runs))
    return sorted(
        variants.values(),
        key=lambda one: (methods.index(one.params.method.name), names.index(one.name)),
    )


def second_stage_pairs(variants) -> list[tuple[Variant, Variant]]:
    """Finds what differs in nothing but ce or bsce, and whether there is a second stage.

    Args:
        variants: list of `Variant`.

    Returns:
        Pairs of a variant with ce and its counterpart with bsce.
    """
    pairs = []
    for ce in (one for one in variants if one.params.method.loss == "ce"):
        for bsce in (one for one in variants if one.params.method.loss == "bsce"):
            if _all_but_loss(ce) == _all_but_loss(bsce):
                pairs.append((ce, bsce))
    return pairs


def _all_but_loss(variant) -> dict:
    return variant.params.model_dump(
        exclude={"seed": True, "second_stage": True, "method": {"loss", "second_stage"}},
    )
