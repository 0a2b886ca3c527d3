"""A member of the data committee: it takes step bytes from the sequencer, signs, and serves them.

It judges no step: a batch may be fraud and its data held all the same. What it vouches for is that
it can show the bytes behind every step hash, and that for one place it vouches for one data only.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import NamedTuple

from clearing.recovery import recover
from prover.member_store import HeldData, MemberStore
from verifier import bls
from verifier.batch import PAIR_BYTES, BatchData, check_step_hashes, data_hash
from verifier.committee import Attested
from verifier.config import CourtConfig
from verifier.errors import Refused


class MemberRefused(Exception):
    """The member does not sign; `reason` is a name, the text says what was expected."""

    def __init__(self, reason: str, text: str) -> None:
        self.reason = reason
        super().__init__(text)


class MemberStatus(NamedTuple):
    """Who a member is and what it holds."""

    public_key: bytes
    registered: bool
    batch_count: int
    data_bytes: int


class DataMember:
    """One member of a court's committee. Safe for threads.

    `sequencer` tells whom the court lets post now: keys are rotated and houses handed over.
    """

    def __init__(
        self,
        court: CourtConfig,
        store: MemberStore,
        secret: bytes,
        sequencer: Callable[[], bytes],
    ) -> None:
        """Raises BlsError for a secret that is none."""
        self.public_key = bls.public_key(secret)
        self._court = court
        self._store = store
        self._secret = secret
        self._sequencer = sequencer
        self._lock = threading.Lock()

    def attest(
        self, generation: int, number: int, step_count: int, data: bytes, signature: bytes
    ) -> bytes:
        """Keep the data, durably, then sign that they are held. The same again is harmless.

        `signature` is the sequencer's over the same digest: nobody else can fill the disk or take
        a batch's place. Raises MemberRefused, StoreError, or what telling the sequencer fails with.
        """
        court = self._court
        if not 1 <= step_count <= court.committee_steps_max:
            raise MemberRefused(
                "WRONG_STEP_COUNT",
                f"expected 1 to {court.committee_steps_max} steps, was {step_count}; post inline",
            )
        if len(data) > court.batch_bytes_max:
            raise MemberRefused(
                "TOO_MANY_BYTES",
                f"expected at most {court.batch_bytes_max} bytes, was {len(data)}; post inline",
            )
        pairs = data[: PAIR_BYTES * step_count]
        attested = Attested(
            court.chain_id, court.settlement, generation, number, data_hash(pairs), len(pairs)
        )
        digest = attested.digest()
        sender, sequencer = recover(signature, digest), self._sequencer()
        if sender != sequencer:
            raise MemberRefused(
                "NOT_SEQUENCER",
                f"expected the signature of {sequencer.hex()}, was of {sender.hex()}; only "
                "the sequencer asks for attestations",
            )
        try:
            check_step_hashes(BatchData.decode(data, step_count))
        except Refused as error:
            raise MemberRefused(error.code.name, error.text) from error
        with self._lock:
            held = self._store.put(generation, number, HeldData(step_count, data))
        if held.data != data:
            raise MemberRefused(
                "OTHER_DATA_SIGNED",
                f"expected the data that were signed for batch {number} of generation "
                f"{generation}, was {attested.data_hash.hex()}; post inline",
            )
        return bls.sign(self._secret, digest)

    def data(self, generation: int, number: int, wanted: bytes) -> bytes | None:
        """Return the data of a batch whose data hash is `wanted`, or None. Raises StoreError."""
        with self._lock:
            held = self._store.get(generation, number)
        if held is None or data_hash(held.data[: PAIR_BYTES * held.step_count]) != wanted:
            return None
        return held.data

    def status(self) -> MemberStatus:
        """Return who this is and what it holds."""
        keys = {member.public_key for member in self._court.committee.members}
        store = self._store
        return MemberStatus(
            self.public_key, self.public_key in keys, store.batch_count, store.data_bytes
        )
