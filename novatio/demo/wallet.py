"""Sending transactions to the base layer and waiting for what becomes of them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from clearing.keys import address_of
from verifier.base.interface import BaseLayer, Receipt
from verifier.base.transactions import Body, Transaction
from verifier.errors import Refused

__all__ = ["TransactionFailed", "Wallet"]

FEE_PER_GAS: Final = 2
POLL_SECONDS: Final = 0.05


class TransactionFailed(RuntimeError):
    """A transaction was refused, failed on its block, or found no block in time."""


class Wallet:
    """One key on the base layer. Not safe for threads."""

    def __init__(self, base: BaseLayer, key: bytes) -> None:
        self.address = address_of(key)
        self._base = base
        self._key = key
        self._config = base.config()

    def signed(self, body: Body, nonce: int, gas_limit: int) -> bytes:
        """Return a transaction of `body`, signed."""
        config = self._config
        transaction = Transaction(
            config.chain_id, config.settlement, nonce, gas_limit, FEE_PER_GAS, body
        )
        return transaction.sign(self._key)

    def submit(self, bodies: Sequence[Body]) -> list[bytes]:
        """Hand in transactions with successive nonces; return their hashes.

        Raises TransactionFailed if the base layer refuses one.
        """
        nonce = self._base.account(self.address).nonce
        try:
            return [
                self._base.submit(self.signed(body, nonce + place, self._gas_limit(len(bodies))))
                for place, body in enumerate(bodies)
            ]
        except Refused as error:
            raise TransactionFailed(f"base layer, {self.address.hex()}: {error}") from error

    def wait(self, hashes: Sequence[bytes], seconds: float) -> list[Receipt]:
        """Return the receipts once all of them are on blocks. Raises TransactionFailed."""
        limit = time.monotonic() + seconds
        found: list[Receipt] = []
        for one in hashes:
            while (receipt := self._base.receipt(one)) is None:
                if time.monotonic() > limit:
                    raise TransactionFailed(
                        f"expected transaction {one.hex()} on a block within {seconds} s, was on "
                        "none; see the log of the base layer"
                    )
                time.sleep(POLL_SECONDS)
            found.append(receipt)
        return found

    def execute(self, bodies: Sequence[Body], seconds: float = 20.0) -> list[Receipt]:
        """Submit, wait, and insist on success. Raises TransactionFailed."""
        receipts = self.wait(self.submit(bodies), seconds)
        for receipt in receipts:
            if receipt.error is not None:
                raise TransactionFailed(
                    f"expected {receipt.kind.name} to succeed, was {receipt.error}: {receipt.text}"
                )
        return receipts

    def _gas_limit(self, count: int) -> int:
        """What one of `count` transactions may take so that they share a block."""
        return min(self._config.block_gas_limit // max(count, 2), self._config.block_gas_limit)
