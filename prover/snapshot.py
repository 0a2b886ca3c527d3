"""The whole state in one file, checked against a root: where newcomers begin instead of genesis.

```
"NVSS", u32 version=1, u64 batch number, 32 batch id, 32 state root,
then for globals, params, funds, accounts, pages, instruments, assets, pools, underlyings and
withdrawals: u32 n, n * (u16 words, leaf)
```
Leaves are the bytes that the state tree hashes, so a snapshot can be trusted as far as the root
that it is compared with: whoever reads one recomputes the root from the leaves and asks the base
layer for the batch's. Whether the batch is final is the base layer's to say.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from clearing.genesis import Genesis
from clearing.keccak import pieces
from clearing.units import PAGES_MAX
from prover.engine import Engine
from verifier.errors import VerifierError
from verifier.escrow import WithdrawalLeaf
from verifier.multiproof import ProofError
from verifier.witness_leaves import (
    ACCOUNT,
    ASSET,
    FUND,
    INSTRUMENT,
    PAGE,
    PARAMS,
    POOL,
    UNDERLYING,
    WITHDRAWAL,
    WitnessError,
    WitnessLeaves,
    fill_state,
    leaf_bytes,
)
from verifier.witness_state import NO_ID

MAGIC = b"NVSS"
VERSION = 1
WORD_BYTES = 32
CHUNK = 512  # leaves that are encoded at a time

# What the globals count of each section: there is one of globals and params, and of pages any.
_COUNTED = (
    "", "", "fund", "account", "", "instrument", "asset", "pool", "underlying", "withdrawal",
)  # fmt: skip
_HEAD = struct.Struct(">4sIQ32s32s")
_COUNT = struct.Struct(">I")
_WORDS = struct.Struct(">H")


class SnapshotError(VerifierError):
    """A snapshot is damaged, of another chain, or not of the root that it claims."""


@dataclass(frozen=True)
class Snapshot:
    """What a snapshot says it is: the state after a batch."""

    number: int
    batch_id: bytes
    root: bytes


def take_snapshot(engine: Engine, number: int, batch_id: bytes) -> bytes:
    """Return the snapshot of the state that the engine stands in, after batch ``number``."""
    totals, state = engine.totals, cast(Any, engine.state)
    accounts = int(totals.account_count)
    pages = [
        int(state.accounts[account].page_rows[page])
        for account in range(accounts)
        for page in range(PAGES_MAX)
        if int(state.accounts[account].page_mask) >> page & 1
    ]
    sections: list[Iterator[bytes]] = [
        iter([engine.opening().globals_leaf]),
        *(
            _leaves(engine, kind, rows)
            for kind, rows in (
                (PARAMS, range(1)),
                (FUND, range(int(totals.fund_count))),
                (ACCOUNT, range(accounts)),
                (PAGE, pages),
                (INSTRUMENT, range(int(totals.instrument_count))),
                (ASSET, range(int(totals.asset_count))),
                (POOL, range(int(totals.pool_count))),
                (UNDERLYING, range(int(totals.underlying_count))),
                (WITHDRAWAL, range(int(totals.withdrawal_count))),
            )
        ),
    ]
    head = _HEAD.pack(MAGIC, VERSION, number, batch_id, engine.root())
    return head + b"".join(_section(list(leaves)) for leaves in sections)


def describe(data: bytes) -> Snapshot:
    """Return what the head of a snapshot claims. Raises SnapshotError."""
    if len(data) < _HEAD.size:
        raise _damaged(f"at least {_HEAD.size} bytes", len(data))
    magic, version, number, batch_id, root = _HEAD.unpack_from(data)
    if magic != MAGIC or version != VERSION:
        raise _damaged(f"a snapshot of version {VERSION}", f"{magic.hex()}, version {version}")
    return Snapshot(number, batch_id, root)


def load_snapshot(genesis: Genesis, data: bytes) -> tuple[Engine, Snapshot]:
    """Return an engine that stands in the snapshot's state, and what it claims to be.

    Raises SnapshotError unless the leaves are those of the claimed root, of this genesis's chain.
    """
    claimed = describe(data)
    sections = _read_sections(data)
    accounts, pages, instruments, withdrawals = (len(sections[place]) for place in (3, 4, 5, 9))
    engine = Engine(genesis, max(accounts, 1), max(pages, 1))
    domain = engine.totals.domain.copy()
    engine.make_room(accounts, withdrawals, instruments, pages)
    try:
        engine.edit(lambda state: _fill(state, sections))
    except (WitnessError, ProofError) as error:
        raise SnapshotError(f"snapshot of batch {claimed.number}: {error}") from error
    except (ValueError, IndexError) as error:
        raise _damaged("leaves that fit a state", error) from error
    if engine.root() != claimed.root:
        raise _damaged(f"leaves of root {claimed.root.hex()}", engine.root().hex())
    _check_counts(engine, sections)
    if not np.array_equal(engine.totals.domain, domain):
        raise SnapshotError(
            f"snapshot of batch {claimed.number}: expected one of the genesis's chain, was one of "
            "another domain. Next: name the genesis file of the chain that it was taken of."
        )
    return engine, claimed


def _fill(state: Any, sections: Sequence[Sequence[bytes]]) -> None:
    """Write the leaves into a state's rows; its id arrays stay empty, as in every whole state."""
    named = state._replace(
        account_ids=np.full(state.accounts.shape[0], NO_ID, np.int64),
        instrument_ids=np.full(state.instruments.shape[0], NO_ID, np.int64),
        underlying_ids=np.full(state.underlyings.shape[0], NO_ID, np.int64),
    )
    names = WitnessLeaves.__dataclass_fields__
    by_name = dict(zip(names, (sections[0][0], sections[1][0], *sections[2:9]), strict=True))
    fill_state(named, WitnessLeaves(**{name: _as_field(leaf) for name, leaf in by_name.items()}))
    for place, encoded in enumerate(sections[9]):
        leaf, row = WithdrawalLeaf.decode(encoded), state.withdrawals[place]
        row.index, row.asset, row.amount, row.account = (
            leaf.index,
            leaf.asset,
            leaf.amount,
            leaf.account,
        )
        row.recipient = pieces(bytes(12) + leaf.recipient)
    # The rows are the whole state's: withdrawal 0 stands in row 0, and nothing is spare.
    scratch = state.scratch[0]
    scratch.withdrawal_base = scratch.spare_account = scratch.spare_instrument = 0


def _check_counts(engine: Engine, sections: Sequence[Sequence[bytes]]) -> None:
    """Raise SnapshotError for a missing leaf, though the genesis state had filled its place."""
    totals = engine.totals
    for place, name in enumerate(_COUNTED):
        if name and len(sections[place]) != int(getattr(totals, f"{name}_count")):
            raise _damaged(f"a leaf of every {name}", f"{len(sections[place])} of them")


def _as_field(leaves: Any) -> Any:
    return leaves if isinstance(leaves, bytes) else tuple(leaves)


def _leaves(engine: Engine, kind: int, rows: Sequence[int]) -> Iterator[bytes]:
    for first in range(0, len(rows), CHUNK):
        yield from leaf_bytes(engine.state, kind, rows[first : first + CHUNK])


def _section(leaves: Sequence[bytes]) -> bytes:
    return _COUNT.pack(len(leaves)) + b"".join(
        _WORDS.pack(len(leaf) // WORD_BYTES) + leaf for leaf in leaves
    )


def _read_sections(data: bytes) -> list[list[bytes]]:
    offset, sections = _HEAD.size, []
    for _ in range(10):
        if offset + _COUNT.size > len(data):
            raise _damaged("ten sections", "the end of the file")
        (count,) = _COUNT.unpack_from(data, offset)
        offset += _COUNT.size
        leaves: list[bytes] = []
        for _ in range(count):
            if offset + _WORDS.size > len(data):
                raise _damaged(f"{count} leaves in a section", len(leaves))
            (words,) = _WORDS.unpack_from(data, offset)
            offset += _WORDS.size + WORD_BYTES * words
            leaves.append(data[offset - WORD_BYTES * words : offset])
        sections.append(leaves)
    if offset != len(data) or len(sections[0]) != 1 or len(sections[1]) != 1:
        raise _damaged(f"one globals and one params leaf, and {len(data)} bytes", offset)
    return sections


def _damaged(expected: str, was: object) -> SnapshotError:
    return SnapshotError(
        f"snapshot: expected {expected}, was {was}. Next: take it from another source, or rebuild "
        "the state from the base layer."
    )
