"""I17: the operator is dead, and everybody leaves with what the base layer holds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from prover.exits import claimants, exit_claim, exit_opening
from prover.rebuild import rebuild
from simulator.broken import require
from simulator.market import KEEPER, address, genesis
from verifier.base.transactions import BeginExit, Body, ClaimExit, Freeze, PayExit
from verifier.freeze import Mode

if TYPE_CHECKING:
    from simulator.world import World

EXIT_GAS = 20_000_000
BLOCKS_MAX = 200


def check_exit(world: World) -> None:
    """Freeze the house, rebuild the state from the base layer, and pay every claim."""
    base = world.base
    root = base.chain.court.heads().tip_root
    world.now += base.chain.config.freeze_lag_ms + 1
    base.mine_one()
    _send(world, [Freeze()])
    require("I17", base.layer.standing().mode == Mode.FROZEN, "the house cannot be frozen")
    engine = rebuild(base.layer, genesis()).engine
    require("I17", engine.root() == root, "the base layer leads to another state than the final")
    _send(world, [BeginExit(exit_opening(engine).encode())])
    accounts = list(claimants(engine))
    chance = world.chance("exit")
    order = chance.sample(accounts, len(accounts))
    _send(world, [ClaimExit(exit_claim(engine, account).encode()) for account in order])
    sharing = base.chain.court.exit
    late = any(claim is not None and claim.late for claim in map(sharing.claim, accounts))
    last = sharing.terms.late_close if late else sharing.terms.claims_close
    while base.layer.head().number <= last:
        base.mine_one()
    # Shares of a pool are paid once both of its accounts were, which therefore come first.
    pools = 2 * int(engine.totals.pool_count)
    order = accounts[:pools] + chance.sample(accounts[pools:], len(accounts) - pools)
    _send(world, [PayExit(account) for account in order])
    totals = base.layer.exit_totals()
    require(
        "I17",
        totals.claims == totals.claims_paid == len(accounts),
        f"{totals.claims_paid} paid of {totals.claims} claims of {len(accounts)} accounts",
    )
    for asset, escrow in enumerate(totals.escrow):
        paid, left = totals.paid[asset], totals.left[asset]
        require("I17", paid + left == escrow, f"asset {asset}: {paid} + {left} of {escrow}")
    solvent = totals.senior + totals.junior <= totals.escrow[0]
    # What a pool got is divided by its shares, each part rounded down.
    short = totals.senior + totals.junior - totals.paid[0]
    require(
        "I17",
        not solvent or 0 <= short <= len(accounts),
        f"paid {totals.paid[0]} of {totals.senior} and {totals.junior}, which were there",
    )


def _send(world: World, bodies: Iterable[Body]) -> None:
    """Have somebody who is no party send calls, and wait until all are on blocks."""
    chain = world.base.chain
    nonce = chain.ledger.account(address(KEEPER)).nonce
    last = nonce
    for body in bodies:
        world.base.send(KEEPER, body, last, EXIT_GAS)
        last += 1
    for _ in range(BLOCKS_MAX):
        if chain.ledger.account(address(KEEPER)).nonce == last:
            return
        world.base.mine_one()
    require("I17", False, f"{last - nonce} calls of an exit are on no block")
