"""What one account takes home when the house is frozen: its claim, and what the claim is worth.

A claim opens an account leaf of the exit root, the leaves of the markets that it holds and, for
living options, those of their underlyings. Its worth is a pure function of these bytes and of the
terms that were fixed when the exit began, so it is the same whenever and by whomever it is filed.
Rules: docs/protocol.md, section 11.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, NamedTuple

from clearing.account_leaves import ACCOUNT_PIECES_MAX
from clearing.codes import Tag
from clearing.encoding import MalformedBytes
from clearing.holdings import PRICED_UNITS
from clearing.keccak import tagged_hash
from clearing.leaves import INSTRUMENT_PIECES_MAX
from clearing.units import (
    ACCOUNTS_DEPTH,
    CUSTODY_MAX,
    INDEX_SCALE,
    INSTRUMENTS_DEPTH,
    POSITIONS_MAX,
    SETTLEMENT_ASSET,
    SHARES_BASE,
    UNDERLYINGS_DEPTH,
    UNDERLYINGS_MAX,
)
from verifier.account_leaf import ProvenAccount, decode_account_leaf
from verifier.codec import HASH_BYTES, Canonical, Integer, Many, Raw, Words
from verifier.exit_leaves import (
    UNDERLYING_BYTES,
    AssetTerms,
    Market,
    PoolTerms,
    active_number,
    decode_market,
)
from verifier.multiproof import ProofError, root_from

Siblings = Annotated[
    tuple[bytes, ...],
    Many(Integer(2, 0, 3 * INSTRUMENTS_DEPTH * POSITIONS_MAX), Raw(HASH_BYTES)),
]
_ACCOUNT = Words(Integer(1, 3, ACCOUNT_PIECES_MAX // 4), HASH_BYTES)
_MARKET = Words(Integer(1, 3, INSTRUMENT_PIECES_MAX // 4), HASH_BYTES)
# The longest claim: 32 options of 8 underlyings, and all siblings.
CLAIM_BYTES_MAX = 128 * 1024


class Tree(NamedTuple):
    """A tree of the exit root: its root and how many leaves it has."""

    root: bytes
    size: int


class ExitTerms(NamedTuple):
    """What is fixed when an exit begins: the exit root's trees, assets and pools, and the times.

    `assets[a]` are those of asset a, the settlement asset's first with the custody alone. Claims
    that are filed up to block `claims_close` share first, late ones up to `late_close` share the
    surplus; nothing is paid after `ends`.
    """

    batch_id: bytes
    number: int
    inbox_count: int
    accounts: Tree
    instruments: Tree
    underlyings: Tree
    assets: tuple[AssetTerms, ...]
    pools: tuple[PoolTerms, ...]
    claims_close: int
    ends: int

    @property
    def late_close(self) -> int:
        """The last block in which a late claim may be filed; late ones are paid after it."""
        return late_close(self.claims_close, self.ends)


def late_close(claims_close: int, ends: int) -> int:
    """Return the block halfway between the close of the claims in time and the end of the exit."""
    return (claims_close + ends) // 2


class Worth(NamedTuple):
    """What an account's claim is worth, and to whom.

    `senior` and `junior` are micro-quote >= 0: equity without net unrealised profit, and that
    profit. `home` and `seized` are (asset, units) that go home in kind, and that a negative quote
    equity costs; `shares` are (pool, shares).
    """

    account: int
    recipient: bytes
    senior: int
    junior: int
    home: tuple[tuple[int, int], ...]
    seized: tuple[tuple[int, int], ...]
    shares: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class ExitClaim(Canonical):
    """An account's leaf with what it needs: leaves are bytes as hashed, sorted by index."""

    account: Annotated[bytes, _ACCOUNT]
    account_siblings: Siblings
    instruments: Annotated[tuple[bytes, ...], Many(Integer(1, 0, POSITIONS_MAX), _MARKET)]
    instrument_siblings: Siblings
    underlyings: Annotated[
        tuple[bytes, ...], Many(Integer(1, 0, UNDERLYINGS_MAX), Raw(UNDERLYING_BYTES))
    ]
    underlying_siblings: Siblings

    @classmethod
    def decode(cls, data: bytes) -> ExitClaim:
        """Inverse of `encode`. Raises ProofError unless the bytes are used up exactly."""
        if len(data) > CLAIM_BYTES_MAX:
            raise ProofError(
                f"expected a claim of at most {CLAIM_BYTES_MAX} bytes, was {len(data)}; build it "
                "again"
            )
        try:
            return super().decode(data)
        except MalformedBytes as error:
            raise ProofError(f"exit claim, {error}; build it again") from error


def worth_of(terms: ExitTerms, claim: ExitClaim) -> Worth:
    """Return what the claim is worth. Raises ProofError unless it opens the exit root."""
    account = _proven_account(terms, claim)
    prices = _prices(terms, claim, account)
    value, profit = account.cash, 0
    for position in account.positions:
        market, price = prices[position.instrument]
        moved = position.lots * (market.funding_index - position.funding_index)
        worth = position.lots * price - -(-moved // INDEX_SCALE)
        value += worth
        profit += worth - position.entry_cost
    junior = _bounded(min(max(profit, 0), value))
    senior = _bounded(value - max(0, min(profit, value))) if value > 0 else 0
    home, seized = _take(terms.assets, account, max(0, -value))
    shares = tuple(
        (held.asset - SHARES_BASE, held.amount)
        for held in account.collaterals
        if 0 <= held.asset - SHARES_BASE < len(terms.pools)
    )
    return Worth(account.id, account.recipient, senior, junior, home, seized, shares)


def _bounded(amount: int) -> int:
    """Keep an amount within what custody can be; a state that the law made is never beyond."""
    return max(0, min(amount, CUSTODY_MAX))


def _proven_account(terms: ExitTerms, claim: ExitClaim) -> ProvenAccount:
    account = decode_account_leaf(claim.account)
    if not 0 <= account.id < terms.accounts.size:
        raise ProofError(f"expected an account below {terms.accounts.size}, was {account.id}")
    hashed = [tagged_hash(Tag.ACCOUNT, claim.account)]
    _check("account", ACCOUNTS_DEPTH, terms.accounts, [account.id], hashed, claim.account_siblings)
    return account


def _prices(
    terms: ExitTerms, claim: ExitClaim, account: ProvenAccount
) -> dict[int, tuple[Market, int]]:
    """Return the markets that the account holds, each with the one price of a lot."""
    markets = [decode_market(leaf) for leaf in claim.instruments]
    held = [position.instrument for position in account.positions]
    _expect_ids("instruments", held, [market.id for market in markets])
    _check_leaves(
        "instruments", INSTRUMENTS_DEPTH, terms.instruments, held, claim.instruments,
        Tag.INSTRUMENT, claim.instrument_siblings,
    )  # fmt: skip
    needed = sorted({market.underlying for market in markets if market.needs_underlying})
    if len(needed) != len(claim.underlyings):
        raise ProofError(f"expected underlyings {needed}, was {len(claim.underlyings)} leaves")
    _check_leaves(
        "underlyings", UNDERLYINGS_DEPTH, terms.underlyings, needed, claim.underlyings,
        Tag.UNDERLYING, claim.underlying_siblings,
    )  # fmt: skip
    leaves = dict(zip(needed, claim.underlyings, strict=True))
    prices = {}
    for market in markets:
        number = 0
        if market.needs_underlying:
            number = active_number(leaves[market.underlying], market.series)
        prices[market.id] = market, market.price(number)
    return prices


def _check_leaves(
    what: str,
    depth: int,
    tree: Tree,
    ids: Sequence[int],
    leaves: Sequence[bytes],
    tag: Tag,
    siblings: Sequence[bytes],
) -> None:
    """Check leaves against their tree; without any there is nothing to prove it with."""
    if not ids:
        _expect_ids(f"siblings of {what}", [], list(siblings))
        return
    if not 0 <= ids[0] <= ids[-1] < tree.size:
        raise ProofError(f"expected {what} below {tree.size}, was {list(ids)}")
    _check(what, depth, tree, ids, [tagged_hash(tag, leaf) for leaf in leaves], siblings)


def _check(
    what: str,
    depth: int,
    tree: Tree,
    ids: Sequence[int],
    hashes: Sequence[bytes],
    siblings: Sequence[bytes],
) -> None:
    root = root_from(depth, tree.size, ids, hashes, siblings)
    if root != tree.root:
        raise ProofError(
            f"expected the {what} of root {tree.root.hex()}, was of {root.hex()}; prove against "
            "the exit root"
        )


def _expect_ids(what: str, expected: Sequence[int], was: Sequence[object]) -> None:
    if list(expected) != list(was):
        raise ProofError(
            f"expected {what} {list(expected)}, was {list(was)}; build the claim again"
        )


def _take(
    assets: Sequence[AssetTerms], account: ProvenAccount, owed: int
) -> tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]]:
    """Return (units that go home, units seized), by asset, of an account that owes micro-quote.

    Seized are as many units as cover what is owed, rounded up, in the order in which keepers would
    have to buy them: the smallest haircut first, then the lowest id. What has no price covers
    nothing.
    """
    held = {
        entry.asset: entry.amount
        for entry in account.collaterals
        if SETTLEMENT_ASSET < entry.asset < len(assets) and entry.amount > 0
    }
    seized = {}
    for asset in sorted(held, key=lambda number: (assets[number].haircut_ppm, number)):
        price = assets[asset].price
        if owed <= 0 or price <= 0:
            continue
        units = min(held[asset], -(-owed * PRICED_UNITS // price))
        owed -= value_of(units, price)
        seized[asset] = units
        held[asset] -= units
    home = tuple((asset, units) for asset, units in sorted(held.items()) if units > 0)
    return home, tuple(sorted(seized.items()))


def value_of(units: int, price: int) -> int:
    """Return what units of an asset are worth in micro-quote, rounded down."""
    return units * price // PRICED_UNITS
