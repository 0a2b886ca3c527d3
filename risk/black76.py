"""Black-76: prices, Greeks and implied volatility of European options on a forward.

With a discount factor D = exp(-r T), forward F, strike K, volatility s and T in years,
`call = D (F N(d1) - K N(d2))`, `put = D (K N(-d2) - F N(-d1))`, where
`d1 = (ln(F / K) + s^2 T / 2) / (s sqrt T)` and `d2 = d1 - s sqrt T` (F. Black, 1976).

Every function broadcasts its arguments and returns float64 arrays. Volatility is per square root
of a year and 0.2 means 20 %. At zero volatility or zero time an option is its discounted intrinsic
value. Arguments outside their domain raise ValueError.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

__all__ = ["Floats", "Greeks", "greeks", "implied_volatility", "price", "spot_greeks"]

Floats = NDArray[np.float64]

ITERATIONS_MAX: Final = 100
# In the money, time value below this part of strike or forward is rounding noise of the price.
TIME_VALUE_NOISE: Final = 4e-15
TOTAL_DEVIATION_MAX: Final = 40.0


@dataclass(frozen=True, slots=True)
class Greeks:
    """Derivatives of the price. Volatility and rate are in units of one (not per cent).

    Attributes:
        price: value today.
        delta: per unit of the forward, or of the spot for `spot_greeks`.
        gamma: change of delta per unit of the same.
        vega: per 1.00 of volatility.
        theta: per year of passing time, rate and volatility held, and the forward (or the spot).
        rho: per 1.00 of the continuous rate, the forward (or the spot) held.
        vanna: change of delta per 1.00 of volatility.
        volga: change of vega per 1.00 of volatility.
    """

    price: Floats
    delta: Floats
    gamma: Floats
    vega: Floats
    theta: Floats
    rho: Floats
    vanna: Floats
    volga: Floats


def _domain(**named: ArrayLike) -> list[Floats]:
    """Broadcast the arguments; positive ones must be > 0, `years` and `volatility` >= 0."""
    arrays = [np.asarray(value, dtype=np.float64) for value in named.values()]
    for name, array in zip(named, arrays, strict=True):
        low_is_legal = name in ("years", "volatility")
        legal = np.isfinite(array) & ((array >= 0) if low_is_legal else (array > 0))
        if not legal.all():
            wrong = array[~legal].flat[0]
            bound = "not below 0" if low_is_legal else "above 0"
            raise ValueError(f"{name} must be finite and {bound}, but one value is {wrong}")
    return [np.array(array) for array in np.broadcast_arrays(*arrays)]


def _sign(is_call: ArrayLike) -> Floats:
    flags = np.asarray(is_call)
    if flags.dtype != np.bool_:
        raise ValueError(f"is_call must be boolean, but its type is {flags.dtype}")
    return np.where(flags, 1.0, -1.0)


def _d1_d2(forward: Floats, strike: Floats, deviation: Floats) -> tuple[Floats, Floats]:
    """Return d1 and d2; without deviation they are infinite, and zero at the money."""
    moneyness = np.log(forward / strike)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(moneyness == 0, 0.0, moneyness / deviation)
    return ratio + deviation / 2, ratio - deviation / 2


def price(
    forward: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    volatility: ArrayLike,
    discount: ArrayLike,
    is_call: ArrayLike,
) -> Floats:
    """Return the price of a call, or of a put where `is_call` is false.

    Args:
        forward, strike: in quote per unit, above 0.
        years: to expiry, not below 0.
        volatility: per square root of a year, not below 0.
        discount: value today of one quote at expiry, above 0.
        is_call: boolean.
    """
    f, k, t, s, d = _domain(
        forward=forward, strike=strike, years=years, volatility=volatility, discount=discount
    )
    sign = _sign(is_call)
    d1, d2 = _d1_d2(f, k, s * np.sqrt(t))
    value = d * sign * (f * ndtr(sign * d1) - k * ndtr(sign * d2))
    return np.asarray(np.maximum(value, np.maximum(d * sign * (f - k), 0.0)))


def greeks(
    forward: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    volatility: ArrayLike,
    discount: ArrayLike,
    is_call: ArrayLike,
) -> Greeks:
    """Return price and Greeks with respect to the forward. `years` and `volatility` are above 0.

    Theta holds the forward and the rate `-ln(discount) / years`; rho holds the forward, so it is
    `-years * price`.
    """
    f, k, t, s, d = _domain(
        forward=forward, strike=strike, years=years, volatility=volatility, discount=discount
    )
    if (t == 0).any() or (s == 0).any():
        raise ValueError("Greeks need years and volatility above 0")
    sign = _sign(is_call)
    deviation = s * np.sqrt(t)
    d1, d2 = _d1_d2(f, k, deviation)
    density = np.exp(-d1 * d1 / 2) / np.sqrt(2 * np.pi)
    value = d * sign * (f * ndtr(sign * d1) - k * ndtr(sign * d2))
    vega = d * f * density * np.sqrt(t)
    rate = -np.log(d) / t
    return Greeks(
        price=value,
        delta=d * sign * ndtr(sign * d1),
        gamma=d * density / (f * deviation),
        vega=vega,
        theta=rate * value - vega * s / (2 * t),
        rho=-t * value,
        vanna=-d * density * d2 / s,
        volga=vega * d1 * d2 / s,
    )


def spot_greeks(
    spot: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    volatility: ArrayLike,
    rate: ArrayLike,
    dividend_yield: ArrayLike,
    is_call: ArrayLike,
) -> Greeks:
    """Return Black-Scholes price and Greeks with respect to the spot, with carry.

    The forward is `spot * exp((rate - dividend_yield) * years)`, both continuous per year; the
    chain rule through it turns the Greeks of the forward into those of the spot.
    """
    r, q = np.asarray(rate, np.float64), np.asarray(dividend_yield, np.float64)
    t = np.asarray(years, np.float64)
    carry = np.exp((r - q) * t)
    forward = np.asarray(spot, np.float64) * carry
    by_forward = greeks(forward, strike, t, volatility, np.exp(-r * t), is_call)
    return Greeks(
        price=by_forward.price,
        delta=by_forward.delta * carry,
        gamma=by_forward.gamma * carry**2,
        vega=by_forward.vega,
        theta=by_forward.theta - (r - q) * forward * by_forward.delta,
        rho=by_forward.rho + t * forward * by_forward.delta,
        vanna=by_forward.vanna * carry,
        volga=by_forward.volga,
    )


def implied_volatility(
    price: ArrayLike,
    forward: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    discount: ArrayLike,
    is_call: ArrayLike,
    *,
    strict: bool = True,
) -> Floats:
    """Return the volatility at which Black-76 gives the price; `years` are above 0.

    A price must lie at or above the discounted intrinsic value, and below the discounted forward
    (call) or strike (put). One outside raises ValueError with the bound that it breaks, or gives
    NaN if not `strict`. A price at its intrinsic value gives 0.
    """
    f, k, t, d = _domain(forward=forward, strike=strike, years=years, discount=discount)
    if (t == 0).any():
        raise ValueError("an implied volatility needs years above 0")
    v, f, k, t, d, sign = (
        np.array(array)
        for array in np.broadcast_arrays(np.asarray(price, np.float64), f, k, t, d, _sign(is_call))
    )
    intrinsic = d * np.maximum(sign * (f - k), 0.0)
    ceiling = d * np.where(sign > 0, f, k)
    noise = np.where(intrinsic > 0, TIME_VALUE_NOISE * d * np.maximum(f, k), 0.0)
    legal = np.isfinite(v) & (v >= intrinsic - noise) & (v < ceiling)
    if strict and not legal.all():
        at = int(np.flatnonzero(~legal)[0])
        raise ValueError(
            f"price {v.flat[at]:.10g} (element {at}) must be at least the discounted intrinsic "
            f"value {intrinsic.flat[at]:.10g} and below {ceiling.flat[at]:.10g}"
        )
    result = np.where(legal, 0.0, np.nan)
    solvable = legal & (v - intrinsic > noise)
    if solvable.any():
        # By parity the time value is the price of the out-of-the-money side.
        f, k, t, d = f[solvable], k[solvable], t[solvable], d[solvable]
        scale = np.sqrt(f * k)
        time_value = (v[solvable] - intrinsic[solvable]) / (d * scale)
        result[solvable] = _total_deviation(time_value, -np.abs(np.log(f / k))) / np.sqrt(t)
    return result


def _total_deviation(value: Floats, moneyness: Floats) -> Floats:
    """Return s sqrt(T) of an out-of-the-money call with strike e^-x for forward 1, scaled by both.

    `value = e^(x/2) N(x/v + v/2) - e^(-x/2) N(x/v - v/2)` with x <= 0 rises in v from 0 to
    e^(x/2). Newton steps in ln(value) converge from far below; a bisection catches the others.
    """
    half = np.exp(moneyness / 2)
    low, high = np.zeros_like(value), np.full_like(value, TOTAL_DEVIATION_MAX)
    # The inflection point of the price in v; a fair start at the money as well.
    guess: Floats = np.clip(np.sqrt(2 * np.abs(moneyness)), 0.05, TOTAL_DEVIATION_MAX / 2)
    for _ in range(ITERATIONS_MAX):
        d1 = moneyness / guess + guess / 2
        model = half * ndtr(d1) - ndtr(d1 - guess) / half
        slope = half * np.exp(-d1 * d1 / 2) / np.sqrt(2 * np.pi)
        above = model > value
        high, low = np.where(above, guess, high), np.where(above, low, guess)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            in_logs = model * np.log(value / model) / slope
            step = np.where(guess * guess < 2 * np.abs(moneyness), in_logs, (value - model) / slope)
            following = guess + step
        inside = np.isfinite(following) & (following > low) & (following < high)
        following = np.where(inside, following, (low + high) / 2)
        if (np.abs(following - guess) <= 1e-15 * guess).all():
            break
        guess = following
    return guess
