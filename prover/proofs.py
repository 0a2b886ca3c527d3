"""Proofs for the owners of money: an account in a state, a withdrawal in a finalised batch."""

from __future__ import annotations

from dataclasses import dataclass

from clearing.codes import Tag
from clearing.keccak import tagged_hash
from clearing.units import WITHDRAWALS_DEPTH
from prover.commit import ACCOUNTS
from prover.engine import Engine
from prover.tree import Forest
from verifier.account_proof import AccountProof
from verifier.witness_leaves import ACCOUNT, WITHDRAWAL, leaf_bytes


@dataclass(frozen=True)
class WithdrawalProof:
    """What the court asks for to pay withdrawal ``index``: its leaf, 64 bytes, and siblings."""

    index: int
    leaf: bytes
    siblings: tuple[bytes, ...]


def account_proof(engine: Engine, id: int) -> AccountProof:
    """Prove account ``id`` in the state that the engine stands in.

    Raises KeyError if there is no such account. ``verifier.account_proof`` checks it.
    """
    count = int(engine.totals.account_count)
    if not 0 <= id < count:
        raise KeyError(f"expected an account below {count}, was {id}")
    leaf = leaf_bytes(engine.state, ACCOUNT, [id])[0]
    return AccountProof(
        leaf, tuple(engine.forest.siblings(ACCOUNTS, count, [id])), engine.opening()
    )


def withdrawal_proof(engine: Engine, index: int, count: int | None = None) -> WithdrawalProof:
    """Prove withdrawal ``index`` among the first ``count`` (default: all there are).

    ``count`` is the withdrawal count of the finalised batch that the claim names: the tree only
    grows, so an engine that stands later can still prove it. Raises KeyError unless
    index < count <= what the engine has.
    """
    known = int(engine.totals.withdrawal_count)
    count = known if count is None else count
    if not 0 <= index < count <= known:
        raise KeyError(
            f"expected a withdrawal below {count} and a count up to {known}, was {index}; wait for "
            "the batch that holds it"
        )
    leaves = leaf_bytes(engine.state, WITHDRAWAL, range(count))
    forest = Forest([WITHDRAWALS_DEPTH], [count])
    forest.put(0, range(count), [tagged_hash(Tag.WITHDRAWAL, leaf) for leaf in leaves])
    return WithdrawalProof(index, leaves[index], tuple(forest.siblings(0, count, [index])))
