"""Intervals and evidence that hold at every look, however often one looks and whenever one stops.

Asymptotic confidence sequences in closed form: I. Waudby-Smith, D. Arbour, R. Sinha, E. Kennedy and A. Ramdas,
Time-uniform central limit theory and asymptotic confidence sequences, Annals of Statistics 52 (2024), theorem 2.2. What
they are in standard errors depends on the number of customers alone; what an interval leaves out is what its e-value
speaks against. Over several results, e-values are held to a bound on false discoveries however these hang together: R.
Wang and A. Ramdas, False discovery rate control with e-values, JRSS B 84 (2022).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

LEVEL = 0.05
"""Of all results whose effect is nought, at most this share is ever found to have one."""
TIGHTEST_AT = 5_000
"""Customers, in both arms, at whose number intervals are as narrow as they can be. It is chosen before anybody looks:
from 1,000 to 100,000 they are at most a ninth wider than they could be made for that number."""
POWER = 0.8
"""The probability with which an effect is to be found that is worth it."""
_POWER_ERRORS = 0.8416212335729143
"""Standard errors that a normal variable exceeds its mean's with probability 1 - POWER."""
MOST_CUSTOMERS = 10**12


def tuning(level: float = LEVEL, tightest_at: float = TIGHTEST_AT) -> float:
    """The square of the paper's rho, by its formula of section 2.2, which is near the optimum for both sides."""
    surprise = -2 * math.log(level)
    return (surprise + math.log(surprise + 1)) / tightest_at


RHO_SQUARED = tuning()


def width(n: int, level: float = LEVEL) -> float:
    """Standard errors of an estimate of `n` customers on either side of it that the interval takes in."""
    information = n * RHO_SQUARED
    return math.sqrt(2 * (information + 1) / information * math.log(math.sqrt(information + 1) / level))


def log_e_value(z: float, n: int) -> float:
    """Logarithm of the evidence against nought of an estimate that is `z` of its standard errors.

    Where there is no effect, it ever exceeds log(1 / a) with probability a at most.
    """
    information = n * RHO_SQUARED
    return z * z / 2 * information / (information + 1) - math.log(information + 1) / 2


def p_value(log_e: float) -> float:
    """The smallest level whose interval leaves out nought, which may be looked at every day."""
    return math.exp(-max(0.0, log_e))


def discoveries(log_e_values: Sequence[float], level: float = LEVEL) -> list[bool]:
    """Which results are found, so that at most `level` of those found are false in the mean (e-BH).

    As the mean of the values is one itself, it also holds that where there is nothing to be found, anything is ever
    found with probability `level` at most.
    """
    every = len(log_e_values)
    ranked = sorted(log_e_values, reverse=True)
    passing = [log_e for k, log_e in enumerate(ranked, 1) if log_e >= math.log(every / (level * k))]
    return [bool(passing) and log_e >= passing[-1] for log_e in log_e_values]


def customers_needed(effect: float, error_of_one: float, level: float = LEVEL) -> int:
    """How many customers in both arms an effect is found among with probability POWER.

    `error_of_one` is the standard error times the root of the number of customers. MOST_CUSTOMERS where there are never
    enough.
    """

    def is_found(n: int) -> bool:
        return abs(effect) >= (width(n, level) + _POWER_ERRORS) * error_of_one / math.sqrt(n)

    if not is_found(MOST_CUSTOMERS):
        return MOST_CUSTOMERS
    few, enough = 1, MOST_CUSTOMERS
    while enough - few > 1:
        middle = (few + enough) // 2
        few, enough = (few, middle) if is_found(middle) else (middle, enough)
    return enough
