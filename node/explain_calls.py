"""Why an action on the call auction of a market was rejected; see ``node.explain``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from clearing.calls import book_shape
from clearing.codes import Code, Kind, Operation, Phase

Rule = Callable[[Any, Any], tuple[str, dict[str, Any]]]

KINDS = (Kind.CALL_ORDER, Kind.CALL_FILL)


def call(state: Any, id: int) -> tuple[str, dict[str, Any]]:
    """Tell how the call over a market stands; it has one."""
    market = state.instruments[id]
    found = int(market["phase"]) == Phase.APPLY
    operands = {
        "instrument": id,
        "clock_ms": int(state.globals[0].clock),
        "auction_end_ms": int(market["auction_end"]),
        "deadline_ms": int(market["deadline"]),
        "price_micro": int(market["price"]),
        "executed_lots": int(market["total"]),
        "filled_lots": int(market["running"]),
    }
    if found:
        stands = (
            f"found the price {operands['price_micro']}: {operands['filled_lots']} of "
            f"{operands['executed_lots']} lots are filled, the rest may be until"
        )
    else:
        stands = (
            f"takes orders until {operands['auction_end_ms']} ms, the next price from then on "
            "finds theirs; it is over at"
        )
    return (
        f"the call over instrument {id} {stands} {operands['deadline_ms']} ms, the clock is at "
        f"{operands['clock_ms']} ms",
        operands,
    )


def _call(state: Any, action: Any) -> tuple[str, dict[str, Any]]:
    id = int(action["instrument"])
    if int(state.instruments[id]["operation"]) == Operation.CALL:
        return call(state, id)
    end, clock = int(state.instruments[id]["auction_end"]), int(state.globals[0].clock)
    return (
        f"no call is open over instrument {id}; orders are taken while its auction lasts, until "
        f"{end} ms, the clock is at {clock} ms",
        {"instrument": id, "auction_end_ms": end, "clock_ms": clock},
    )


def _order_of(state: Any, id: int) -> tuple[str, dict[str, Any]]:
    """What stands of an account's order in a call."""
    account = state.accounts[id]
    names = ("instrument", "level", "lots", "filled", "margin", "until")
    operands = {f"account_{id}_{name}": int(account[f"call_{name}"]) for name in names}
    lots, filled = int(account["call_lots"]), int(account["call_filled"])
    if lots == 0:
        return f"account {id} has no order in a call", operands
    return (
        f"account {id} has an order of {lots} lots in the call over instrument "
        f"{int(account['call_instrument'])}, {filled} filled, which binds it until "
        f"{int(account['call_until'])} ms",
        operands,
    )


def _stands(state: Any, action: Any) -> tuple[str, dict[str, Any]]:
    return _order_of(state, int(action["account"]))


def _dead(state: Any, action: Any) -> tuple[str, dict[str, Any]]:
    bought, buyer = _order_of(state, int(action["account"]))
    sold, seller = _order_of(state, int(action["counterparty"]))
    sentence, operands = _call(state, action)
    return (
        f"the price executes no more lots of a buyer's or a seller's order: {bought}; {sold}; "
        f"{sentence}",
        buyer | seller | operands,
    )


def _beyond(state: Any, action: Any) -> tuple[str, dict[str, Any]]:
    market = state.instruments[int(action["instrument"])]
    low, step, top = (int(part) for part in book_shape(market, state.params[0].price_band_ppm))
    price, high = int(action["price"]), low + top * step
    return (
        f"the limit {price} reaches no level of the call: expected a buyer's of at least {low}, "
        f"a seller's of at most {high}",
        {"price_micro": price, "lowest_micro": low, "highest_micro": high, "step_micro": step},
    )


RULES: Mapping[Code, Rule] = {
    Code.AUCTION_CLOSED: _call,
    Code.NO_OPERATION: _call,
    Code.OPERATION_PHASE: _call,
    Code.ORDER_STANDS: _stands,
    Code.ORDER_DEAD: _dead,
    Code.PRICE_BAND: _beyond,
}
