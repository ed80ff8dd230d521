"""What a shop's own models cost and bring: its targets, recommendations, campaigns, models that it adopts, and features
that it looks for. `make bench OPTIONS=--own-models` measures these alone.
"""

from collections.abc import Iterator, Mapping

from bench.row import Row
from bench.rows import rate
from bench.targets import MORE
from bench.worker import Measurement
from training.discovery.synthesised import OWN_PYTHON
from training.prediction.qini import Qini

CAMPAIGNS = ("learn_uplift", "scikit_uplift", "learn_response")
DISCOVERY = ("discover_features", "featuretools_alone")
OWN_MODELS = (
    "look_up", "recommend_products", "recommend_to_batch", "decide_batch", "decide_batch_with_targets", "decide_alone",
    "decide_alone_with_targets", "decide_batch_adopted", "lightgbm_batch", "decide_alone_adopted", "lightgbm_alone",
    *CAMPAIGNS, *DISCOVERY,
)  # fmt: skip
_RECOMMENDATIONS_AIM_MS = 2.0
_TARGET_AIM_US = 20


def runs_here(task: str) -> bool:
    """Whether what the task needs is there: FeatureTools has an environment of its own."""
    return task not in DISCOVERY or OWN_PYTHON.exists()


def own_rows(measured: Mapping[str, Measurement]) -> Iterator[Row]:
    """The rows of the table."""
    yield from _target_rows(measured)
    yield from _campaign_rows(measured)
    recommending, look_up = (measured[task].facts["median_ms"] for task in ("recommend_products", "look_up"))
    yield Row(
        "recommend",
        "The answer of what to recommend, median",
        recommending,
        "ms",
        limit="a look-up's",
        limit_value=look_up,
    ).held(f"≤ {_RECOMMENDATIONS_AIM_MS:g} ms more", recommending - look_up <= _RECOMMENDATIONS_AIM_MS)
    asked, decided = measured["recommend_to_batch"], measured["decide_batch"]
    yield Row(
        "recommend_in_rules",
        "Decisions where a rule asks what is recommended, more a customer",
        1_000 * asked.best / asked.units,
        "ms",
        limit="the decision itself",
        limit_value=1_000 * decided.best / decided.units,
    )
    yield from _adoption_rows(measured)
    yield from _discovery_rows(measured)


def _target_rows(measured: Mapping[str, Measurement]) -> Iterator[Row]:
    for task, what in (("decide_batch", "Decisions"), ("decide_alone", "Decisions, one by one,")):
        three, ten_more = measured[task], measured[f"{task}_with_targets"]
        each_us = (ten_more.best / ten_more.units - three.best / three.units) * 1e6 / MORE
        yield Row(
            f"{task}_targets",
            f"{what} with {MORE} more targets",
            rate(ten_more),
            "customers/s",
            limit="without",
            limit_value=rate(three),
            note=f"{each_us:,.1f} µs a target",
        ).held(f"< {_TARGET_AIM_US} µs a target", each_us < _TARGET_AIM_US)


def _campaign_rows(measured: Mapping[str, Measurement]) -> Iterator[Row]:
    uplift, theirs, response = (measured[task] for task in CAMPAIGNS)
    low, high = Qini(uplift.facts["qini"], uplift.facts["error"]).interval()
    for name, what, other, aim, met in (
        ("uplift", "scikit-uplift's two models", theirs, "no less, but for chance", theirs.facts["qini"] <= high),
        ("uplift_response", "by who answers it", response, "more, beyond chance", response.facts["qini"] < low),
    ):
        yield Row(
            name,
            f"Whom a campaign of {uplift.units:,} customers changes",
            uplift.facts["qini"],
            "Qini",
            what,
            other.facts["qini"],
            note=f"{low:.3f} to {high:.3f}",
        ).held(aim, met)
    note = "three ways, beside one way"
    yield Row("uplift_seconds", "The same learnt and judged", uplift.best, "s", "scikit-uplift", theirs.best, note=note)


def _adoption_rows(measured: Mapping[str, Measurement]) -> Iterator[Row]:
    for task, what in (("batch", "Decisions"), ("alone", "Decisions, one by one,")):
        yield Row(
            f"decide_{task}_adopted",
            f"{what} with an adopted LightGBM",
            rate(measured[f"decide_{task}_adopted"]),
            "customers/s",
            "LightGBM alone, one prediction",
            rate(measured[f"lightgbm_{task}"]),
            "with our own model",
            rate(measured[f"decide_{task}"]),
        )


def _discovery_rows(measured: Mapping[str, Measurement]) -> Iterator[Row]:
    ours, theirs = (measured.get(task) for task in DISCOVERY)
    if ours and theirs:
        yield Row(
            "discover",
            f"Features that are missing, looked for in a shop of {ours.units:,}",
            ours.best,
            "s",
            "FeatureTools alone, which judges none",
            theirs.best,
            note=f"{ours.facts['found']:.0f} found",
        )
