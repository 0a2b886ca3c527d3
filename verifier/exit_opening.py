"""What begins an exit: the exit root opened, with the leaves of its assets and pools."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from clearing.codes import Tag
from clearing.encoding import Field, MalformedBytes, Reader, raw
from clearing.keccak import tagged_hash
from clearing.leaves import ASSET_PIECES, POOL_PIECES
from clearing.units import ASSETS_DEPTH, ASSETS_MAX, POOLS_DEPTH, POOLS_MAX
from verifier.batch import OPENING_BYTES, Opening
from verifier.batches import BatchRecord
from verifier.exit_claim import ExitTerms, Tree
from verifier.exit_leaves import PIECE_BYTES, AssetTerms, decode_asset, decode_pool
from verifier.multiproof import ProofError, dense_root

ASSET_BYTES = PIECE_BYTES * ASSET_PIECES
POOL_BYTES = PIECE_BYTES * POOL_PIECES
_ASSETS = Field("assets", 1, 0, ASSETS_MAX)
_POOLS = Field("pools", 1, 0, POOLS_MAX)
_COUNTS = struct.Struct(">qqq")  # assets, pools, underlyings: pieces 28 to 30 of the globals
_COUNTS_AT = 28 * PIECE_BYTES


@dataclass(frozen=True)
class ExitOpening:
    """The opening of the exit root, 576 bytes, and every asset and pool leaf as hashed."""

    opening: bytes
    assets: tuple[bytes, ...]
    pools: tuple[bytes, ...]

    def encode(self) -> bytes:
        """Return `opening || u8 n || n asset leaves || u8 n || n pool leaves`."""
        return b"".join(
            (
                raw("opening", self.opening, OPENING_BYTES),
                _ASSETS.encode(len(self.assets)),
                *(raw("asset leaf", leaf, ASSET_BYTES) for leaf in self.assets),
                _POOLS.encode(len(self.pools)),
                *(raw("pool leaf", leaf, POOL_BYTES) for leaf in self.pools),
            )
        )

    @classmethod
    def decode(cls, data: bytes) -> ExitOpening:
        """Inverse of `encode`. Raises ProofError unless the bytes are used up exactly."""
        reader = Reader(data, MalformedBytes)
        try:
            opening = reader.raw("opening", OPENING_BYTES)
            count = reader.integer(_ASSETS)
            assets = tuple(reader.raw("asset leaf", ASSET_BYTES) for _ in range(count))
            count = reader.integer(_POOLS)
            pools = tuple(reader.raw("pool leaf", POOL_BYTES) for _ in range(count))
            reader.end()
        except MalformedBytes as error:
            raise ProofError(f"exit opening, {error}; build it again") from error
        return cls(opening, assets, pools)


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
