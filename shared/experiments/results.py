"""What experiments say: effects with intervals that hold at every look, or why there is nothing to be said yet."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.experiments.assignment import MISMATCH_LEVEL, Planned, log_mismatch
from shared.experiments.estimates import (
    COLUMNS,
    LEAST_AMOUNTS,
    METRICS,
    Effect,
    Metric,
    effect,
    is_enough,
    value,
)
from shared.experiments.moments import Moments
from shared.experiments.sequences import (
    LEVEL,
    MOST_CUSTOMERS,
    customers_needed,
    discoveries,
    log_e_value,
    p_value,
)
from shared.experiments.shrinkage import shrunk
from shared.experiments.trial import CONTROL, TREATMENT, Trial

FOUND, NONE_FOUND, TOO_EARLY, BLOCKED, NO_CONTROL = (
    "found", "no_effect_of_note", "not_enough_data", "blocked", "no_control_group",
)  # fmt: skip
"""An effect was found; there is none as large as would be worth it; it is too early to say; the arms are not what was
planned, so that nothing may be said; nobody was held back, so that there is no effect to be seen."""
LEAST_EFFECT = 0.1
"""The effect that is worth it, as a share of what the control arm does."""
PLANNED_LEVEL = LEVEL / len(METRICS)
"""At which the effect that is worth it is to be found, so that it is found beside the other metrics as well."""
BALANCE_LEVEL = 0.001
"""Of campaigns dealt by lot, at most about this share is ever blocked because the arms differed before."""
BALANCED = (
    Metric("spend_before", "spend_before", None, "buyer", least=LEAST_AMOUNTS),
    Metric("buyer", "buyer", None, "buyer", is_share=True),
)
"""What must be alike in both arms before anybody is exposed."""
_RANGE = 700.0
"""Of logarithms whose powers are numbers."""


@dataclass(frozen=True, slots=True)
class Look:
    """When the results are looked at, and how."""

    as_of_ms: int
    least_effect: float = LEAST_EFFECT


def judged(trials: Sequence[Trial], look: Look) -> list[dict[str, Any]]:
    """A result for each trial. What is found is held to the bound on false discoveries over all of them at once, and
    over all their segments in the same way."""
    results = [_result(trial, look) for trial in trials]
    metrics = [metric for result in results for metric in result["metrics"] if metric["log_e_value"] is not None]
    _find(metrics)
    _find([segment for metric in metrics for segment in metric["segments"] if segment["log_e_value"] is not None])
    for trial, result in zip(trials, results, strict=True):
        if result["state"] is None:
            _settle(trial, look, result)
    return results


def _result(trial: Trial, look: Look) -> dict[str, Any]:
    treatment, control = trial.arm(TREATMENT), trial.arm(CONTROL)
    result: dict[str, Any] = {
        "campaign": trial.campaign,
        "window_days": trial.window_days,
        "state": None,
        "reason": None,
        "customers": {
            TREATMENT: treatment.n,
            CONTROL: control.n,
            "waiting": len(trial.exposed_ms) - trial.observed,
            "in_both_arms": trial.switched,
        },
        "exposed": {
            "first_ms": int(trial.exposed_ms[0]) if len(trial.exposed_ms) else None,
            "last_ms": int(trial.exposed_ms[-1]) if len(trial.exposed_ms) else None,
        },
        "assignment": None,
        "metrics": [],
        "before_and_after": [],
        "return": None,
        "elsewhere": [
            {"campaign": name, TREATMENT: treated, CONTROL: held_back}
            for name, (treated, held_back) in sorted(trial.elsewhere.items())
        ],
        "days_more": None,
        "customers_more": None,
    }
    if not trial.assigned.get(CONTROL) or not trial.assigned.get(TREATMENT):
        result |= {"state": NO_CONTROL, "before_and_after": _before_and_after(trial)}
        return result
    result["assignment"] = assignment = _assignment(trial)
    if assignment["mismatch"]:
        result |= {"state": BLOCKED, "reason": "arms_not_as_planned"}
    elif _differed_before(trial):
        result |= {"state": BLOCKED, "reason": "arms_differed_before"}
    else:
        result["metrics"] = [_measured(metric, trial, look) for metric in METRICS if _is_known(metric, trial)]
    return result


# ---- Whether it may be believed --------------------------------------------------------------------------------------


def _assignment(trial: Trial) -> dict[str, Any]:
    treatment, control = trial.assigned[TREATMENT], trial.assigned[CONTROL]
    planned = trial.planned or Planned.assumed(treatment, control)
    log_e = log_mismatch(treatment, control, planned.control)
    return {
        "planned_control": planned.control,
        "planned_by": planned.by,
        "control": control / (treatment + control),
        "p_value": p_value(log_e),
        "mismatch": p_value(log_e) < MISMATCH_LEVEL,
    }


def _differed_before(trial: Trial) -> bool:
    treatment, control = trial.arm(TREATMENT), trial.arm(CONTROL)
    evidence = []
    for metric in BALANCED:
        if is_enough(metric, treatment) and is_enough(metric, control):
            differs = _plain(metric, treatment, control)
            evidence.append(math.exp(min(_RANGE, differs)))
        else:
            evidence.append(1.0)
    return sum(evidence) / len(evidence) > 1 / BALANCE_LEVEL


def _plain(metric: Metric, treatment: Moments, control: Moments) -> float:
    """Logarithm of the evidence that the arms differ, with nothing taken out."""
    at = COLUMNS.index(metric.numerator)
    error = math.sqrt(sum(arm.covariance[at, at] / arm.n for arm in (treatment, control)))
    difference = float(treatment.mean[at] - control.mean[at])
    return log_e_value(difference / error, treatment.n + control.n) if error > 0 else 0.0


# ---- What is measured ------------------------------------------------------------------------------------------------


def _is_known(metric: Metric, trial: Trial) -> bool:
    return {metric.numerator, metric.denominator or metric.numerator} <= trial.columns


def _measured(metric: Metric, trial: Trial, look: Look) -> dict[str, Any]:
    treatment, control = trial.arm(TREATMENT), trial.arm(CONTROL)
    measured: dict[str, Any] = {
        "metric": metric.name,
        TREATMENT: value(metric, treatment),
        CONTROL: value(metric, control),
        **_unknown(),
        "relative": None,
        "explained": None,
        "customers_more": None,
        "days_more": None,
        "is_precise": False,
        "segments": [],
    }
    if not (is_enough(metric, treatment) and is_enough(metric, control)):
        measured |= _wait(trial, look, _customers_for(metric, trial))
        return measured
    known = effect(metric, treatment, control)
    measured |= _told(known)
    relative = known.relative
    measured["relative"] = dict(zip(("effect", "low", "high"), relative, strict=True)) if relative else None
    measured["explained"] = known.explained
    needed = customers_needed(look.least_effect * known.control, known.error * math.sqrt(known.n), PLANNED_LEVEL)
    measured["is_precise"] = needed <= known.n
    measured |= _wait(trial, look, needed)
    measured["segments"] = _segments(metric, trial)
    return measured


def _unknown() -> dict[str, Any]:
    return {"effect": None, "low": None, "high": None, "log_e_value": None, "p_value": None, "finding": None}


def _told(known: Effect) -> dict[str, Any]:
    low, high = known.interval()
    return {
        "effect": known.difference,
        "low": low,
        "high": high,
        "log_e_value": known.log_e,
        "p_value": p_value(known.log_e),
        "finding": None,
    }


def _wait(trial: Trial, look: Look, customers: int) -> dict[str, Any]:
    days = trial.days_until(customers, look.as_of_ms) if customers < MOST_CUSTOMERS else None
    return {"customers_more": max(0, customers - trial.observed), "days_more": days}


def _customers_for(metric: Metric, trial: Trial) -> int:
    """About how many customers it takes until both arms have enough to say anything; MOST_CUSTOMERS if unknown."""
    arms = [trial.arm(arm) for arm in (TREATMENT, CONTROL)]
    for doublings in range(40):
        factor = 1 << doublings
        if all(is_enough(metric, Moments(arm.n * factor, arm.mean, arm.scatter)) for arm in arms):
            return max(1, trial.observed) * factor
    return MOST_CUSTOMERS


def _segments(metric: Metric, trial: Trial) -> list[dict[str, Any]]:
    segments = []
    errors = []
    for segment in trial.segments:
        treatment, control = trial.arm(TREATMENT, segment), trial.arm(CONTROL, segment)
        one: dict[str, Any] = {"segment": segment, "customers": {TREATMENT: treatment.n, CONTROL: control.n}}
        one |= {TREATMENT: value(metric, treatment), CONTROL: value(metric, control), **_unknown(), "shrunk": None}
        if is_enough(metric, treatment) and is_enough(metric, control):
            known = effect(metric, treatment, control)
            one |= _told(known)
            errors.append(known.error)
        segments.append(one)
    measured = [one for one in segments if one["effect"] is not None]
    likeliest = shrunk([one["effect"] for one in measured], errors).tolist()
    for one, nearest in zip(measured, likeliest, strict=True):
        one["shrunk"] = nearest
    return segments


def _before_and_after(trial: Trial) -> list[dict[str, Any]]:
    """What those who were exposed did in the window, and in as many days before: not an effect of anything."""
    everyone = trial.arm(TREATMENT) + trial.arm(CONTROL)
    known = [metric for metric in METRICS if metric.before in trial.columns and everyone.n]
    return [
        {
            "metric": metric.name,
            "before": float(everyone.mean[COLUMNS.index(str(metric.before))]),
            "after": value(metric, everyone),
        }
        for metric in known
    ]


# ---- What is said of it ----------------------------------------------------------------------------------------------


def _find(measured: Sequence[dict[str, Any]]) -> None:
    for one, is_found in zip(measured, discoveries([one["log_e_value"] for one in measured]), strict=True):
        if is_found:
            one["finding"] = "higher" if one["effect"] > 0 else "lower"


def _settle(trial: Trial, look: Look, result: dict[str, Any]) -> None:
    metrics: list[dict[str, Any]] = result["metrics"]
    result["return"] = _return(trial, metrics)
    if any(metric["finding"] for metric in metrics):
        result["state"] = FOUND
        return
    first = metrics[0]
    if first["is_precise"]:
        result["state"] = NONE_FOUND
        return
    result |= {"state": TOO_EARLY, "customers_more": first["customers_more"], "days_more": first["days_more"]}


def _return(trial: Trial, metrics: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """What was earned by those who were approached, and what it cost to; None where either is unknown."""
    revenue = next((metric for metric in metrics if metric["metric"] == "revenue"), None)
    if trial.cost is None or revenue is None or revenue["effect"] is None:
        return None
    customers = trial.arm(TREATMENT).n
    spent = trial.contacts * trial.cost.per_contact
    gains = {name: revenue[name] * customers * trial.cost.margin for name in ("effect", "low", "high")}
    return {
        "contacts": trial.contacts,
        "cost": spent,
        "gain": gains["effect"],
        "gain_low": gains["low"],
        "gain_high": gains["high"],
        "on_cost": {name: (gain - spent) / spent for name, gain in gains.items()} if spent > 0 else None,
    }
