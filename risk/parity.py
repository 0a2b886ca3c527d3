"""What put-call parity says: the forward and the discount of every expiry, and the spot.

`call - put = discount * (forward - strike)` is a line in the strike. Where only one side of a
strike is quoted and it is deep in the money, the other side is worth little, and its value is
interpolated between its neighbours' quotes; so a lone call or put gives a point as well, of less
weight the more was interpolated. The line is fitted by weighted least squares with Huber's
re-weighting, because single quotes may be stale.

A discount is taken from an expiry's own line only where the line pins its rate down. Elsewhere the
rate is interpolated from the other expiries, and the points give the forward alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from risk.black76 import Floats

__all__ = ["ExpiryTerms", "Method", "Quotes", "can_imply", "imply_spot", "imply_terms"]

Method = Literal["parity", "interpolated discount", "assumed discount", "carried"]

# An interpolated value may be wrong by about this part of itself; a quote by this part of spot.
INTERPOLATION_ERROR: Final = 0.15
QUOTE_ERROR: Final = 1e-4
# Beyond this part of the in-the-money quote, what was interpolated is no longer a correction.
INTERPOLATED_MAX: Final = 0.05
TAIL_POWER: Final = 4
# Without any quote of the other side, deep is this many times the root of time away in logarithms
# (three deviations at 20 % volatility), and the forward that follows is good to one per cent.
DEEP_ALONE: Final = 0.6
ALONE_ERROR: Final = 0.01
# A point whose forward is further from the spot is a broken quote; more so the nearer the expiry.
FORWARD_RANGE: Final = 0.25
FORWARD_RANGE_YEARLY: Final = 0.15
RATE_ERROR_MAX: Final = 0.004
RATE_MAX: Final = 0.25
HUBER: Final = 1.5
HUBER_ROUNDS: Final = 20
DIVIDEND_MAX: Final = 0.1


@dataclass(frozen=True, slots=True)
class Quotes:
    """One expiry's quotes: time in years above 0, strikes, sides and prices of the same length."""

    expiry: date
    years: float
    strike: Floats
    is_call: NDArray[np.bool_]
    price: Floats


@dataclass(frozen=True, slots=True)
class ExpiryTerms:
    """What an expiry is valued with.

    Attributes:
        expiry: its date; `years` to it.
        forward: quote per unit, above 0.
        discount: value now of one quote at expiry.
        pairs: strikes with both sides quoted.
        points: strikes that the line stands on, those pairs among them.
        method: "parity" (both from the line), "interpolated discount" (rate from other expiries),
            "assumed discount" (the caller's rate) or "carried" (no point: carry of the others).
    """

    expiry: date
    years: float
    forward: float
    discount: float
    pairs: int
    points: int
    method: Method

    @property
    def rate(self) -> float:
        """Continuous zero rate per year."""
        return -math.log(self.discount) / self.years


@dataclass(frozen=True, slots=True)
class _Line:
    """Points (strike, call - put, error) of one expiry, and the line's discount if it has one."""

    strike: Floats
    difference: Floats
    error: Floats
    pairs: int
    discount: float
    discount_error: float


def imply_terms(
    quotes: Sequence[Quotes], spot: float = math.nan, rate: float = 0.0
) -> tuple[ExpiryTerms, ...]:
    """Return the terms of every expiry, in the order given (ascending in time).

    Args:
        quotes: one for each expiry.
        spot: of the underlying, or NaN; carries the expiries that have no point of their own.
        rate: continuous per year, where no expiry's quotes tell one.

    Raises:
        ValueError: no expiry has a point, and there is no spot.
    """
    points = [_points(quote) for quote in quotes]
    lines = [_line(*one, quote.years, spot) for one, quote in zip(points, quotes, strict=True)]
    years = np.array([quote.years for quote in quotes])
    own = np.array([_pins_rate(*pair) for pair in zip(lines, years, strict=True)])
    rates = np.full(len(quotes), rate)
    if own.any():
        known = [-math.log(lines[i].discount) / years[i] for i in np.flatnonzero(own)]
        rates = np.interp(years, years[own], known)
    discounts = np.exp(-rates * years)
    forwards = np.array(
        [_forward(line, discount) for line, discount in zip(lines, discounts, strict=True)]
    )
    pointed = np.isfinite(forwards)
    if not pointed.any() and not math.isfinite(spot):
        raise ValueError(
            "no forward can be implied: no strike has both sides quoted and no quote is deep in "
            "the money; pass the spot"
        )
    forwards = _carried(forwards, years, discounts, spot)
    methods: list[Method] = [
        "carried" if not has else "parity" if mine else "interpolated discount" if own.any()
        else "assumed discount"
        for has, mine in zip(pointed, own, strict=True)
    ]  # fmt: skip
    return tuple(
        ExpiryTerms(
            quote.expiry, quote.years, float(forward), float(discount), line.pairs,
            len(line.strike), method,
        )
        for quote, line, forward, discount, method in zip(
            quotes, lines, forwards, discounts, methods, strict=True
        )
    )  # fmt: skip


def can_imply(quotes: Sequence[Quotes]) -> bool:
    """Tell whether any expiry's quotes tell a forward, without knowing the spot."""
    return any(len(_points(quote)[0]) for quote in quotes)


def imply_spot(terms: Sequence[ExpiryTerms]) -> float:
    """Return the spot: the discounted forward, extrapolated to no time at all.

    Between now and an expiry the discounted forward loses the dividends only. The slope of its
    logarithm over all expiries is the dividend yield; the level is that of the nearest expiries.
    Dividends come in lumps, so this is exact to about the dividend of one quarter (0.1 %).
    """
    implied = [term for term in terms if term.method != "carried"]
    years = np.array([term.years for term in implied])
    present = np.log([term.discount * term.forward for term in implied])
    slope = 0.0
    if len(implied) > 1:
        slope, _ = np.polyfit(years, present, 1, w=np.sqrt(years))
        # Beyond the bound it is noise of neighbouring expiries, not a dividend yield.
        slope = float(np.clip(slope, -DIVIDEND_MAX, DIVIDEND_MAX))
    return math.exp(float(np.average(present - slope * years, weights=years**-2.0)))


def _line(
    strike: Floats, difference: Floats, error: Floats, pairs: int, years: float, spot: float
) -> _Line:
    """Return the points that are not broken quotes, and the line through them."""
    if len(strike):
        # Whatever the rates, strike + call - put is the spot to within rates and dividends.
        implied = strike + difference
        near = spot if math.isfinite(spot) else float(np.median(implied))
        kept = np.abs(implied / near - 1) <= FORWARD_RANGE + FORWARD_RANGE_YEARLY * years
        strike, difference, error = strike[kept], difference[kept], error[kept]
    discount, discount_error = math.nan, math.inf
    if len(strike) >= 2 and np.ptp(strike) > 0:
        discount, discount_error = _fit(strike, difference, error)
    return _Line(strike, difference, error, pairs, discount, discount_error)


def _points(quotes: Quotes) -> tuple[Floats, Floats, Floats, int]:
    """Return strikes, call - put, the error of each (quote per unit), and how many are pairs."""
    call, put = quotes.is_call, ~quotes.is_call
    call_strikes, call_prices = quotes.strike[call], quotes.price[call]
    put_strikes, put_prices = quotes.strike[put], quotes.price[put]
    points: list[tuple[float, float, float]] = []
    both, at_call, at_put = np.intersect1d(call_strikes, put_strikes, return_indices=True)
    for k, c, p in zip(both, call_prices[at_call], put_prices[at_put], strict=True):
        points.append((k, c - p, QUOTE_ERROR * (k + c)))
    sides = (
        (1, call_strikes, call_prices, put_strikes, put_prices),
        (-1, put_strikes, put_prices, call_strikes, call_prices),
    )
    for side, strikes, prices, others, other_prices in sides:
        for k, price in zip(strikes, prices, strict=True):
            if k in both:
                continue
            value = _other_side(k, price, others, other_prices, side)
            if value is not None:
                error = QUOTE_ERROR * (k + price) + INTERPOLATION_ERROR * value
                points.append((k, side * (price - value), error))
            elif not len(others) and _is_alone_deep(k, price, quotes.years, side):
                points.append((k, side * price, ALONE_ERROR * k))
    table = np.array(sorted(points)).reshape(-1, 3)
    return table[:, 0], table[:, 1], table[:, 2], len(both)


def _other_side(
    strike: float, price: float, strikes: Floats, prices: Floats, side: int
) -> float | None:
    """Return what the unquoted side of a lone deep quote is worth, None if it is not deep.

    `side` is 1 for a call (its put is asked for) and -1 for a put. Option prices are near straight
    lines in logarithms; beyond the last quote out of the money they fall by a power of the strike.
    """
    if not len(strikes):
        return None
    if strikes[0] <= strike <= strikes[-1]:
        value = math.exp(float(np.interp(strike, strikes, np.log(prices))))
    elif side > 0 and strike < strikes[0]:
        value = float(prices[0]) * (strike / strikes[0]) ** TAIL_POWER
    elif side < 0 and strike > strikes[-1]:
        value = float(prices[-1]) * (strikes[-1] / strike) ** TAIL_POWER
    else:
        return None
    return value if value <= INTERPOLATED_MAX * price else None


def _is_alone_deep(strike: float, price: float, years: float, side: int) -> bool:
    """Whether a quote is deep in the money by itself: at strike K and price C, spot is about K + C.

    A put worth its whole strike or more is no quote at all.
    """
    spot = strike + side * price
    away = DEEP_ALONE * math.sqrt(years)
    return spot > 0 and side * math.log(spot / strike) > away


def _fit(strike: Floats, difference: Floats, error: Floats) -> tuple[float, float]:
    """Return the discount (minus the slope) and its standard error, re-weighted for outliers."""
    weight = 1 / error
    design = np.column_stack([np.ones_like(strike), -strike])
    huber = np.ones_like(strike)
    for _ in range(HUBER_ROUNDS):
        root = weight * np.sqrt(huber)
        solution, *_ = np.linalg.lstsq(design * root[:, None], difference * root, rcond=None)
        residual = np.abs(difference - design @ solution) * weight
        spread = max(1.4826 * float(np.median(residual)), 0.1)
        huber = np.minimum(1.0, HUBER * spread / np.maximum(residual, 1e-12))
    root = weight * np.sqrt(huber)
    covariance = np.linalg.pinv((design * root[:, None]).T @ (design * root[:, None]))
    # Two points always lie on a line: then their declared errors are all that is known.
    scale = max(1.0, spread) if len(strike) > 2 else 1.0
    return float(solution[1]), scale * math.sqrt(covariance[1, 1])


def _pins_rate(line: _Line, years: float) -> bool:
    """Whether the line tells the expiry's own rate, to RATE_ERROR_MAX and within RATE_MAX."""
    if not line.discount > 0:
        return False
    rate_error = line.discount_error / (line.discount * years)
    return rate_error <= RATE_ERROR_MAX and abs(math.log(line.discount)) <= RATE_MAX * years


def _forward(line: _Line, discount: float) -> float:
    """Return the weighted median of what each point says of the forward; NaN without points."""
    if not len(line.strike):
        return math.nan
    values = line.strike + line.difference / discount
    order = np.argsort(values)
    weights = (1 / line.error**2)[order]
    middle = np.searchsorted(np.cumsum(weights), weights.sum() / 2)
    forward = float(values[order][middle])
    return forward if forward > 0 else math.nan


def _carried(forwards: Floats, years: Floats, discounts: Floats, spot: float) -> Floats:
    """Fill forwards that are missing: the present forward is interpolated in its logarithm."""
    known = np.isfinite(forwards)
    if known.all():
        return forwards
    times, present = years[known], np.log(forwards[known] * discounts[known])
    if math.isfinite(spot):
        times, present = np.append(0.0, times), np.append(math.log(spot), present)
    filled = np.exp(np.interp(years, times, present)) / discounts
    return np.where(known, forwards, filled)
