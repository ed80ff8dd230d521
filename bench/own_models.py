"""What a shop's own models cost and bring: its targets, recommendations, campaigns, models that it adopts, and features
that it looks for. `make bench OPTIONS=--own-models` measures these alone.
"""

from collections.abc import Iterable, Mapping

from bench.report import Line, rate
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


def own_lines(measured: Mapping[str, Measurement]) -> Iterable[Line]:
    """The lines of the table."""
    yield from _target_lines(measured)
    yield from _campaign_lines(measured)
    recommending = measured["recommend_products"].facts["median_ms"]
    look_up = measured["look_up"].facts["median_ms"]
    yield Line(
        "Recommendations, median",
        f"{recommending:.2f} ms",
        f"a look-up {look_up:.2f} ms",
        aim=f"≤ {_RECOMMENDATIONS_AIM_MS:g} ms more",
        met=recommending - look_up <= _RECOMMENDATIONS_AIM_MS,
    )
    asked, decided = measured["recommend_to_batch"], measured["decide_batch"]
    yield Line(
        "Decisions where a rule asks what is recommended",
        f"{asked.best / asked.units * 1e3:.2f} ms a customer more",
        f"the decision itself {decided.best / decided.units * 1e3:.3f} ms",
    )
    yield from _adoption_lines(measured)
    yield _discovery_line(measured)


def _target_lines(measured: Mapping[str, Measurement]) -> Iterable[Line]:
    for what, task in (("Decisions", "decide_batch"), ("Decisions, one by one", "decide_alone")):
        three, ten_more = measured[task], measured[f"{task}_with_targets"]
        each_us = (ten_more.best / ten_more.units - three.best / three.units) * 1e6 / MORE
        yield Line(
            f"{what} with {MORE} more targets",
            rate(ten_more, "customers"),
            f"{each_us:,.1f} µs each a target more than without",
            aim=f"< {_TARGET_AIM_US} µs",
            met=each_us < _TARGET_AIM_US,
        )


def _campaign_lines(measured: Mapping[str, Measurement]) -> Iterable[Line]:
    uplift, theirs, response = (measured[task] for task in CAMPAIGNS)
    low, high = Qini(uplift.facts["qini"], uplift.facts["error"]).interval()
    ours = f"{uplift.facts['qini']:.3f} ({low:.3f} to {high:.3f})"
    others = f"scikit-uplift's two models: {theirs.facts['qini']:.3f}"
    yield Line(
        f"Whom a campaign of {uplift.units:,} customers changes: Qini",
        ours,
        others,
        aim="no less, but for chance",
        met=theirs.facts["qini"] <= high,
    )
    answers = f"by who answers it: {response.facts['qini']:.3f}"
    yield Line("", ours, answers, aim="more, beyond chance", met=response.facts["qini"] < low)
    yield Line(
        "The same learnt and judged",
        f"{uplift.best:.2f} s, three ways",
        f"scikit-uplift: {theirs.best:.2f} s, one way",
        uplift.best / theirs.best,
        "the time",
    )


def _adoption_lines(measured: Mapping[str, Measurement]) -> Iterable[Line]:
    for what, task in (("Decisions", "batch"), ("Decisions, one by one", "alone")):
        adopted, own, theirs = (
            measured[name] for name in (f"decide_{task}_adopted", f"decide_{task}", f"lightgbm_{task}")
        )
        ours = rate(adopted, "customers")
        yield Line(
            f"{what} with an adopted LightGBM",
            ours,
            f"with our own model {rate(own, 'customers')}",
            own.best / adopted.best,
            "the speed",
        )
        alone = f"LightGBM alone, that one prediction: {rate(theirs, 'customers')}"
        yield Line("", ours, alone, theirs.best / adopted.best, "the speed")


def _discovery_line(measured: Mapping[str, Measurement]) -> Line:
    ours, theirs = (measured.get(task) for task in DISCOVERY)
    if ours is None or theirs is None:
        return Line(
            "Features that are missing, looked for", "not measured: FeatureTools is not there", "make featuretools"
        )
    return Line(
        f"Features that are missing, looked for in a shop of {ours.units:,}",
        f"{ours.best:.1f} s, {ours.facts['found']:.0f} found",
        f"FeatureTools alone, which judges none: {theirs.best:.1f} s",
        ours.best / theirs.best,
        "the time",
    )
