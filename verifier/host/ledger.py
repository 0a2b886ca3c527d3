"""Who owns what on the base layer: its own currency, a token of each asset, and nonces.

The base layer's currency (gwei) pays bonds and gas; tokens are what is deposited: asset 0's units
are micro-quote, another asset's 1e-6 of one.
Nothing appears or vanishes but by a faucet and by burning, and both are counted. An address may be
a contract that takes no money: whoever pays it fails, alone.
"""

from __future__ import annotations

from typing import NamedTuple

from clearing.units import ASSETS_MAX, SETTLEMENT_ASSET
from verifier.errors import CourtError, Refused, TransactionError, require
from verifier.host.storage import Cell, Table, UndoLog

MINTED_MAX = 1 << 62


class AccountView(NamedTuple):
    """One address: gwei, units of the token that was asked for, and the next nonce."""

    native: int
    token: int
    nonce: int


class Ledger:
    """Balances of all addresses, on an undo log. Balances are never negative."""

    def __init__(self, log: UndoLog) -> None:
        self._native: Table[bytes, int] = Table(log)
        self._tokens: tuple[Table[bytes, int], ...] = tuple(Table(log) for _ in range(ASSETS_MAX))
        self._nonces: Table[bytes, int] = Table(log)
        self.native_minted: Cell[int] = Cell(log, 0)
        self._minted: Table[int, int] = Table(log)
        self.fees_burned: Cell[int] = Cell(log, 0)
        self.takes_nothing: set[bytes] = set()  # contracts that refuse every payment

    def token_minted(self, asset: int = SETTLEMENT_ASSET) -> int:
        """Return how many units of an asset's token were ever made."""
        return self._minted.get(asset) or 0

    def account(self, address: bytes, asset: int = SETTLEMENT_ASSET) -> AccountView:
        """Return what `address` has, its token being that of `asset`; zeros if never seen."""
        return AccountView(
            self._native.get(address) or 0,
            (self._tokens[asset].get(address) or 0) if asset < ASSETS_MAX else 0,
            self._nonces.get(address) or 0,
        )

    def mint(self, address: bytes, native: int, token: int, asset: int = SETTLEMENT_ASSET) -> None:
        """Create money for `address`, `token` of it in an asset's: the faucet, and nothing else.

        Raises Refused(UNKNOWN_ASSET), or Refused(NO_FAUCET) once so much was made that sums could
        leave 64 bits.
        """
        check_asset(asset)
        minted = max(self.native_minted.value + native, self.token_minted(asset) + token)
        if minted > MINTED_MAX:
            raise Refused(
                TransactionError.NO_FAUCET,
                f"expected at most {MINTED_MAX} of either money in the world, was {minted}; "
                "ask for less",
            )
        self.native_minted.value += native
        self._minted[asset] = self.token_minted(asset) + token
        self.add_native(address, native)
        self.add_token(address, token, asset)

    def add_native(self, address: bytes, amount: int) -> None:
        """Give `amount` gwei >= 0 to `address`. Raises Refused(RECEIVER_REFUSES)."""
        self._check_takes(address)
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
        """Give back what of a fee was not spent; no contract runs, so none can refuse it."""
        self._native[address] = (self._native.get(address) or 0) + amount
        self.fees_burned.value -= amount

    def add_token(self, address: bytes, amount: int, asset: int = SETTLEMENT_ASSET) -> None:
        """Give `amount` units >= 0 of an asset's token to `address`.

        Raises Refused(RECEIVER_REFUSES).
        """
        self._check_takes(address)
        self._tokens[asset][address] = (self._tokens[asset].get(address) or 0) + amount

    def take_token(self, address: bytes, amount: int, asset: int = SETTLEMENT_ASSET) -> None:
        """Take `amount` units of an asset's token. Raises Refused(INSUFFICIENT_TOKENS)."""
        balance = self._tokens[asset].get(address) or 0
        require(balance >= amount, CourtError.INSUFFICIENT_TOKENS, amount, asset, address, balance)
        self._tokens[asset][address] = balance - amount

    def _check_takes(self, address: bytes) -> None:
        if address in self.takes_nothing:
            raise Refused(
                TransactionError.RECEIVER_REFUSES,
                f"expected {address.hex()} to take money, was a contract that refuses it; what it "
                "is owed waits until it does",
            )

    def use_nonce(self, address: bytes) -> None:
        """Count one transaction of `address`."""
        self._nonces[address] = (self._nonces.get(address) or 0) + 1

    def native_total(self) -> int:
        """Return the sum of all balances in gwei."""
        return sum(self._native.values())

    def token_total(self, asset: int = SETTLEMENT_ASSET) -> int:
        """Return the sum of all balances of an asset's token."""
        return sum(self._tokens[asset].values())


def check_asset(asset: int) -> None:
    """Raise Refused(UNKNOWN_ASSET) for an asset that no law can list."""
    known = SETTLEMENT_ASSET <= asset < ASSETS_MAX
    require(known, CourtError.UNKNOWN_ASSET, ASSETS_MAX - 1, asset)
