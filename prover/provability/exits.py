"""Rows for the way out of a frozen house: what begins it, what is claimed, when who is paid.

A claim is checked against the exit root, so each field of each leaf that it opens has a row: the
account's, and those of the market and the underlying that give its option a price.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from functools import partial
from typing import Any

from clearing.records import State
from clearing.units import ASSETS_MAX, SETTLEMENT_ASSET
from prover.exits import exit_claim, exit_opening
from prover.provability.house import Caught, House, play
from prover.provability.market import FIRST_TRADER, FULL
from prover.provability.states import (
    DERIVED,
    RECORDS,
    Record,
    changing,
    fields_of,
    flip_bytes,
)
from prover.provability.table import Part, Row
from verifier import witness_leaves as leaves
from verifier.exit_claim import ExitClaim
from verifier.exit_opening import ExitOpening

REFUSED = "INVALID_EXIT_PROOF"
PAST_LAG_MS = 20_000  # beyond what the house's clock was moved by before
Calls = tuple[Callable[[House], object], ...]
# Of each record that an exit opens: the kind of its leaf, and where it stands in what is sent.
_CLAIMED: dict[str, tuple[int, str, int | None]] = {
    "account": (leaves.ACCOUNT, "account", None),
    "instrument": (leaves.INSTRUMENT, "instruments", 0),
    "underlying": (leaves.UNDERLYING, "underlyings", 0),
}
LEAVES = _CLAIMED | {
    "asset": (leaves.ASSET, "assets", 1),
    "pool": (leaves.POOL, "pools", 0),
}
Change = Callable[[House, Any], Any]


def exit_rows() -> Iterator[Row]:
    """Yield the rows of the opening, of claims and their leaves, and of the order of things."""
    for field in fields(ExitOpening):
        for mutation, change in _mutations(field.name):
            yield _opening_row("opening", field.name, mutation, partial(_with, field.name, change))
    for field in fields(ExitClaim):
        for mutation, change in _mutations(field.name):
            yield _claim_row("claim", field.name, mutation, partial(_with, field.name, change))
    for record in RECORDS:
        make = _claim_row if record.name in _CLAIMED else _opening_row
        if record.name in LEAVES:
            for name, piece in fields_of(record.dtype):
                if f"{record.name}.{name}" not in DERIVED:
                    other = partial(_with_leaf, record, changing(record, name, piece))
                    yield make(record.name, name, "a bit flipped in its leaf", other)
    yield from _order_rows()


def _row(subject: str, field: str, mutation: str, code: str, attack: Calls, twin: Calls) -> Row:
    return Row(
        Part.EXIT, subject, field, mutation, Caught.CHALLENGER, code,
        partial(play, attack), partial(play, twin),
    )  # fmt: skip


# What a claim and an opening are made of


def _opening_row(subject: str, field: str, mutation: str, change: Change) -> Row:
    attack = (final, freeze, partial(begin, change=change))
    return _row(subject, field, mutation, REFUSED, attack, (final, freeze, begin))


def _claim_row(subject: str, field: str, mutation: str, change: Change) -> Row:
    attack = (final, freeze, begin, partial(file, change=change))
    return _row(subject, field, mutation, REFUSED, attack, (final, freeze, begin, file))


def _mutations(name: str) -> tuple[tuple[str, Callable[[Any], Any]], ...]:
    """Return how a field of bytes, or of a list of them, is changed."""
    if name == "opening":
        return (("a bit flipped", flip_bytes),)
    if name == "account":
        return ("a bit flipped", flip_bytes), ("a word less", lambda leaf: leaf[:-32])
    return (
        ("a bit of the last flipped", lambda found: (*found[:-1], flip_bytes(found[-1]))),
        ("one missing", lambda found: found[:-1]),
        ("one twice", lambda found: (*found, found[-1])),
    )


def _with(name: str, change: Callable[[Any], Any], house: House, sent: Any) -> Any:
    return replace(sent, **{name: change(getattr(sent, name))})


def _with_leaf(record: Record, change: Callable[[State], None], house: House, sent: Any) -> Any:
    """Return a claim or an opening that shows the leaf of a row after a change."""
    kind, name, place = LEAVES[record.name]
    state = house.replica.engine.state
    change(state)
    (leaf,) = leaves.leaf_bytes(state, kind, [record.row])
    change(state)
    if place is None:
        return replace(sent, **{name: leaf})
    found = list(getattr(sent, name))
    found[place] = leaf
    return replace(sent, **{name: tuple(found)})


# Calls


def final(house: House) -> None:
    """Make the last batch final."""
    house.block += house.config.final_after_blocks + 1
    house.court.finalise(house.call(), house.court.heads().tip_id)


def lag(house: House) -> None:
    """Let the clock lag so far behind that anyone may freeze the house."""
    house.time_ms += house.config.freeze_lag_ms + PAST_LAG_MS


def freeze(house: House) -> None:
    """Freeze the house, whose clock lags."""
    if house.time_ms == house.market.time:
        lag(house)
    house.court.freeze(house.call())


def begin(house: House, change: Change | None = None) -> None:
    """Begin the exit, after a change of what opens it."""
    sent = exit_opening(house.replica.engine)
    sent = sent if change is None else change(house, sent)
    house.court.begin_exit(house.call(), sent.encode())


def file(house: House, account: int = FULL, change: Change | None = None) -> None:
    """File the claim of an account, after a change."""
    sent = exit_claim(house.replica.engine, account)
    sent = sent if change is None else change(house, sent)
    house.court.claim_exit(house.call(), sent.encode())


def close(house: House) -> None:
    """Let the time for claims pass."""
    house.block += house.config.exit_claim_blocks + 1


def halfway(house: House) -> None:
    """Let late claims be closed."""
    house.block = house.court.exit.terms.late_close + 1


def end(house: House) -> None:
    """Let the time for payments pass."""
    house.block += house.config.exit_end_blocks + 1


def pay(house: House, account: int = FULL) -> None:
    """Have the claim of an account paid."""
    house.court.pay_exit(house.call(), account)


def take(house: House, asset: int = SETTLEMENT_ASSET) -> None:
    """Have the beneficiary take what is left of an asset."""
    house.court.take_surplus(house.call(), asset)


def deposit(house: House) -> None:
    """Let a deposit wait that no batch consumes."""
    house.deposit(0)


def refund(house: House, back: int = 1) -> None:
    """Have the deposit of a message given back, counted from the last one."""
    house.court.refund_deposit(house.call(), house.court.inbox.count - back)


def post(house: House) -> None:
    """Post another batch, which is then open."""
    house.extend([])


# What comes when


def _order_rows() -> Iterator[Row]:
    begun: Calls = (final, freeze, begin)
    filed: Calls = (*begun, file)
    paid: Calls = (*filed, close, pay)
    waiting: Calls = (deposit, final, freeze, begin)
    another = FIRST_TRADER
    rows: tuple[tuple[str, str, str, str, Calls, Calls], ...] = (
        ("freeze", "time", "while the clock does not lag", "NOT_LAGGING",
         (_freeze_now,), (lag, _freeze_now)),
        ("freeze", "time", "a second time", "FROZEN", (freeze, freeze), (freeze,)),
        ("opening", "time", "before the freeze", "NOT_FROZEN", (final, begin), begun),
        ("opening", "time", "while a batch is open", "BATCHES_OPEN", (freeze, begin), begun),
        ("opening", "time", "a second time", "EXIT_BEGUN", (*begun, begin), begun),
        ("claim", "time", "before the exit begins", "NO_EXIT", (final, freeze, file), filed),
        ("claim", "time", "a second time", "ALREADY_FILED", (*filed, file), filed),
        ("claim", "time", "after the end", "EXIT_ENDED", (*begun, end, file), filed),
        ("payment", "time", "while claims are filed", "CLAIMS_OPEN", (*filed, pay), paid),
        ("claim", "time", "after late ones are closed", "EXIT_ENDED",
         (*begun, close, halfway, file), (*begun, close, file)),
        ("payment", "time", "while late claims are filed", "CLAIMS_OPEN",
         (*begun, close, file, pay), (*begun, close, file, halfway, pay)),
        ("payment", "time", "a second time", "ALREADY_PAID", (*paid, pay), paid),
        ("payment", "time", "after the end", "EXIT_ENDED", (*filed, end, pay), paid),
        ("payment", "account", "nobody claimed for it", "NO_SUCH_CLAIM",
         (*filed, close, partial(pay, account=another)), paid),
        ("surplus", "time", "before the end", "EXIT_NOT_ENDED", (*paid, take), (*paid, end, take)),
        ("surplus", "time", "a second time", "NO_SURPLUS",
         (*paid, end, take, take), (*paid, end, take)),
        ("surplus", "asset", "none that can be listed", "NO_SURPLUS",
         (*paid, end, partial(take, asset=ASSETS_MAX)), (*paid, end, take)),
        ("refund", "index", "a deposit that an account has", "NOT_REFUNDABLE",
         (*waiting, partial(refund, back=2)), (*waiting, refund)),
        ("refund", "index", "a message that never came", "NOT_REFUNDABLE",
         (*waiting, partial(refund, back=0)), (*waiting, refund)),
        ("refund", "time", "a second time", "ALREADY_PAID",
         (*waiting, refund, refund), (*waiting, refund)),
    )  # fmt: skip
    for row in rows:
        yield _row(*row)


def _freeze_now(house: House) -> None:
    house.court.freeze(house.call())
