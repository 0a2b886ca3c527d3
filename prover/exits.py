"""Claims for an exit, built from the state that stands at the exit root.

Whoever has that state (his own node's, or one rebuilt from the base layer alone) can file for every
account; nobody's key is needed. `verifier.exit_claim` judges what is built here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from clearing.codes import InstrumentKind, InstrumentStatus
from prover.commit import ACCOUNTS, INSTRUMENTS, UNDERLYINGS
from prover.engine import Engine
from verifier.exit_claim import ExitClaim
from verifier.exit_opening import ExitOpening
from verifier.witness_leaves import ACCOUNT, ASSET, INSTRUMENT, POOL, UNDERLYING, leaf_bytes


def exit_opening(engine: Engine) -> ExitOpening:
    """Return what begins an exit at the state that the engine stands in."""
    totals = engine.totals
    return ExitOpening(
        engine.opening().encode(),
        leaf_bytes(engine.state, ASSET, range(int(totals.asset_count))),
        leaf_bytes(engine.state, POOL, range(int(totals.pool_count))),
    )


def exit_claim(engine: Engine, account: int) -> ExitClaim:
    """Return the claim of an account. Raises KeyError if there is no such account."""
    totals, forest, state = engine.totals, engine.forest, cast(Any, engine.state)
    count = int(totals.account_count)
    if not 0 <= account < count:
        raise KeyError(f"expected an account below {count}, was {account}")
    row = state.accounts[account]
    held = [int(one.instrument) for one in row.positions[: row.position_count]]
    underlyings = sorted(
        {
            int(market.underlying)
            for market in state.instruments[held]
            if market.kind >= InstrumentKind.CALL and market.status < InstrumentStatus.SETTLING
        }
    )
    proofs = (
        (ACCOUNTS, count, [account]),
        (INSTRUMENTS, int(totals.instrument_count), held),
        (UNDERLYINGS, int(totals.underlying_count), underlyings),
    )
    siblings = [
        tuple(forest.siblings(tree, size, ids)) if ids else () for tree, size, ids in proofs
    ]
    return ExitClaim(
        leaf_bytes(engine.state, ACCOUNT, [account])[0],
        siblings[0],
        leaf_bytes(engine.state, INSTRUMENT, held),
        siblings[1],
        leaf_bytes(engine.state, UNDERLYING, underlyings),
        siblings[2],
    )


def has_claim(engine: Engine, account: int) -> bool:
    """Say whether an account holds anything at all: cash, a position or units."""
    row = cast(Any, engine.state).accounts[account]
    return bool(row.cash != 0 or row.position_count or row.collateral_count)


def claimants(engine: Engine) -> Iterator[int]:
    """Yield the accounts that hold anything, those of pools first: their shares wait for them."""
    state = cast(Any, engine.state)
    pools = state.pools[: int(engine.totals.pool_count)]
    first = [int(account) for pool in pools for account in (pool.account, pool.sleeve)]
    yield from first
    for account in range(int(engine.totals.account_count)):
        if account not in first and has_claim(engine, account):
            yield account
