"""A committee of three for tests, two of whom suffice, and batches that it holds."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from typing import Any

from verifier import bls
from verifier.batch import PAIR_BYTES, data_hash
from verifier.committee import Attestation, Attested, Committee, Member
from verifier.header import DATA_COMMITTEE, Header

THRESHOLD = 2
# Windows for the test preset of a court, whose thirds outlast a reorganisation.
WINDOWS: dict[str, Any] = {"challenge_window_blocks": 24, "max_unfinalised": 40}


def secret_of(place: int) -> bytes:
    return (0xC0FFEE * 2**64 + place).to_bytes(bls.SECRET_BYTES, "big")


@cache
def member_of(place: int) -> Member:
    secret = secret_of(place)
    return Member(bls.public_key(secret), bls.prove_possession(secret))


def committee_of(count: int = 3, threshold: int = THRESHOLD) -> Committee:
    return Committee(tuple(map(member_of, range(count))), threshold)


def attest(attested: Attested, signers: tuple[int, ...] = (0, 2)) -> Attestation:
    """Return the word of these members, each once."""
    signatures = [bls.sign(secret_of(place), attested.digest()) for place in signers]
    return Attestation(sum(1 << place for place in signers), bls.aggregate(signatures))


def held(header: Header, data: bytes, signers: tuple[int, ...] = (0, 2)) -> tuple[Header, bytes]:
    """Return an inline batch's header and data as those of a batch that the committee holds."""
    pairs = data[: PAIR_BYTES * header.step_count]
    header = replace(
        header, data_kind=DATA_COMMITTEE, data_hash=data_hash(pairs), data_length=len(pairs)
    )
    return header, pairs + attest(Attested.of(header), signers).encode()


def committee_text(committee: Committee) -> str:
    """Return the JSON of a committee, keys and proofs in hex."""
    members = [
        {"public_key": "0x" + member.public_key.hex(), "proof": "0x" + member.proof.hex()}
        for member in committee.members
    ]
    return json.dumps({"threshold": committee.threshold, "members": members}, indent=2) + "\n"
