"""Changes of the law's parameters as people write them, and what the law takes for them.

    record = params_record(client.params().record)
    changed = changed_params(record, {"price_band_ppm": 60_000, "tiers.0.initial_ppm": 62_500})
    client.govern(Kind.SET_PARAMS, payload=payload_of(changed))

A change names a field of ``clearing.records.Params``; ``tiers.0.initial_ppm`` is a number of a
tier, ``governance`` or ``publishers.2`` an address in hex. The same changes make the same payload
until parameters are enacted: what is announced today is enacted from the same file in two weeks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from clearing.genesis import word
from clearing.keccak import pieces, to_bytes
from clearing.layout import pieces_of
from clearing.leaves import PARAMS_FIELDS
from clearing.parameter_checks import GREATEST, LEAST
from clearing.records import PARAMS
from novatio.errors import BadRequest

if TYPE_CHECKING:
    from risk.proposals import Market, Policy, Proposal

__all__ = [
    "changed_params",
    "differences",
    "flat",
    "market_payload",
    "params_record",
    "payload_of",
    "propose",
]

ADDRESS_BYTES = 20
SYMBOL_BYTES = 32
Change = int | str


def params_record(fields: Iterable[int]) -> Any:
    """Return the record of parameters of which a node told the fields. Raises BadRequest."""
    row = np.array(list(fields), np.int64)
    if row.shape[0] != PARAMS_FIELDS:
        raise BadRequest(f"parameters: expected {PARAMS_FIELDS} fields, was {row.shape[0]}")
    return cast(Any, row.view(PARAMS).view(np.recarray))[0]


def payload_of(record: Any) -> tuple[int, ...]:
    """Return the payload of set params and enact for a record."""
    return tuple(pieces_of(np.array([record], PARAMS))[0].tolist())


def changed_params(record: Any, changes: Mapping[str, Change]) -> Any:
    """Return the next version of a record, with nothing pending and these changes.

    Raises BadRequest naming a change that names no parameter, or whose value is of another type.
    """
    changed = params_record(payload_of(record))
    changed.version += 1
    changed.pending_time = 0
    changed.pending_hash = 0
    for path, value in changes.items():
        _set(changed, path, value)
    return changed


def _set(record: Any, path: str, value: Change) -> None:
    name, *rest = path.split(".")
    fields: Any = PARAMS.fields
    try:
        if name in ("governance", "guardian") and not rest:
            record[name] = _address(path, value)
        elif name == "publishers" and len(rest) == 1:
            record["publishers"][_index(rest[0])]["address"] = _address(path, value)
        elif name == "tiers" and len(rest) == 2:
            record["tiers"][_index(rest[0])][rest[1]] = _number(path, value)
        elif not rest and fields[name][0] == np.int64:
            record[name] = _number(path, value)
        else:
            raise KeyError(path)
    except (KeyError, IndexError, ValueError) as error:
        raise BadRequest(
            f"parameter {path}: expected a number of the parameters, one of a tier "
            "(tiers.0.initial_ppm), governance, guardian or publishers.0"
        ) from error


def _index(text: str) -> int:
    if not text.isdecimal():
        raise KeyError(text)
    return int(text)


def _number(path: str, value: Change) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 1 << 63:
        raise BadRequest(f"parameter {path}: expected an integer of 64 bits, was {value!r}")
    return value


def _address(path: str, value: Change) -> Any:
    text = value.removeprefix("0x") if isinstance(value, str) else ""
    try:
        address = bytes.fromhex(text)
    except ValueError:
        address = b""
    if len(address) != ADDRESS_BYTES:
        raise BadRequest(f"parameter {path}: expected an address in hex, was {value!r}")
    return word(address)


def flat(record: Any) -> dict[str, Change]:
    """Return every parameter by the path that a change names it by; unused tiers are left out."""
    found: dict[str, Change] = {}
    for name in PARAMS.names or ():
        if name == "tiers":
            for i in range(int(record.tier_count)):
                for part in record.tiers.dtype.names:
                    found[f"tiers.{i}.{part}"] = int(record.tiers[i][part])
        elif name == "publishers":
            for i in range(int(record.publisher_count)):
                found[f"publishers.{i}"] = _hex(record.publishers[i].address)
        elif name in ("governance", "guardian"):
            found[name] = _hex(record[name])
        elif name == "pending_hash":
            found[name] = "0x" + to_bytes(record[name]).hex()
        else:
            found[name] = int(record[name])
    return found


def _hex(address: Any) -> str:
    return "0x" + to_bytes(address)[12:].hex()


def differences(before: Any, after: Any) -> list[tuple[str, Change, Change]]:
    """Return (path, before, after) of every parameter that differs; one that is new was 0."""
    old, new = flat(before), flat(after)
    return [(path, old.get(path, 0), new[path]) for path in new if old.get(path, 0) != new[path]]


def propose(record: Any, tier: int, market: Market, policy: Policy | None = None) -> list[Proposal]:
    """Return what the models would change of a tier, within one legal step. Imposes nothing.

    Raises BadRequest for a tier that is not in use, ValueError for forecasts that make no sense.
    """
    from risk.proposals import FIELDS, Bounds, TierParameters
    from risk.proposals import propose as from_forecasts

    if not 0 <= tier < int(record.tier_count):
        raise BadRequest(f"tier: expected 0 .. {int(record.tier_count) - 1}, was {tier}")
    row = record.tiers[tier]
    names = [name for name in FIELDS if name in row.dtype.names]
    current = TierParameters(**{name: int(row[name]) for name in names}, position_cap=0)
    step = int(record.parameter_step_ppm)
    bounds: dict[Any, Bounds] = {"position_cap": Bounds(0, 0, 0)}  # a market's, not a tier's
    start = cast(Any, PARAMS.fields)["tiers"][1] // 8
    for name in names:
        place = start + row.dtype.fields[name][1] // 8
        least = int(LEAST[place])
        if name == "maintenance_ppm":
            costs = max(int(record.liquidation_penalty_ppm), int(row.penalty_max_ppm))
            least = costs + int(record.insurance_fee_ppm) + 1
        bounds[name] = Bounds(least, int(GREATEST[place]), step)
    return from_forecasts(current, market, bounds, policy)


def market_payload(symbol: str, numbers: Sequence[int]) -> tuple[int, ...]:
    """Return the payload of a listing: the ten numbers in the law's order, then the symbol.

    Raises BadRequest for a symbol that is not 1 .. 32 ASCII characters.
    """
    if not symbol.isascii() or not 0 < len(symbol) <= SYMBOL_BYTES:
        raise BadRequest(f"symbol: expected 1 .. {SYMBOL_BYTES} ASCII characters, was {symbol!r}")
    return (*numbers, *pieces(symbol.encode().ljust(SYMBOL_BYTES, b"\0")).tolist())
