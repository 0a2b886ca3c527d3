"""Follows a chain of batches from genesis and judges each: the same bytes, the same law.

A replica trusts nothing but its genesis. It knows no base layer: whoever drives it hands it headers
and data, and tells it when the base layer took batches back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from enum import Enum
from typing import Any, cast

import numpy as np

from clearing.decode import Columns, pack, recover_signers
from clearing.genesis import Genesis
from clearing.keccak import to_bytes
from clearing.units import LAW_VERSION
from prover.checkpoint import Checkpoint
from prover.engine import Engine, Steps
from prover.signer_cache import SignerCache
from prover.tree import Pieces
from prover.witness import build_evidence
from verifier.batch import BatchData, Pair, check_step_hashes, data_hash
from verifier.errors import Refused
from verifier.evidence import Migration, keep
from verifier.header import DATA_COMMITTEE, Header, genesis_batch_id

CHUNK_STEPS = 64  # steps whose signers one task recovers

# The laws that this program runs, by version, with what each changes of the last one's state.
MIGRATIONS: Mapping[int, Migration] = {LAW_VERSION: keep}


class Verdict(Enum):
    """What a replica says of a batch."""

    VALID = "valid"
    INVALID = "invalid"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True)
class Judgement:
    """The verdict on one batch.

    INVALID carries the first bad step and the encoded evidence; UNAVAILABLE a reason.
    """

    batch_id: bytes
    number: int
    verdict: Verdict
    step: int = 0
    evidence: bytes = b""
    reason: str = ""


@dataclass(frozen=True)
class Followed:
    """A valid batch that the replica has run, and how to undo it."""

    batch_id: bytes
    number: int
    checkpoint: Checkpoint


class Replica:
    """An engine that stands after the last valid batch it was given.

    ``executor``, of threads, shares the work of signature recovery. ``migrations`` are the laws
    that it runs: a batch of another one is UNAVAILABLE.
    """

    def __init__(
        self,
        genesis: Genesis,
        accounts_capacity: int = 1024,
        executor: Executor | None = None,
        migrations: Mapping[int, Migration] = MIGRATIONS,
    ) -> None:
        self.engine = Engine(genesis, accounts_capacity)
        self.genesis_id = genesis_batch_id(genesis.chain_id, genesis.settlement, self.engine.root())
        self._migrations = migrations
        self._executor = executor
        self._signers = SignerCache()
        self._followed: list[Followed] = []
        self._released = (0, self.genesis_id)

    @property
    def number(self) -> int:
        """Number of the batch that the engine stands after; 0 is genesis."""
        return self._followed[-1].number if self._followed else self._released[0]

    @property
    def batch_id(self) -> bytes:
        """Name of the batch that the engine stands after."""
        return self._followed[-1].batch_id if self._followed else self._released[1]

    @property
    def released_number(self) -> int:
        """Number of the newest batch that can no longer be rolled back."""
        return self._released[0]

    def id_of(self, number: int) -> bytes | None:
        """Return the name of a followed batch from the newest released one on, or None."""
        if number == self._released[0]:
            return self._released[1]
        for followed in self._followed:
            if followed.number == number:
                return followed.batch_id
        return None

    def stand(self, engine: Engine, number: int, batch_id: bytes) -> None:
        """Go on from a state that is known to be that after a final batch: a snapshot's."""
        self.engine = engine
        self._followed = []
        self._released = (number, batch_id)

    def judge(self, header: Header, data: bytes | None) -> Judgement:
        """Judge the batch after the one that the engine stands after; follow it if it is valid.

        ``data`` are pairs and step bytes, whoever showed them.
        Otherwise the engine stays. Raises ValueError for a header of another parent: roll back
        first.
        """
        batch_id = header.batch_id()
        if header.parent_id != self.batch_id:
            raise ValueError(
                f"expected a batch on {self.batch_id.hex()}, number {self.number}, was one on "
                f"{header.parent_id.hex()}; roll back to its parent first"
            )
        if header.law_version not in self._migrations:
            known = ", ".join(map(str, self._migrations))
            reason = f"expected a law that this program runs ({known}), was {header.law_version}"
            return Judgement(batch_id, header.number, Verdict.UNAVAILABLE, reason=reason)
        try:
            decoded = _decode(header, data, self.engine.root())
        except Refused as error:
            return Judgement(batch_id, header.number, Verdict.UNAVAILABLE, reason=str(error))
        if isinstance(decoded, str):
            return Judgement(batch_id, header.number, Verdict.UNAVAILABLE, reason=decoded)
        columns, times, bounds = self._columns(decoded)
        checkpoint = self.engine.checkpoint(columns)
        self._migrate(header)
        bad = self._first_difference(decoded, columns, times, bounds)
        if bad is None and self.engine.root() == header.post_root:
            self._followed.append(Followed(batch_id, header.number, checkpoint))
            return Judgement(batch_id, header.number, Verdict.VALID)
        self.engine.rollback(checkpoint)
        if bad is None:
            reason = "the header's post root is not that of its last step"
            return Judgement(batch_id, header.number, Verdict.UNAVAILABLE, reason=reason)
        evidence = self._evidence(header, decoded, bad, columns, times, bounds)
        return Judgement(batch_id, header.number, Verdict.INVALID, bad, evidence)

    def roll_back(self, number: int) -> None:
        """Stand after batch ``number`` again.

        Raises ValueError for one that was released before, or was never followed.
        """
        if not self.released_number <= number <= self.number:
            raise ValueError(
                f"expected a batch of {self.released_number} .. {self.number}, was {number}; "
                "rebuild the replica from genesis"
            )
        while self.number > number:
            self.engine.rollback(self._followed.pop().checkpoint)

    def release(self, number: int) -> None:
        """Forget how to undo the batches up to ``number``: they are final on the base layer."""
        while self._followed and self._followed[0].number <= number:
            final = self._followed.pop(0)
            self._released = (final.number, final.batch_id)
            self.engine.release(final.checkpoint)

    def _migrate(self, header: Header) -> None:
        if header.law_version != int(self.engine.totals.law_version):
            self.engine.edit(self._migrations[header.law_version])

    def _columns(self, data: BatchData) -> tuple[Columns, Pieces, Pieces]:
        """Return the actions of all steps as columns, the steps' times, and their bounds."""
        actions = [action for step in data.steps for action in step.actions]
        columns = self.engine.decode(*pack(actions))
        bounds = np.zeros(len(data.steps) + 1, np.int64)
        np.cumsum([len(step.actions) for step in data.steps], out=bounds[1:])
        return columns, np.array([step.time for step in data.steps], np.int64), bounds

    def _first_difference(
        self, data: BatchData, columns: Columns, times: Pieces, bounds: Pieces
    ) -> int | None:
        """Replay until a root differs; return that step or None.

        Signers of later steps are recovered while earlier ones run: that is nearly all the work.
        """
        chunks = [
            (first, min(first + CHUNK_STEPS, len(data.steps)))
            for first in range(0, len(data.steps), CHUNK_STEPS)
        ]
        recoveries = [self._recover(columns, bounds, chunk) for chunk in chunks]
        bad: int | None = None
        for (first, stop), recovered in zip(chunks, recoveries, strict=True):
            recovered()
            if bad is None:
                ran = self.engine.replay(columns, times[first:stop], bounds[first : stop + 1])
                found = _compare(ran, data.pairs[first:stop])
                bad = None if found is None else first + found
        return bad

    def _recover(
        self, columns: Columns, bounds: Pieces, chunk: tuple[int, int]
    ) -> Callable[[], None]:
        """Begin to recover the signers of a chunk's steps; return what waits for the end."""
        first, stop = int(bounds[chunk[0]]), int(bounds[chunk[1]])
        if first == stop:
            return lambda: None
        part = _signatures_of(columns, first, stop)
        if self._executor is None:
            return lambda: recover_signers(part, cache=self._signers)
        return self._executor.submit(recover_signers, part, cache=self._signers).result

    def _evidence(
        self,
        header: Header,
        data: BatchData,
        bad: int,
        columns: Columns,
        times: Pieces,
        bounds: Pieces,
    ) -> bytes:
        """Build the evidence against step ``bad``; the engine stays before the batch."""
        checkpoint = self.engine.checkpoint(columns)
        if bad > 0:
            self._migrate(header)
        self.engine.replay(columns, times[:bad], bounds[: bad + 1])
        step = data.steps[bad].encode()
        evidence = build_evidence(self.engine, header, data.pairs, bad, step)
        self.engine.rollback(checkpoint)
        return evidence.encode()


def _decode(header: Header, data: bytes | None, root: bytes) -> BatchData | str:
    """Return the data that the header commits to, or why they are not those after ``root``.

    The court posts no such header; a base layer that shows one is not to be believed.
    """
    by_committee = header.data_kind == DATA_COMMITTEE
    if data is None:
        return (
            "no member of the committee shows the steps, and the base layer has not all of them"
            if by_committee
            else "the base layer does not have the data"
        )
    if header.pre_root != root:
        return f"expected pre root {root.hex()}, its parent's, was {header.pre_root.hex()}"
    hashed = data_hash(data[: header.data_length] if by_committee else data)
    if hashed != header.data_hash:
        return f"expected data of hash {header.data_hash.hex()}, was {hashed.hex()}"
    decoded = BatchData.decode(data, header.step_count)
    if by_committee:
        # The court never saw these bytes.
        check_step_hashes(decoded)
    return decoded


def _signatures_of(columns: Columns, first: int, stop: int) -> Columns:
    """Return the signature columns of actions ``first .. stop``, as views."""
    # Counted, because an action that did not decode has no first signature.
    counts = cast(Any, columns.actions)["signature_count"]
    begin = int(counts[:first].sum())
    end = begin + int(counts[first:stop].sum())
    return columns._replace(
        signatures=columns.signatures[begin:end],
        digests=columns.digests[begin:end],
        signers=columns.signers[begin:end],
        signature_count=end - begin,
    )


def _compare(ran: Steps, pairs: Sequence[Pair]) -> int | None:
    """Return the first step whose root the law does not confirm, or None.

    A step hash cannot differ: the court hashed the same bytes when the batch was posted, or they
    were compared with it when they came from a committee.
    """
    roots = to_bytes(ran.post_roots)
    if roots == b"".join(pair.post_root for pair in pairs):
        return None
    return next(i for i, pair in enumerate(pairs) if roots[32 * i :][:32] != pair.post_root)
