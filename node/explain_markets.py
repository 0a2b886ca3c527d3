"""Why an action on prices, rows, expiries or marks was rejected; see ``node.explain``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from clearing.actions.price import ASSET_PRICES
from clearing.actions.set_grid import is_read, is_staged
from clearing.codes import Code, InstrumentStatus, Kind
from clearing.units import OBSERVATIONS_MAX, SERIES_MAX
from node.markets import mark_of

Rule = Callable[[Any, Any], tuple[str, dict[str, Any]]]

_NAMING_SERIES = (Kind.RISK_ROWS, Kind.ACTIVATE)


def _instrument(state: Any, action: Any) -> Any:
    """The market that an action names, or None: also for the number of a collateral's price."""
    id = int(action["instrument"])
    return state.instruments[id] if id < int(state.globals[0].instrument_count) else None


def _series(state: Any, action: Any) -> Any:
    underlying, series = int(action["underlying"]), int(action["series"])
    if underlying < int(state.globals[0].underlying_count) and series < SERIES_MAX:
        return state.underlyings[underlying]["series"][series]
    return None


def _status(state: Any, action: Any) -> tuple[str, dict[str, Any]]:
    instrument = _instrument(state, action)
    status = InstrumentStatus(int(instrument["status"]))
    operands = {
        "status": int(status),
        "kind": int(instrument["kind"]),
        "expiry_ms": int(instrument["expiry"]),
        "clock_ms": int(state.globals[0].clock),
    }
    return (
        f"the instrument's status {int(status)} ({status.name.lower()}), kind {operands['kind']} "
        f"or expiry {operands['expiry_ms']} ms forbids this",
        operands,
    )


def _stale(state: Any, action: Any) -> tuple[str, dict[str, Any]]:
    params = state.params[0]
    operands = {
        "clock_ms": int(state.globals[0].clock),
        "stale_open_ms": int(params.price_stale_open_ms),
        "stale_margin_ms": int(params.price_stale_margin_ms),
        "confidence_floor_ppm": int(params.confidence_floor_ppm),
        "band_ppm": int(params.band_ppm),
    }
    if int(action["kind"]) in (Kind.TRADE, Kind.LIQUIDATE, Kind.FUNDING):
        instrument = _instrument(state, action)
        # An option's mark and its time are those of its active row of risk.
        operands["mark_price"], operands["price_time_ms"], _ = mark_of(
            state, int(action["instrument"])
        )
        for name in ("confidence_ppm", "stable_price"):
            operands[name] = int(instrument[name])
    return (
        f"a mark price is too old at {operands['clock_ms']} ms, or in doubt; wait for the next "
        "price",
        operands,
    )


def _publication(state: Any, action: Any) -> tuple[str, dict[str, Any]]:
    params = state.params[0]
    operands = {
        "signatures": int(action["signature_count"]),
        "quorum": int(params.price_quorum),
        "clock_ms": int(state.globals[0].clock),
        "drift_ms": int(params.price_drift_ms),
        "jump_ppm": int(params.price_jump_ppm),
    }
    last = 0
    if int(action["kind"]) == Kind.PRICE and int(action["instrument"]) >= ASSET_PRICES:
        asset = state.assets[int(action["instrument"]) - ASSET_PRICES]
        last, operands["price"] = int(asset["price_time"]), int(asset["price"])
    elif int(action["kind"]) in (Kind.PRICE, Kind.UNCROSS):
        instrument = _instrument(state, action)
        last = max(int(instrument["price_time"]), int(instrument["auction_end"]))
        operands["mark_micro"], _, _ = mark_of(state, int(action["instrument"]))
        operands["index_micro"] = int(instrument["index_price"])
    operands["price_time_ms"] = last
    return (
        f"expected at least {operands['quorum']} signatures of distinct publishers (at most "
        f"{OBSERVATIONS_MAX}), of a time after {last} ms and at most {operands['drift_ms']} ms "
        f"beyond {operands['clock_ms']} ms, and prices within {operands['jump_ppm']} ppm of the "
        "last",
        operands,
    )


def _row_time(state: Any, action: Any) -> tuple[str, dict[str, Any]]:
    operands = {"time_ms": int(action["time"]), "clock_ms": int(state.globals[0].clock)}
    if int(action["kind"]) in _NAMING_SERIES and (series := _series(state, action)) is not None:
        for name in ("active_time", "staged_time", "staged_reference", "expiry"):
            operands[name] = int(series[name])
    return (
        f"rows, shocks or an activation of {operands['time_ms']} ms do not fit the clock at "
        f"{operands['clock_ms']} ms or what is staged; begin a set with a new time",
        operands,
    )


def _row_carry(state: Any, action: Any) -> dict[str, Any]:
    """What forward and discount of a set are held to."""
    if int(action["kind"]) != Kind.RISK_ROWS or (series := _series(state, action)) is None:
        return {}
    return {
        "reference_price": int(action["price"]),
        "forward": int(action["limit"]),
        "discount_nano": int(action["long_ppm"]),
        "left_ms": int(series["expiry"]) - int(action["time"]),
        "carry_ppm": int(state.params[0].row_carry_ppm),
        "parity_ppm": int(state.params[0].row_parity_ppm),
        "active_reference": int(series["reference_price"]),
        "active_forward": int(series["forward_price"]),
        "active_discount_nano": int(series["discount_nano"]),
    }


def _row_bound(state: Any, action: Any) -> tuple[str, dict[str, Any]]:
    operands = _row_carry(state, action)
    text = "a shock is beyond its bounds"
    if operands:
        text = (
            "a value lies below intrinsic or above what the option can be worth, or forward "
            f"{operands['forward']} and discount {operands['discount_nano']} leave the reference "
            f"price {operands['reference_price']} and 10^9 by more than {operands['carry_ppm']} "
            "ppm a year; check the rows, or ask governance for a larger row_carry_ppm"
        )
    return text, operands


def _row_jump(state: Any, action: Any) -> tuple[str, dict[str, Any]]:
    operands = _row_carry(state, action)
    return (
        "a value near the money moved further from the active row than the bound, the reference "
        "price is not near the index, or forward and discount moved from the active set's by more "
        "than the parity parameter; approach them in smaller moves, or wait until the active rows "
        "are too old for opening",
        operands,
    )


def _row_order(state: Any, action: Any) -> tuple[str, dict[str, Any]]:
    operands: dict[str, Any] = {"first": int(action["first"])}
    if int(action["kind"]) in _NAMING_SERIES and (series := _series(state, action)) is not None:
        for name in ("call", "call_before", "put", "put_before"):
            operands[f"staged_{name}"] = int(series[f"staged_{name}"]) - 1
    return (
        "rows rise by strike, the call before the put, behind the calls and puts staged last "
        f"({operands}); scenarios leave no hole",
        operands,
    )


def _incomplete(state: Any, action: Any) -> tuple[str, dict[str, Any]]:
    if int(action["kind"]) == Kind.ENACT_GRID:
        underlying = state.underlyings[int(action["underlying"])]
        start = int(underlying["next_time"])
        oldest = max(start, int(state.globals[0].clock) - int(state.params[0].row_age_reduce_ms))
        waiting = [
            place
            for place, one in enumerate(underlying["series"])
            if is_read(one) and not is_staged(one, oldest)
        ]
        return (
            f"series {waiting} are not staged for the next grid, all of each at {oldest} ms or "
            "later; stage them, and expire what is over",
            {"series": ", ".join(map(str, waiting)), "oldest_ms": oldest},
        )
    series = _series(state, action)
    staged, listed = int(series["staged_count"]), int(series["option_count"])
    return (
        f"{staged} of the {listed} options of the series are staged; stage them all",
        {"staged": staged, "options": listed},
    )


def _not_expired(state: Any, action: Any) -> tuple[str, dict[str, Any]]:
    clock, expiry = int(state.globals[0].clock), int(_instrument(state, action)["expiry"])
    return (
        f"the contract expires at {expiry} ms, the clock is at {clock} ms",
        {"clock_ms": clock, "expiry_ms": expiry},
    )


def _window(state: Any, action: Any) -> tuple[str, dict[str, Any]]:
    instrument = _instrument(state, action)
    underlying = state.underlyings[int(instrument["underlying"])]
    reference, last = int(underlying["reference"]), int(underlying["price_time"])
    return (
        f"no price of the reference market {reference} is of {int(instrument['expiry'])} ms or "
        f"later, the last is of {last} ms; publish one",
        {"reference": reference, "price_time_ms": last, "expiry_ms": int(instrument["expiry"])},
    )


RULES: Mapping[Code, Rule] = {
    Code.INSTRUMENT_STATUS: _status,
    Code.PRICE_STALE: _stale,
    Code.QUORUM: _publication,
    Code.PUBLISHER: _publication,
    Code.PRICE_TIME: _publication,
    Code.PRICE_JUMP: _publication,
    Code.ROW_TIME: _row_time,
    Code.ROW_ORDER: _row_order,
    Code.ROW_BOUND: _row_bound,
    Code.ROW_JUMP: _row_jump,
    Code.ROW_INCOMPLETE: _incomplete,
    Code.NOT_EXPIRED: _not_expired,
    Code.SETTLEMENT_WINDOW: _window,
}

GENERAL: Mapping[Code, str] = {
    Code.NO_UNDERLYING: "the underlying does not exist",
    Code.NO_SERIES: "the underlying has no such expiry",
    Code.ROW_MONOTONE: "calls must fall and puts rise with the strike, by no more than it does",
    Code.ROW_CONVEX: "values at three strikes must be convex",
    Code.ROW_PARITY: "call less put must be forward less strike, discounted, within the parity "
    "parameter",
}
