"""One call of the court: who makes it, in which block, and with how much gas."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from verifier.host import gas


@dataclass(frozen=True, slots=True)
class BlockContext:
    """The block that a call runs in. `hash_of(n)` is the hash of canonical block n below
    this one, or None."""

    number: int
    time_ms: int
    hash_of: Callable[[int], bytes | None]


@dataclass(frozen=True, slots=True)
class Call:
    """Who calls, in which block, what of the gas is left, and what each costs in gwei."""

    sender: bytes
    block: BlockContext
    meter: gas.GasMeter
    fee_per_gas: int
