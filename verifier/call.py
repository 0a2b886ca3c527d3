"""One call of the court: who makes it, when, and with how much gas."""

from __future__ import annotations

from dataclasses import dataclass

from verifier import gas
from verifier.posting import BlockContext


@dataclass(frozen=True, slots=True)
class Call:
    """Who calls, in which block, what of the gas is left, and what each costs in gwei."""

    sender: bytes
    block: BlockContext
    meter: gas.GasMeter
    fee_per_gas: int
