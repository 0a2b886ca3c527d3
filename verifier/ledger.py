"""Who owns what on the base layer: its own currency, the settlement token, and nonces.

The base layer's currency (gwei) pays bonds and gas; the token (micro-quote) is what is deposited.
Nothing appears or vanishes but by a faucet and by burning, and both are counted.
"""

from __future__ import annotations

from typing import NamedTuple

from verifier.errors import CourtError, Refused, TransactionError
from verifier.undo import Cell, Table, UndoLog

MINTED_MAX = 1 << 62


class AccountView(NamedTuple):
    """One address: gwei, micro-quote of the token, and the next nonce."""

    native: int
    token: int
    nonce: int


class Ledger:
    """Balances of all addresses, on an undo log. Balances are never negative."""

    def __init__(self, log: UndoLog) -> None:
        self._native: Table[bytes, int] = Table(log)
        self._token: Table[bytes, int] = Table(log)
        self._nonces: Table[bytes, int] = Table(log)
        self.native_minted: Cell[int] = Cell(log, 0)
        self.token_minted: Cell[int] = Cell(log, 0)
        self.fees_burned: Cell[int] = Cell(log, 0)

    def account(self, address: bytes) -> AccountView:
        """Return what `address` has; zeros if it was never seen."""
        return AccountView(
            self._native.get(address) or 0,
            self._token.get(address) or 0,
            self._nonces.get(address) or 0,
        )

    def mint(self, address: bytes, native: int, token: int) -> None:
        """Create money for `address`: the faucet, and nothing else.

        Raises Refused(NO_FAUCET) once so much was made that sums could leave 64 bits.
        """
        minted = max(self.native_minted.value + native, self.token_minted.value + token)
        if minted > MINTED_MAX:
            raise Refused(
                TransactionError.NO_FAUCET,
                f"expected at most {MINTED_MAX} of either money in the world, was {minted}; "
                "ask for less",
            )
        self.native_minted.value += native
        self.token_minted.value += token
        self.add_native(address, native)
        self.add_token(address, token)

    def add_native(self, address: bytes, amount: int) -> None:
        """Give `amount` gwei >= 0 to `address`."""
        self._native[address] = (self._native.get(address) or 0) + amount

    def take_native(self, address: bytes, amount: int) -> None:
        """Take `amount` gwei. Raises Refused(INSUFFICIENT_BALANCE)."""
        balance = self._native.get(address) or 0
        if balance < amount:
            raise Refused(
                TransactionError.INSUFFICIENT_BALANCE,
                f"expected {amount} gwei at {address.hex()}, was {balance}; fund the address",
            )
        self._native[address] = balance - amount

    def burn_fee(self, address: bytes, amount: int) -> None:
        """Take a fee out of the world. Raises Refused(INSUFFICIENT_BALANCE)."""
        self.take_native(address, amount)
        self.fees_burned.value += amount

    def refund_fee(self, address: bytes, amount: int) -> None:
        """Give back what of a fee was not spent."""
        self.add_native(address, amount)
        self.fees_burned.value -= amount

    def add_token(self, address: bytes, amount: int) -> None:
        """Give `amount` micro-quote >= 0 to `address`."""
        self._token[address] = (self._token.get(address) or 0) + amount

    def take_token(self, address: bytes, amount: int) -> None:
        """Take `amount` micro-quote. Raises Refused(INSUFFICIENT_TOKENS)."""
        balance = self._token.get(address) or 0
        if balance < amount:
            raise Refused(
                CourtError.INSUFFICIENT_TOKENS,
                f"expected {amount} micro-quote at {address.hex()}, was {balance}; deposit less",
            )
        self._token[address] = balance - amount

    def use_nonce(self, address: bytes) -> None:
        """Count one transaction of `address`."""
        self._nonces[address] = (self._nonces.get(address) or 0) + 1

    def native_total(self) -> int:
        """Return the sum of all balances in gwei."""
        return sum(self._native.values())

    def token_total(self) -> int:
        """Return the sum of all balances in micro-quote."""
        return sum(self._token.values())
