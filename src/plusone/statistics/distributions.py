"""The few distributions that intervals are made of: beta, Student's t and chi-square, without scipy."""

from __future__ import annotations

import math
from statistics import NormalDist

__all__ = [
    "beta_cdf",
    "beta_quantile",
    "chi_square_quantile",
    "normal_cdf",
    "normal_quantile",
    "t_cdf",
    "t_quantile",
]

_NORMAL = NormalDist()
_TERMS = 100_000
"""The continued fraction needs about the square root of the larger parameter: enough for a billion."""
_TINY = 1e-300
_LARGE = 1e3
_STEPS = 200


def normal_cdf(value: float) -> float:
    """Return the chance that a standard normal variable is at most `value`. By hand: 1/2 at 0."""
    return _NORMAL.cdf(value)


def normal_quantile(share: float) -> float:
    """Return the standard normal quantile of `share`, 0 to 1, without the ends. By hand: 0.975 is at 1.960."""
    return _NORMAL.inv_cdf(share)


def beta_cdf(value: float, a: float, b: float) -> float:
    """Return the regularised incomplete beta function I_x(a, b): the chance that a beta(a, b) is at most `value`.

    The continued fraction 8.17.22 of the NIST Digital Library of Mathematical Functions, evaluated as Lentz (1976),
    "Generating Bessel functions in Mie scattering calculations using continued fractions", does.

    By hand: beta(1, 1) is uniform: 0.3 at 0.3; beta(2, 1) is x^2: 0.09.
    """
    if value <= 0:
        return 0.0
    if value >= 1:
        return 1.0
    if value > (a + 1) / (a + b + 2):
        return 1.0 - beta_cdf(1.0 - value, b, a)
    log = a * math.log(value) + b * math.log1p(-value) - _log_beta(a, b)
    return math.exp(log) / (a * _fraction(value, a, b))


def _log_beta(a: float, b: float) -> float:
    few, many = min(a, b), max(a, b)
    if many < _LARGE:
        return math.lgamma(few) + math.lgamma(many) - math.lgamma(few + many)
    # The difference of two large logarithms of gamma would have lost its digits: that of their Stirling series has not.
    both = few + many
    apart = few * (1.0 - math.log(both)) - (many - 0.5) * math.log1p(few / many)
    return math.lgamma(few) + apart + (1.0 / many - 1.0 / both) / 12.0 - (many**-3 - both**-3) / 360.0


def _fraction(value: float, a: float, b: float) -> float:
    found = up = 1.0
    down = 0.0
    for place in range(1, _TERMS):
        half = place // 2
        if place % 2 == 0:
            part = half * (b - half) * value / ((a + 2 * half - 1) * (a + 2 * half))
        else:
            part = -(a + half) * (a + b + half) * value / ((a + 2 * half) * (a + 2 * half + 1))
        down = 1.0 / ((1.0 + part * down) or _TINY)
        up = (1.0 + part / up) or _TINY
        found *= up * down
        if abs(up * down - 1.0) < 1e-15:
            break
    return found


def beta_quantile(share: float, a: float, b: float) -> float:
    """Return the value that a beta(a, b) does not exceed with the chance `share`: by Newton, by halves where it leaves.

    By hand: of beta(2, 1), whose distribution is x^2, the quantile of 0.25 is 0.5.
    """
    low, high = 0.0, 1.0
    scale = _log_beta(a, b)
    at = min(max(0.9 * a / (a + b), 1e-12), 1.0 - 1e-12)
    for _ in range(_STEPS):
        over = beta_cdf(at, a, b) - share
        low, high = (low, at) if over > 0 else (at, high)
        if abs(over) <= 1e-14 * share or high - low <= 1e-15 * high:
            break
        steep = math.exp(min((a - 1) * math.log(at) + (b - 1) * math.log1p(-at) - scale, 700.0))
        step = at - over / max(steep, _TINY)
        at = step if low < step < high else (low + high) / 2.0
    return at


def t_cdf(value: float, freedom: float) -> float:
    """Return the chance that Student's t with `freedom` degrees of freedom (above 0) is at most `value`.

    By hand: with 1 degree it is Cauchy's: 3/4 at 1.
    """
    beyond = beta_cdf(freedom / (freedom + value * value), freedom / 2, 0.5) / 2
    return 1.0 - beyond if value > 0 else beyond


def t_quantile(share: float, freedom: float) -> float:
    """Return the quantile of Student's t: Student (1908). By hand: of 3/4 with 1 degree of freedom it is 1.

    From a million degrees on it is the normal one.
    """
    if freedom > 1e6:
        return normal_quantile(share)
    outside = min(share, 1 - share)
    if outside == 0.5:
        return 0.0
    inside = beta_quantile(2 * outside, freedom / 2, 0.5)
    size = math.sqrt(freedom * (1 - inside) / max(inside, 1e-300))
    return size if share > 0.5 else -size


def chi_square_quantile(share: float, freedom: float) -> float:
    """Return the quantile of chi-square with `freedom` degrees of freedom, 1 or more, for shares of 0.1 to 0.9: Wilson
    & Hilferty (1931), "The distribution of chi-square", PNAS 17. From 5 degrees on it is wrong by less than 1 %; with
    fewer the low quantiles come out too low.

    By hand: of 0.5 with 9 degrees: 9 (1 - 2/81)^3 = 8.3499.
    """
    part = 2 / (9 * freedom)
    return freedom * max(1 - part + normal_quantile(share) * math.sqrt(part), 0.0) ** 3
