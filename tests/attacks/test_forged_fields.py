"""Whatever else a root could commit to is provable: each sub-root and each piece of the globals.

One change of every field of every record, and more, is in the table of ``prover.provability``.
"""

import pytest

from clearing.keccak import pieces
from prover.forge import BatchForge
from tests.attacks.arena import Arena
from verifier.batch import SUB_ROOTS, Opening, Pair


@pytest.fixture(scope="module")
def arena() -> Arena:
    return Arena()


def forge_root(forge: BatchForge, opening: Opening) -> None:
    """Let the last step claim the root that the opening has."""
    forge.pairs[-1] = Pair(forge.pairs[-1].step_hash, opening.state_root())


@pytest.mark.parametrize("name", SUB_ROOTS)
def test_any_other_sub_root_reserved_or_not_is_fraud(arena: Arena, name: str) -> None:
    for actions in ([], [arena.market.trade(1, 2)], [arena.deposit(6)]):
        forge = arena.fresh()
        forge.forged(actions, arena.time)
        honest = arena.engine.opening()
        roots = list(honest.sub_roots)
        place = SUB_ROOTS.index(name)
        for other in (b"\x01" * 32, bytes(32), arena.replica.engine.opening().sub_roots[place]):
            if other == honest.sub_roots[place]:
                continue
            roots[place] = other
            forge_root(forge, Opening(honest.globals_leaf, tuple(roots)))
            arena.convict(forge, 0)


@pytest.mark.parametrize("piece", range(40))
def test_any_other_piece_of_the_globals_leaf_is_fraud(arena: Arena, piece: int) -> None:
    for actions in ([], [arena.market.withdraw(2)], [arena.deposit(6)]):
        forge = arena.fresh()
        forge.forged(actions, arena.time)
        honest = arena.engine.opening()
        words = pieces(honest.globals_leaf)
        for value in (int(words[piece]) + 1, 0, -1, 1 << 62):
            changed = words.copy()
            changed[piece] = value
            leaf = changed.astype(">i8").tobytes()
            if leaf == honest.globals_leaf:
                continue
            forge_root(forge, Opening(leaf, honest.sub_roots))
            arena.convict(forge, 0)
