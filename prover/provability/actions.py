"""Rows for actions: every field of every kind, in bytes that the step's root is not that of.

A step's root commits to the hash of each of its sequenced actions, rejected or not: whatever the
law says of an action, other bytes are another root. The twin runs the other bytes honestly. Inbox
messages are those of the court, so theirs are consumed, and the twin shows them as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cache, partial
from typing import Any, cast

from clearing.codes import Kind
from clearing.forms import FORMS
from clearing.messages import (
    Authorisation,
    Cancel,
    Inbox,
    InboxMessage,
    Order,
    Price,
    PriceObservation,
    Trade,
    decode_action,
)
from clearing.requests import NO_SIGNATURE, Request
from prover.provability.house import Caught, House, Outcome, offer_of
from prover.provability.market import PERPETUAL, START_MS
from prover.provability.postings import with_step
from prover.provability.states import STEP, flip_bytes
from prover.provability.table import Part, Row
from verifier.batch import Step
from verifier.inbox import forced_price

_VENUE = b"\x07" * 20
_VIEW = PriceObservation(1, 1, START_MS)
_ORDER = Order(1, 1, 1, 1, 1, START_MS, 1, 0)
_BULK = Authorisation(NO_SIGNATURE, 0, (bytes(32),))
# One of each kind that has a shape of its own, with every part that it can have.
SHAPED = {
    Kind.INBOX: Inbox(InboxMessage(5, 7, 1, _VENUE, 1, 0, 1, (_VIEW,))),
    Kind.TRADE: Trade(0, 1, 1, 1, 1, _VENUE, 1, _ORDER, _ORDER, _BULK, _BULK, _BULK),
    Kind.CANCEL: Cancel(1, 1, 1),
    Kind.PRICE: Price(0, (_VIEW,)),
}


def sample(kind: Kind) -> Any:
    """Return an action of the kind, of which nothing is signed."""
    if kind in SHAPED:
        return SHAPED[kind]
    form = FORMS[kind]
    values: dict[str, Any] = {field.name: field.low for field in form.fields}
    return Request.of(kind, payload=(1,) * min(form.payload, 1), **values)


def action_fields(action: Any, base: str = "") -> list[str]:
    """Return the dotted names of the fields of an action's class; of tuples those of an item."""
    if isinstance(action, Request):
        names = [field.name for field in action.form.fields]
        payload = ["payload"] if action.form.payload else []
        return names + payload + (["signatures"] if action.signatures else [])
    found = []
    for field in fields(action):
        value = getattr(action, field.name)
        item = value[0] if isinstance(value, tuple) else value
        name = f"{base}{field.name}"
        found += action_fields(item, f"{name}.") if is_dataclass(item) else [name]
    return found


@dataclass(frozen=True)
class _Changed:
    """An action and the same with one field changed, as bytes."""

    before: bytes
    after: bytes


@cache
def changes_of(kind: Kind) -> dict[str, _Changed]:
    """Return, for each field of a kind, an action before and after it is changed."""
    action = sample(kind)
    return {
        name: _Changed(action.encode(), _encoded(action, name)) for name in action_fields(action)
    }


def _encoded(action: Any, name: str) -> bytes:
    """Return the bytes with the field one more, or one less where that is beyond its bound."""
    for step in (1, -1):
        try:
            return cast(bytes, with_field(action, name, step).encode())
        except ValueError:
            continue
    raise ValueError(f"expected another value of {name} within its bounds, was none")


def with_field(action: Any, name: str, step: int) -> Any:
    """Return the action with one field changed: integers by `step`, bytes by a bit."""
    head, _, rest = name.partition(".")
    if isinstance(action, Request) and head not in ("payload", "signatures"):
        names = [field.name for field in action.form.fields]
        values = list(action.values)
        values[names.index(name)] += step
        return replace(action, values=tuple(values))
    value = getattr(action, head)
    if isinstance(value, tuple):
        return replace(action, **{head: (_moved(value[0], rest, step), *value[1:])})
    return replace(action, **{head: _moved(value, rest, step)})


def _moved(value: Any, rest: str, step: int) -> Any:
    if rest:
        return with_field(value, rest, step)
    return flip_bytes(value) if isinstance(value, bytes) else value + step


def action_rows() -> Iterator[Row]:
    """Yield the rows of all kinds."""
    for name in action_fields(SHAPED[Kind.INBOX]):
        yield _message_row(name)
    for kind in Kind:
        if kind == Kind.INBOX:
            continue
        for name, change in changes_of(kind).items():
            yield Row(
                Part.ACTION,
                kind.name.lower(),
                name,
                "one off, and the root of what it was",
                Caught.BAD_STEP,
                STEP,
                partial(_posted, change.before, change.after),
                partial(_posted, change.after, change.after),
            )


def _message_row(name: str) -> Row:
    """Return a row of an inbox message: a forced price for what belongs to one, else a deposit."""
    forces = name.startswith("message.observations")
    return Row(
        Part.ACTION,
        "inbox",
        name,
        "one off, and the root of what it was",
        Caught.BAD_STEP,
        STEP,
        partial(_consumed, forces, name),
        partial(_consumed, forces, ""),
    )


def _consumed(forces: bool, name: str, house: House) -> Outcome:
    """Offer a batch that consumes a message of the court and shows it with one field changed."""
    if forces:
        house.court.force(house.call(), forced_price(PERPETUAL, (_VIEW,)))
    else:
        house.deposit(0)
    (message,) = house.waiting()
    shown = _encoded(decode_action(message), name) if name else message
    return _posted(message, shown, house)


def _posted(run: bytes, shown: bytes, house: House) -> Outcome:
    """Offer a batch whose last step ran one action and shows another."""
    forge = house.forge()
    forge.forged([], house.time_ms)
    forge.forged([run], house.time_ms)
    posting = forge.finish(house.place())
    return house.offer(offer_of(with_step(1, Step(house.time_ms, (shown,)), posting)))
