"""Whether customers came into the arms as was planned; where they did not, nothing is to be believed.

The evidence against the planned share may be looked at every day: M. Lindon and A. Malek, Anytime-Valid Inference for
Multinomial Count Data, NeurIPS 2022, for two arms.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import lgamma, log

MISMATCH_LEVEL = 0.01
"""Of campaigns whose arms were dealt as planned, at most this share is ever blocked."""
CONCENTRATION = 1_000
"""Of the beta distribution of what the share may be instead, around the planned one: deviations of some points."""
USUAL = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 1 / 3, 0.4, 0.5, 0.6, 2 / 3, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
"""Shares of control groups, of which the nearest is assumed where nobody says what was planned."""


@dataclass(frozen=True, slots=True)
class Planned:
    """The share of customers that was to be the control group."""

    control: float
    by: str
    """Who says so: `audience`, `given`, or `assumed`."""

    @classmethod
    def assumed(cls, treatment: int, control: int) -> Planned:
        """The usual share nearest to what came of it."""
        seen = control / (treatment + control)
        return cls(min(USUAL, key=lambda share: abs(share - seen)), "assumed")


def log_mismatch(treatment: int, control: int, planned: float) -> float:
    """Logarithm of the evidence that customers were not dealt with probability `planned` into the control group.

    Where they were, it ever exceeds log(1 / a) with probability a at most; that holds for any number of customers.
    """
    a, b = CONCENTRATION * planned, CONCENTRATION * (1 - planned)
    instead = _log_beta(a + control, b + treatment) - _log_beta(a, b)
    return instead - control * log(planned) - treatment * log(1 - planned)


def _log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)
