"""Rows for snapshots: newcomers believe only what a final batch of the base layer commits to."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any, cast

from clearing.genesis import Genesis
from prover.provability.exits import final
from prover.provability.house import UNCAUGHT, Caught, House, Outcome
from prover.provability.market import GENESIS
from prover.provability.states import flip_bytes
from prover.provability.table import Part, Row
from prover.rebuild import check_snapshot
from prover.snapshot import SnapshotError, take_snapshot
from verifier.base.interface import BaseLayer

# Where the fields of a snapshot's head end.
HEAD = {"magic": 4, "version": 8, "number": 16, "batch_id": 48, "root": 80}
SECTIONS = (
    "globals", "params", "funds", "accounts", "pages", "instruments", "assets", "pools",
    "underlyings", "withdrawals",
)  # fmt: skip
Change = Callable[[bytes], bytes]


def snapshot_rows() -> Iterator[Row]:
    """Yield the rows of a snapshot's head, of its leaves, and of what it is a snapshot of."""
    for field, end in HEAD.items():
        yield _row("head", field, "a bit flipped", change=partial(_flip_at, end))
    for place, name in enumerate(SECTIONS):
        yield _row("leaves", name, "a bit of the last flipped", change=partial(_flip_leaf, place))
        yield _row("leaves", name, "one missing", change=partial(_drop_leaf, place))
    yield _row("leaves", "end", "a byte more", change=lambda data: data + b"\0")
    yield _row("batch", "status", "not final", is_final=False)
    other = replace(GENESIS, chain_id=GENESIS.chain_id + 1)
    yield _row("batch", "chain", "another one's genesis", genesis=other)


def _row(subject: str, field: str, mutation: str, **how: Any) -> Row:
    attack, twin = partial(_checked, **how), partial(_checked)
    return Row(
        Part.SNAPSHOT, subject, field, mutation, Caught.READER, "SnapshotError", attack, twin
    )


class _Shown:
    """The court as a base layer shows it, every block being final at once."""

    def __init__(self, house: House) -> None:
        self.heads = lambda at=None: house.court.heads()
        self.batch = lambda batch_id, at=None: house.court.batch(batch_id)
        self.head = lambda: _HEAD


class _Head:
    finalised_hash = b""


_HEAD = _Head()


def _checked(
    house: House,
    change: Change = bytes,
    is_final: bool = True,
    genesis: Genesis = GENESIS,
) -> Outcome:
    """Take a snapshot of the tip, and have a newcomer read it after a change."""
    heads = house.court.heads()
    data = take_snapshot(house.replica.engine, heads.tip_number, heads.tip_id)
    if is_final:
        final(house)
    try:
        check_snapshot(cast(BaseLayer, _Shown(house)), genesis, change(data))
    except SnapshotError as error:
        return Outcome(Caught.READER, type(error).__name__)
    return UNCAUGHT


def _flip_at(end: int, data: bytes) -> bytes:
    return flip_bytes(data[:end]) + data[end:]


def _sections(data: bytes) -> list[list[bytes]]:
    """Return the leaves of each section."""
    offset, found = HEAD["root"], []
    for _ in SECTIONS:
        (count,) = struct.unpack_from(">I", data, offset)
        offset += 4
        leaves = []
        for _ in range(count):
            (words,) = struct.unpack_from(">H", data, offset)
            leaves.append(data[offset + 2 : offset + 2 + 32 * words])
            offset += 2 + 32 * words
        found.append(leaves)
    return found


def _joined(data: bytes, sections: list[list[bytes]]) -> bytes:
    encoded = [data[: HEAD["root"]]]
    for leaves in sections:
        encoded.append(struct.pack(">I", len(leaves)))
        encoded += [struct.pack(">H", len(leaf) // 32) + leaf for leaf in leaves]
    return b"".join(encoded)


def _flip_leaf(place: int, data: bytes) -> bytes:
    sections = _sections(data)
    sections[place][-1] = flip_bytes(sections[place][-1])
    return _joined(data, sections)


def _drop_leaf(place: int, data: bytes) -> bytes:
    sections = _sections(data)
    del sections[place][-1]
    return _joined(data, sections)
