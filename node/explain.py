"""Why an action was rejected: the operands of the rule, and one sentence with them.

The law answers with a code alone. The operands here are those of the action, and those of the
state as it stands after the frame, which is where the client would try again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from clearing.codes import Code, InstrumentKind, Kind, OrderFlag
from clearing.messages import MalformedAction, decode_action
from clearing.records import State
from clearing.units import ACTION_BYTES_MAX, PAGE_SLOTS
from node import (
    explain_calls,
    explain_collateral,
    explain_failure,
    explain_governance,
    explain_margin,
    explain_markets,
    explain_pools,
)
from node.explain_governance import address
from node.margins import margin_of
from node.markets import mark_of

Operands = Mapping[str, str]
_Rule = Callable[[Any, Any], tuple[str, dict[str, Any]]]
_OF_GROUPS = (
    Code.NO_ACCOUNT,
    Code.OPERATION_ORDER,
    Code.ACCOUNT_MODE,
    Code.OTHER_OWNER,
    Code.NOT_NEEDED,
)


def explain(state: State, action: Any, code: int, data: bytes) -> tuple[str, Operands]:
    """Return (sentence, operands) for one row of the action columns, its bytes and its code."""
    if code in (Code.MALFORMED, Code.UNKNOWN_KIND):
        sentence, operands = _undecodable(data)
    elif code in _OF_GROUPS and int(action["kind"]) == Kind.OWNER_CHECK:
        sentence, operands = explain_margin.owner_check(state, data)
    else:
        rules = explain_calls.RULES if int(action["kind"]) in explain_calls.KINDS else {}
        rule = rules.get(Code(code)) or _RULES.get(Code(code))
        sentence, operands = (
            (_GENERAL.get(Code(code), ""), {}) if rule is None else rule(cast(Any, state), action)
        )
    return sentence, {name: str(value) for name, value in operands.items()}


def _undecodable(data: bytes) -> tuple[str, dict[str, Any]]:
    try:
        decode_action(data)
    except MalformedAction as error:
        return (
            f"the bytes are no action of this law: {error}",
            {"offset": error.offset, "expected": error.expected, "was": error.was},
        )
    return "the bytes decode, but not as an action that may stand here", {"bytes": len(data)}


def _account(state: Any, id: int) -> Any:
    if 0 <= id < int(state.globals[0].account_count):
        return state.accounts[id]
    return None


def _instrument(state: Any, action: Any) -> Any:
    return state.instruments[int(action["instrument"])]


def _accounts_named(action: Any) -> list[int]:
    if action["kind"] == int(Kind.TRADE):
        return [int(action["maker"]["account"]), int(action["taker"]["account"])]
    named = [int(action["account"])]
    if action["kind"] in (
        int(Kind.TRANSFER),
        int(Kind.LIQUIDATE),
        int(Kind.AUCTION_BID),
        int(Kind.CALL_FILL),
    ):
        named.append(int(action["counterparty"]))
    return named


def _no_account(state: Any, action: Any) -> tuple[str, dict[str, Any]]:
    count = int(state.globals[0].account_count)
    named = [id for id in _accounts_named(action) if _account(state, id) is None]
    return (
        f"accounts {named} do not exist, there are {count}; deposit first",
        {"accounts": ",".join(map(str, named)), "account_count": count},
    )


def _no_instrument(state: Any, action: Any) -> tuple[str, dict[str, Any]]:
    count = int(state.globals[0].instrument_count)
    was = int(action["instrument"])
    return (
        f"instrument {was} does not exist, there are {count}",
        {"instrument": was, "instrument_count": count},
    )


def _no_asset(state: Any, action: Any) -> tuple[str, dict[str, Any]]:
    if action["kind"] == int(Kind.SET_ASSET):
        return explain_governance.not_an_asset(state, action)
    was, count = int(action["asset"]), int(state.globals[0].asset_count)
    first = 1 if action["kind"] == int(Kind.CONVERT) else 0
    return (
        f"expected an asset of {first} to {count - 1}, was {was}; novatio asset list shows them",
        {"asset": was, "asset_count": count},
    )


def _expired(state: Any, action: Any) -> tuple[str, dict[str, Any]]:
    clock = int(state.globals[0].clock)
    if action["kind"] == int(Kind.TRADE):
        expiry = min(int(action["maker"]["expiry"]), int(action["taker"]["expiry"]))
    else:
        expiry = int(action["expiry"])
    return (
        f"signed to expire at {expiry} ms, the law's clock is at {clock} ms; sign it again",
        {"expiry_ms": expiry, "clock_ms": clock},
    )


def _bad_signature(state: Any, action: Any) -> tuple[str, dict[str, Any]]:
    if action["kind"] == int(Kind.INBOX):
        return "inbox messages come from the base layer alone; send yours there", {}
    if int(action["kind"]) in explain_governance.GOVERNANCE:
        return explain_governance.wrong_governor(state, action)
    owners = [
        address(account["owner"])
        for id in _accounts_named(action)
        if (account := _account(state, id)) is not None
    ]
    operands = {"owners": ",".join(owners)}
    if action["kind"] == int(Kind.TRADE):
        operands["venue"] = address(action["address"])
    return (
        f"a signature is not that of the owner ({', '.join(owners)}), of a key of the account, or "
        "of the venue; check the domain (chain id, settlement), the fields and the key",
        operands,
    )


def _stale_sequence(state: Any, action: Any) -> tuple[str, dict[str, Any]]:
    if int(action["kind"]) in explain_governance.GOVERNANCE:
        return explain_governance.stale_act(state, action)
    account = _account(state, int(action["account"]))
    last = 0 if account is None else int(account["request_sequence"])
    was = int(action["sequence"])
    return (
        f"sequence {was} is not above the account's last, {last}; sign with {last + 1}",
        {"sequence": was, "last_sequence": last},
    )


def _self_trade(_state: Any, action: Any) -> tuple[str, dict[str, Any]]:
    named = _accounts_named(action)
    return (
        f"both sides, accounts {named}, belong to one owner",
        {"accounts": ",".join(map(str, named))},
    )


def _unknown_flags(_state: Any, action: Any) -> tuple[str, dict[str, Any]]:
    maker, taker = int(action["maker"]["order_flags"]), int(action["taker"]["order_flags"])
    known = int(OrderFlag.REDUCE_ONLY | OrderFlag.MAKER_ONLY)
    return (
        f"flags {maker} and {taker} hold bits beyond {known}",
        {"maker_flags": maker, "taker_flags": taker, "known_flags": known},
    )


def _order_state(state: Any, action: Any, side: str) -> dict[str, Any]:
    """What an order claims, and what its account remembers of its slot."""
    order = action[side]
    account = _account(state, int(order["account"]))
    slot_sequence, filled, floor = 0, 0, 0
    if account is not None:
        floor = int(account["order_floor"])
        page, place = divmod(int(order["slot"]), PAGE_SLOTS)
        if int(account["page_mask"]) >> page & 1:
            slot = state.pages[int(account["page_rows"][page])]["slots"][place]
            slot_sequence, filled = int(slot["sequence"]), int(slot["filled"])
    return {
        f"{side}_lots": int(order["lots"]),
        f"{side}_sequence": int(order["sequence"]),
        f"{side}_order_floor": floor,
        f"{side}_slot_sequence": slot_sequence,
        f"{side}_filled_lots": filled,
    }


def _order_dead(state: Any, action: Any) -> tuple[str, dict[str, Any]]:
    return (
        "an order's sequence is at or below its account's floor, or below its slot's; sign a new "
        "order with a higher sequence",
        {**_order_state(state, action, "maker"), **_order_state(state, action, "taker")},
    )


def _overfill(state: Any, action: Any) -> tuple[str, dict[str, Any]]:
    lots = int(action["lots"])
    return (
        f"{lots} lots more would fill an order beyond its size",
        {
            "lots": lots,
            **_order_state(state, action, "maker"),
            **_order_state(state, action, "taker"),
        },
    )


def _off_tick(state: Any, action: Any) -> tuple[str, dict[str, Any]]:
    tick, price = int(_instrument(state, action)["tick"]), int(action["price"])
    below = price - price % tick
    return (
        f"price {price} is not a multiple of the tick {tick}; the nearest are {below} and "
        f"{below + tick}",
        {"price_micro": price, "tick_micro": tick},
    )


def _limit_price(_state: Any, action: Any) -> tuple[str, dict[str, Any]]:
    price = int(action["price"])
    maker, taker = int(action["maker"]["limit_price"]), int(action["taker"]["limit_price"])
    return (
        f"price {price} is worse than a limit: the maker's is {maker}, the taker's {taker}",
        {"price_micro": price, "maker_limit_micro": maker, "taker_limit_micro": taker},
    )


def _price_band(state: Any, action: Any) -> tuple[str, dict[str, Any]]:
    instrument = _instrument(state, action)
    mark, _, _ = mark_of(state, int(action["instrument"]))
    band = int(state.params[0].price_band_ppm)
    operands = {"price_micro": int(action["price"]), "mark_micro": mark, "band_ppm": band}
    share = f"{band} ppm"
    if int(instrument["kind"]) >= InstrumentKind.CALL:
        index = int(state.underlyings[int(instrument["underlying"])]["index_price"])
        operands["index_micro"] = index
        share += f" of the index {index}"
    return f"price {operands['price_micro']} is further than {share} from the mark {mark}", operands


def _fees(_state: Any, action: Any) -> tuple[str, dict[str, Any]]:
    operands = {
        "maker_fee_ppm": int(action["maker_fee"]),
        "maker_max_fee_ppm": int(action["maker"]["max_fee"]),
        "taker_fee_ppm": int(action["taker_fee"]),
        "taker_max_fee_ppm": int(action["taker"]["max_fee"]),
    }
    return (
        f"fees of {operands['maker_fee_ppm']} and {operands['taker_fee_ppm']} ppm must not exceed "
        f"the signed maxima {operands['maker_max_fee_ppm']} and {operands['taker_max_fee_ppm']}, "
        "nor sum below zero",
        operands,
    )


def _caps(state: Any, action: Any) -> tuple[str, dict[str, Any]]:
    if action["kind"] == int(Kind.SET_MODE):
        held = int(_account(state, int(action["account"]))["position_count"])
        return f"an isolated account holds one position at most, was {held}", {"positions": held}
    instrument = _instrument(state, action)
    operands = {
        "lots": int(action["lots"]),
        "position_cap_lots": int(instrument["position_cap"]),
        "open_interest_lots": int(instrument["open_interest"]),
        "open_interest_cap_lots": int(instrument["open_interest_cap"]),
    }
    return (
        f"{operands['lots']} lots would exceed the position cap {operands['position_cap_lots']}, "
        f"the value bound, or the open-interest cap {operands['open_interest_cap_lots']} (open: "
        f"{operands['open_interest_lots']})",
        operands,
    )


def _margin(state: Any, action: Any) -> tuple[str, dict[str, Any]]:
    operands: dict[str, Any] = {}
    parts = []
    for id in _accounts_named(action):
        if _account(state, id) is None:
            continue
        margin = margin_of(state, id)
        operands[f"account_{id}_equity_micro"] = margin.equity
        operands[f"account_{id}_initial_micro"] = margin.initial
        operands[f"account_{id}_maintenance_micro"] = margin.maintenance
        parts.append(f"account {id} has equity {margin.equity}, initial margin {margin.initial}")
    if int(action["amount"]):
        operands["amount_micro"] = int(action["amount"])
    return (
        f"equity would not cover what the change needs; before it, {', '.join(parts)} micro-quote",
        operands,
    )


def _funding_early(state: Any, action: Any) -> tuple[str, dict[str, Any]]:
    instrument = _instrument(state, action)
    operands = {
        "funding_time_ms": int(instrument["funding_time"]),
        "interval_ms": int(state.params[0].funding_interval_ms),
        "clock_ms": int(state.globals[0].clock),
        "premium_samples": int(instrument["premium_samples"]),
    }
    return (
        f"last funding was at {operands['funding_time_ms']} ms, the next is due "
        f"{operands['interval_ms']} ms later and needs a premium sample; the clock is at "
        f"{operands['clock_ms']} ms",
        operands,
    )


_GENERAL = {
    **explain_markets.GENERAL,
    Code.STEP_FULL: (
        f"the action does not fit an empty step; at most {ACTION_BYTES_MAX} bytes and the law's "
        "budget"
    ),
    Code.HALTED: "the law is halted: only inbox messages, withdrawals and a resumption run",
    Code.INVARIANT: "the action broke an invariant and was undone; the law is halted now",
    Code.INBOX_ORDER: "the inbox message is not the next one",
    Code.MAKER_ONLY: "a maker-only order stands as taker",
    Code.REDUCE_ONLY: "a reduce-only order would grow or flip its position",
    Code.CASH_BOUND: "cash would leave its bound of 2^61 micro-quote",
}

_RULES: dict[Code, _Rule] = {
    **explain_markets.RULES,
    **explain_governance.RULES,
    **explain_margin.RULES,
    **explain_pools.RULES,
    **explain_collateral.RULES,
    Code.NO_ACCOUNT: _no_account,
    Code.NO_INSTRUMENT: _no_instrument,
    Code.NO_ASSET: _no_asset,
    Code.EXPIRED: _expired,
    Code.BAD_SIGNATURE: _bad_signature,
    Code.STALE_SEQUENCE: _stale_sequence,
    Code.SELF_TRADE: _self_trade,
    Code.UNKNOWN_FLAGS: _unknown_flags,
    Code.ORDER_DEAD: _order_dead,
    Code.OVERFILL: _overfill,
    Code.OFF_TICK: _off_tick,
    Code.LIMIT_PRICE: _limit_price,
    Code.PRICE_BAND: _price_band,
    Code.FEE_ABOVE_MAXIMUM: _fees,
    Code.FEE_NEGATIVE: _fees,
    Code.POSITION_CAP: _caps,
    Code.OPEN_INTEREST_CAP: _caps,
    Code.MARGIN: _margin,
    Code.TRANSFER_MARGIN: _margin,
    Code.FUNDING_EARLY: _funding_early,
    **explain_failure.RULES,
}
