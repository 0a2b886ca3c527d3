"""Why acts of keys and governance were rejected: the rows of ``node.explain`` about them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clearing.codes import Code, Kind
from clearing.keccak import to_bytes
from clearing.units import ASSETS_MAX, KEYS_MAX

Explained = tuple[str, dict[str, Any]]

GOVERNANCE = frozenset(
    int(kind)
    for kind in (
        Kind.SET_PARAMS, Kind.HALT, Kind.RESUME, Kind.LIST, Kind.SET_MARKET, Kind.SET_GRID,
        Kind.SET_ASSET,
    )
)  # fmt: skip


def address(word: Any) -> str:
    """Return an address in hex."""
    return "0x" + to_bytes(word)[12:].hex()


def wrong_governor(state: Any, _action: Any) -> Explained:
    """The signer is neither governance nor, where it may act, the guardian."""
    params = state.params[0]
    operands = {"governance": address(params.governance), "guardian": address(params.guardian)}
    return (
        f"the signer is not governance ({operands['governance']}), or the guardian "
        f"({operands['guardian']}) asked for more than a halt or a reduce-only market",
        operands,
    )


def stale_act(state: Any, action: Any) -> Explained:
    """The act's sequence is used."""
    last, was = int(state.globals[0].governance_sequence), int(action["sequence"])
    return (
        f"sequence {was} is not above that of the last act, {last} (the guardian's: not the next "
        f"one); sign with {last + 1}",
        {"sequence": was, "last_sequence": last},
    )


def not_an_asset(state: Any, action: Any) -> Explained:
    """The asset can be neither changed nor admitted."""
    count, was = int(state.globals[0].asset_count), int(action["asset"])
    return (
        f"asset {was} is not one of 1 .. {count - 1}, nor the next of at most {ASSETS_MAX}",
        {"asset": was, "asset_count": count},
    )


def _key_scope(state: Any, action: Any) -> Explained:
    clock = int(state.globals[0].clock)
    return (
        f"the signer is a session key whose scope, instruments or expiry do not allow this at "
        f"{clock} ms, or the key named is null or stands in the owner's place; sign with the "
        "owner's key",
        {"clock_ms": clock, "instrument": int(action["instrument"])},
    )


def _key_cap(_state: Any, action: Any) -> Explained:
    operands = {"lots": int(action["lots"]), "price_micro": int(action["price"])}
    operands["amount_micro"] = int(action["amount"])
    return (
        "more would open, or be paid, than the limit of the session key allows; send less, or let "
        "the owner grant the key another limit",
        operands,
    )


def _key_slots(_state: Any, _action: Any) -> Explained:
    return (
        f"the account holds {KEYS_MAX} keys already, or not the one that is named",
        {"keys_max": KEYS_MAX},
    )


def _timelock(state: Any, action: Any) -> Explained:
    params = state.params[0]
    if int(action["kind"]) == Kind.ENACT_GRID:
        clock = int(state.globals[0].clock)
        start = int(state.underlyings[int(action["underlying"])]["next_time"])
        return (
            f"a grid begins at {start} ms (0: none is announced), the clock is at {clock} ms; wait",
            {"clock_ms": clock, "next_time_ms": start},
        )
    operands = {
        "clock_ms": int(state.globals[0].clock),
        "pending_time_ms": int(params.pending_time),
        "pending_hash": "0x" + to_bytes(params.pending_hash).hex(),
        "timelock_ms": int(params.timelock_ms),
    }
    return (
        f"at {operands['clock_ms']} ms a timelock of {operands['timelock_ms']} ms has not passed, "
        f"or these are not the parameters that may be enacted from {operands['pending_time_ms']} "
        "ms (0: none are pending)",
        operands,
    )


def _parameter_step(state: Any, _action: Any) -> Explained:
    step = int(state.params[0].parameter_step_ppm)
    return f"a number moves by more than {step} ppm of itself", {"step_ppm": step}


def _parameter_bound(state: Any, _action: Any) -> Explained:
    version = int(state.params[0].version)
    return (
        f"a number is out of its bounds or contradicts another; parameters are version "
        f"{version + 1} with nothing pending, docs/protocol.md section 8 has the bounds",
        {"version": version},
    )


def _no_underlying(state: Any, action: Any) -> Explained:
    count, was = int(state.globals[0].underlying_count), int(action["underlying"])
    return (
        f"underlying {was} does not exist, there are {count}",
        {"underlying": was, "underlying_count": count},
    )


def _no_series(_state: Any, action: Any) -> Explained:
    was = int(action["series"])
    return (
        "the underlying has no such expiry; a listing: its place is taken, or the expiry stands "
        "elsewhere",
        {"underlying": int(action["underlying"]), "series": was},
    )


RULES: dict[Code, Callable[[Any, Any], Explained]] = {
    Code.KEY_SCOPE: _key_scope,
    Code.KEY_CAP: _key_cap,
    Code.KEY_SLOTS: _key_slots,
    Code.TIMELOCK: _timelock,
    Code.PARAMETER_STEP: _parameter_step,
    Code.PARAMETER_BOUND: _parameter_bound,
    Code.NO_UNDERLYING: _no_underlying,
    Code.NO_SERIES: _no_series,
}
