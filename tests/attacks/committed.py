"""Evidence over states that no engine holds: a proposer may commit to any root at all.

Leaves are chosen freely and siblings are made up; the prior root is whatever they hash to. So what
the court meets here passed every check of hashes, as it would for a liar who posts the state first.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from clearing.decode import decode, pack
from clearing.keccak import pieces
from clearing.messages import action_hash, decode_step, encode_step, step_hash
from clearing.units import (
    ACCOUNTS_DEPTH,
    INSTRUMENTS_DEPTH,
    LAW_VERSION,
    UNDERLYINGS_DEPTH,
    WITHDRAWALS_DEPTH,
)
from prover.engine import Engine
from prover.forge import Place
from tests.prover.market import PROPOSER
from verifier.batch import GLOBALS_BYTES, data_hash, steps_root
from verifier.evidence import Evidence
from verifier.header import DATA_INLINE, Header
from verifier.multiproof import ABSENT, root_from, siblings_needed
from verifier.read_set import (
    accounts_read,
    instruments_read,
    names_of,
    targets,
    underlyings_read,
)
from verifier.witness_leaves import (
    ACCOUNT,
    ASSET,
    FUND,
    INSTRUMENT,
    PAGE,
    PARAMS,
    POOL,
    UNDERLYING,
    leaf_bytes,
)
from verifier.witness_state import WitnessState

PLACE = Place(0, 1, b"\x01" * 32, 9, b"\x02" * 32, PROPOSER)
MADE_UP = b"\x5a" * 32


def header_of(pre_root: bytes, step: bytes, post_root: bytes) -> Header:
    """The header of a batch of one step."""
    pair = (hash_of(step), post_root)
    data = b"".join(pair) + step
    return Header(
        LAW_VERSION, 31_337, b"\x5e" * 20, 0, 1, PLACE.parent_id, 9, PLACE.base_hash, pre_root,
        post_root,
        steps_root([pair]), 1, DATA_INLINE, data_hash(data), len(data), PROPOSER,
    )  # fmt: skip


def hash_of(step: bytes) -> bytes:
    time, actions = decode_step(step)
    return step_hash(time, [action_hash(action) for action in actions])


def count_of(leaf: bytes, piece: int) -> int:
    return int.from_bytes(leaf[8 * piece : 8 * piece + 8], "big", signed=True)


def with_piece(leaf: bytes, piece: int, value: int) -> bytes:
    """The leaf with one piece replaced."""
    return leaf[: 8 * piece] + (value % (1 << 64)).to_bytes(8, "big") + leaf[8 * piece + 8 :]


def evidence_over(
    engine: Engine, actions: Sequence[bytes], time: int, post_root: bytes = MADE_UP
) -> Evidence:
    """Evidence of one step with the leaves that the engine holds; roots are not made yet."""
    columns = decode(*pack(actions), engine.totals.domain.copy())
    names = names_of(columns, 0, columns.action_count)
    totals, state = engine.totals, engine.state
    pools = state.pools[: int(totals.pool_count)]
    count = int(totals.account_count)
    funded: Any = instruments_read(names, int(totals.instrument_count), ())
    funded = state.instruments[funded]
    full, accounts = accounts_read(names, count, pools, funded)  # type: ignore[arg-type]
    valued = state.accounts[full]  # type: ignore[call-overload]
    instruments = instruments_read(names, int(totals.instrument_count), valued)
    markets = state.instruments[instruments]  # type: ignore[call-overload]
    underlyings = underlyings_read(names, int(totals.underlying_count), valued, markets)
    pages = [
        int(state.accounts[id].page_rows[number])
        for id, number in sorted(names.pages)
        if id in accounts and int(state.accounts[id].page_mask) >> number & 1
    ]
    return Evidence(
        header=bytes(384),
        step=0,
        prior_step_hash=bytes(32),
        prior_root=bytes(32),
        post_root=post_root,
        record_siblings=(),
        step_bytes=encode_step(time, actions),
        globals_leaf=engine.opening().globals_leaf,
        params_leaf=leaf_bytes(state, PARAMS, [0])[0],
        funds=leaf_bytes(state, FUND, range(int(totals.fund_count))),
        accounts=leaf_bytes(state, ACCOUNT, accounts),
        pages=leaf_bytes(state, PAGE, pages),
        instruments=leaf_bytes(state, INSTRUMENT, instruments),
        assets=leaf_bytes(state, ASSET, range(int(totals.asset_count))),
        pools=leaf_bytes(state, POOL, range(int(totals.pool_count))),
        underlyings=leaf_bytes(state, UNDERLYING, underlyings),
        account_siblings=(),
        instrument_siblings=(),
        underlying_siblings=(),
        withdrawal_siblings=(),
    )


def made_up(depth: int, count: int, at: Sequence[int]) -> tuple[bytes, ...]:
    return (MADE_UP,) * len(siblings_needed(depth, count, at))


def committed(evidence: Evidence) -> tuple[Header, Evidence]:
    """Make siblings up, and header and roots to match: the batch of a liar, and its evidence.

    Raises VerifierError where no root can stand for the leaves.
    """
    totals = evidence.globals_leaf
    assert len(totals) == GLOBALS_BYTES
    account_count, instrument_count = count_of(totals, 3), count_of(totals, 4)
    withdrawal_count = count_of(totals, 6)
    _, actions = decode_step(evidence.step_bytes)
    names = names_of(decode(*pack(actions), pieces(totals[192:224])), 0, len(actions))
    ids = [count_of(leaf, 1) for leaf in evidence.accounts]
    account_at = ids + targets(frozenset(), account_count, names.openings, 4**ACCOUNTS_DEPTH)
    at = targets(frozenset(), withdrawal_count, names.withdrawals, 4**WITHDRAWALS_DEPTH)
    markets = [count_of(leaf, 1) for leaf in evidence.instruments]
    markets += targets(frozenset(), instrument_count, names.listings, 4**INSTRUMENTS_DEPTH)
    underlyings = [count_of(leaf, 1) for leaf in evidence.underlyings]
    underlying_count = count_of(totals, 30)
    complete = replace(
        evidence,
        account_siblings=made_up(ACCOUNTS_DEPTH, account_count, account_at),
        instrument_siblings=made_up(INSTRUMENTS_DEPTH, instrument_count, markets),
        underlying_siblings=made_up(UNDERLYINGS_DEPTH, underlying_count, underlyings),
        withdrawal_siblings=made_up(WITHDRAWALS_DEPTH, withdrawal_count, at),
    )
    state = WitnessState(complete.leaves())
    state.state.globals[0].withdrawals_root = pieces(
        withdrawals_root(withdrawal_count, at, complete.withdrawal_siblings)
    )
    prior = state.root(names, complete.siblings())
    leaf = totals[:160] + withdrawals_root(
        withdrawal_count, at, complete.withdrawal_siblings
    ) + totals[192:]  # fmt: skip
    header = header_of(prior, complete.step_bytes, complete.post_root)
    return header, replace(complete, header=header.encode(), prior_root=prior, globals_leaf=leaf)


def withdrawals_root(count: int, at: Sequence[int], siblings: Sequence[bytes]) -> bytes:
    """The root that made-up siblings give a tree of which the step reads no leaf."""
    return root_from(WITHDRAWALS_DEPTH, count, at, [ABSENT] * len(at), siblings)
