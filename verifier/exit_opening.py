"""What begins an exit: the exit root opened, with the leaves of its assets and pools."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Annotated

from clearing.codes import Tag
from clearing.encoding import MalformedBytes
from clearing.keccak import tagged_hash
from clearing.leaves import ASSET_PIECES, POOL_PIECES
from clearing.units import ASSETS_DEPTH, ASSETS_MAX, POOLS_DEPTH, POOLS_MAX
from verifier.batch import OPENING_BYTES, Opening
from verifier.batches import BatchRecord
from verifier.codec import Canonical, Integer, Many, Raw
from verifier.exit_claim import ExitTerms, Tree
from verifier.exit_leaves import PIECE_BYTES, AssetTerms, decode_asset, decode_pool
from verifier.multiproof import ProofError, dense_root

ASSET_BYTES = PIECE_BYTES * ASSET_PIECES
POOL_BYTES = PIECE_BYTES * POOL_PIECES
_COUNTS = struct.Struct(">qqq")  # assets, pools, underlyings: pieces 28 to 30 of the globals
_COUNTS_AT = 28 * PIECE_BYTES


@dataclass(frozen=True)
class ExitOpening(Canonical):
    """The opening of the exit root, 576 bytes, and every asset and pool leaf as hashed."""

    opening: Annotated[bytes, Raw(OPENING_BYTES)]
    assets: Annotated[tuple[bytes, ...], Many(Integer(1, 0, ASSETS_MAX), Raw(ASSET_BYTES))]
    pools: Annotated[tuple[bytes, ...], Many(Integer(1, 0, POOLS_MAX), Raw(POOL_BYTES))]

    @classmethod
    def decode(cls, data: bytes) -> ExitOpening:
        """Inverse of `encode`. Raises ProofError unless the bytes are used up exactly."""
        try:
            return super().decode(data)
        except MalformedBytes as error:
            raise ProofError(f"exit opening, {error}; build it again") from error


def terms_of(record: BatchRecord, encoded: bytes, claims_close: int, ends: int) -> ExitTerms:
    """Return the terms of an exit at the state of `record`.

    Raises ProofError unless `encoded` opens its root with all assets and pools.
    """
    opened = ExitOpening.decode(encoded)
    opening = Opening.decode(opened.opening)
    if opening.state_root() != record.post_root:
        raise ProofError(
            f"expected the opening of root {record.post_root.hex()}, was of "
            f"{opening.state_root().hex()}; open the last final batch"
        )
    totals = opening.globals()
    assets, pools, underlyings = _COUNTS.unpack_from(opening.globals_leaf, _COUNTS_AT)
    _check_all("assets", Tag.ASSET, ASSETS_DEPTH, opened.assets, assets, opening)
    _check_all("pools", Tag.POOL, POOLS_DEPTH, opened.pools, pools, opening)
    collaterals = tuple(decode_asset(leaf) for leaf in opened.assets[1:])
    return ExitTerms(
        batch_id=record.batch_id,
        number=record.number,
        inbox_count=record.inbox_count,
        accounts=Tree(opening.sub_root("accounts"), totals.account_count),
        instruments=Tree(opening.sub_root("instruments"), totals.instrument_count),
        underlyings=Tree(opening.sub_root("underlyings"), underlyings),
        assets=(AssetTerms(0, 0, record.custody), *collaterals),
        pools=tuple(decode_pool(leaf) for leaf in opened.pools),
        claims_close=claims_close,
        ends=ends,
    )


def _check_all(
    what: str, tag: Tag, depth: int, leaves: tuple[bytes, ...], count: int, opening: Opening
) -> None:
    root = dense_root(depth, [tagged_hash(tag, leaf) for leaf in leaves])
    if len(leaves) != count or root != opening.sub_root(what):
        raise ProofError(
            f"expected all {count} {what} of root {opening.sub_root(what).hex()}, was "
            f"{len(leaves)} of {root.hex()}; send every leaf in its order"
        )
