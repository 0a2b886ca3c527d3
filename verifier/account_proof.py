"""Proof that an account stands in a state, for anyone who knows the state's root."""

from __future__ import annotations

from dataclasses import dataclass

from clearing.account_leaves import ACCOUNT_PIECES_MAX
from clearing.codes import Tag
from clearing.encoding import Field, MalformedBytes, Reader, raw
from clearing.keccak import tagged_hash
from clearing.units import ACCOUNTS_DEPTH
from verifier.account_leaf import ProvenAccount, decode_account_leaf
from verifier.batch import OPENING_BYTES, Opening
from verifier.codec import HASH_BYTES
from verifier.multiproof import ProofError, root_from

_WORDS = Field("words", 1, 3, ACCOUNT_PIECES_MAX // 4)
_SIBLINGS = Field("siblings", 1, 0, 3 * ACCOUNTS_DEPTH)


@dataclass(frozen=True)
class AccountProof:
    """The account's leaf, its siblings in the accounts tree, and the opening of the state root."""

    leaf: bytes
    siblings: tuple[bytes, ...]
    opening: Opening

    def encode(self) -> bytes:
        """Return ``u8 words || leaf || u8 siblings || siblings || opening``."""
        return (
            _WORDS.encode(len(self.leaf) // HASH_BYTES)
            + self.leaf
            + _SIBLINGS.encode(len(self.siblings))
            + b"".join(raw("sibling", sibling, HASH_BYTES) for sibling in self.siblings)
            + self.opening.encode()
        )

    @classmethod
    def decode(cls, data: bytes) -> AccountProof:
        """Inverse of ``encode``. Raises ProofError."""
        reader = Reader(data, MalformedBytes)
        try:
            leaf = reader.raw("leaf", HASH_BYTES * reader.integer(_WORDS))
            count = reader.integer(_SIBLINGS)
            siblings = tuple(reader.raw("sibling", HASH_BYTES) for _ in range(count))
            opening = Opening.decode(reader.raw("opening", OPENING_BYTES))
            reader.end()
        except MalformedBytes as error:
            raise ProofError(f"account proof, {error}; ask for it again") from error
        return cls(leaf, siblings, opening)


def verify_account_proof(proof: AccountProof, state_root: bytes) -> ProvenAccount:
    """Return the account that ``proof`` shows to stand in the state of ``state_root``.

    Raises ProofError if it shows no such thing.
    """
    opened = proof.opening.state_root()
    if opened != state_root:
        raise ProofError(f"expected a proof of state {state_root.hex()}, was of {opened.hex()}")
    account = decode_account_leaf(proof.leaf)
    count = proof.opening.globals().account_count
    if account.id >= count:
        raise ProofError(f"expected an account below {count}, was {account.id}")
    leaf_hash = tagged_hash(Tag.ACCOUNT, proof.leaf)
    root = root_from(ACCOUNTS_DEPTH, count, [account.id], [leaf_hash], proof.siblings)
    expected = proof.opening.sub_root("accounts")
    if root != expected:
        raise ProofError(f"expected accounts root {expected.hex()}, was {root.hex()}")
    return account
