"""A committee that keeps step bytes off the base layer: who is on it, and what its word is.

A batch of data kind COMMITTEE posts its pairs alone; the step bytes are with the members, of whom a
threshold has signed that they hold them (docs/protocol.md, section 9). A lying quorum can withhold
data, which `verifier.withheld` answers, but never change them: the pairs bind every byte.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from clearing.codes import Tag
from clearing.keccak import tagged_hash
from verifier import bls
from verifier.errors import PostError, require
from verifier.header import DATA_COMMITTEE, Header

MEMBERS_MAX = 64  # a bit each of the signers' map

_ATTESTATION = struct.Struct(f">Q{bls.SIGNATURE_BYTES}s")
ATTESTATION_BYTES = _ATTESTATION.size
_ATTESTED = struct.Struct(">Q20sQQ32sI")


class Member(NamedTuple):
    """A member: its public key, 48 bytes, and the proof that it knows the secret, 96 bytes."""

    public_key: bytes
    proof: bytes


@dataclass(frozen=True, slots=True)
class Committee:
    """The members in their order, and how many must sign. No members: all data are inline."""

    members: tuple[Member, ...] = ()
    threshold: int = 0

    def problems(self) -> Iterator[str]:
        """Yield every reason why this cannot be a committee."""
        count = len(self.members)
        if count > MEMBERS_MAX:
            yield f"expected at most {MEMBERS_MAX} committee members, was {count}"
        if not min(count, 1) <= self.threshold <= count:
            yield f"expected a committee threshold of 1 to {count}, was {self.threshold}"
        if len({member.public_key for member in self.members}) < count:
            yield "expected committee members with distinct keys, was one twice"
        for place, member in enumerate(self.members):
            if not bls.is_key(member.public_key):
                yield f"expected committee member {place} to have a key, was {_hex(member[0])}"
            elif not bls.verify_possession(*member):
                yield (
                    f"expected committee member {place} to prove possession of its key, "
                    f"was {_hex(member.proof)}"
                )


NO_COMMITTEE = Committee()


@dataclass(frozen=True, slots=True)
class Attested:
    """What a member signs: that it holds the step bytes behind this data hash, for this place."""

    chain_id: int
    settlement: bytes
    generation: int
    number: int
    data_hash: bytes
    data_length: int

    @classmethod
    def of(cls, header: Header) -> Attested:
        """Return what the members sign for a batch with this header."""
        return cls(*(getattr(header, name) for name in cls.__slots__))

    def digest(self) -> bytes:
        """Return H(1d, ...), the 32 bytes that are signed. Raises ValueError for a bad width."""
        try:
            packed = _ATTESTED.pack(*(getattr(self, name) for name in self.__slots__))
        except struct.error as error:
            raise ValueError(f"expected every field within its width: {error}") from error
        return tagged_hash(Tag.ATTESTATION, packed)


@dataclass(frozen=True, slots=True)
class Attestation:
    """A quorum's word: bit i of `signers` is member i, `signature` adds up theirs."""

    signers: int
    signature: bytes

    def encode(self) -> bytes:
        """Return u64 signers || 96 signature."""
        return _ATTESTATION.pack(self.signers, self.signature)

    @classmethod
    def decode(cls, data: bytes) -> Attestation:
        """Inverse of `encode`. Raises Refused(MALFORMED_ATTESTATION)."""
        size = len(data)
        require(size == ATTESTATION_BYTES, PostError.MALFORMED_ATTESTATION, ATTESTATION_BYTES, size)
        return cls(*_ATTESTATION.unpack(data))

    def count(self) -> int:
        """Return how many members signed."""
        return self.signers.bit_count()


def split_posted(header: Header, posted: bytes) -> tuple[bytes, bytes]:
    """Return the data that the header commits to, and the attestation behind them, if any."""
    if header.data_kind != DATA_COMMITTEE:
        return posted, b""
    cut = max(len(posted) - ATTESTATION_BYTES, 0)
    return posted[:cut], posted[cut:]


def check_attestation(committee: Committee, attested: Attested, attestation: Attestation) -> None:
    """Check that a quorum of the committee signed.

    Raises Refused(UNKNOWN_SIGNER, SHORT_QUORUM or WRONG_ATTESTATION).
    """
    members, least = committee.members, committee.threshold
    signers, signature = attestation.signers, attestation.signature
    require(not signers >> len(members), PostError.UNKNOWN_SIGNER, len(members), signers)
    count = attestation.count()
    require(count >= least, PostError.SHORT_QUORUM, least, count)
    keys = [member.public_key for place, member in enumerate(members) if signers >> place & 1]
    digest = attested.digest()
    signed = bls.verify_aggregate(keys, digest, signature)
    require(signed, PostError.WRONG_ATTESTATION, signers, digest, signature)


def _hex(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else repr(value)
