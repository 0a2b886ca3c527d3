"""Lives of a house that nobody runs any more: freeze, claims, payments, and what is left."""

from __future__ import annotations

from typing import Any

from clearing.units import SHARES_BASE
from prover.exits import exit_claim, exit_opening
from tests.attacks.ledger_audit import events_of
from tests.attacks.moves import deposit, later, unless, whoever
from tests.attacks.stage import Lifecycle, Move, Stage
from tests.support.exits import PERPETUAL, Holder
from tests.verifier.court_world import (
    ALICE,
    BOB,
    PROVER,
)
from verifier.base.transactions import (
    BeginExit,
    Body,
    ClaimExit,
    Freeze,
    PayExit,
    RefundDeposit,
    TakeSurplus,
)
from verifier.events import DepositRefunded
from verifier.freeze import Mode

CLAIM_BLOCKS = 12  # of an exit: the fewest are ten
HOLDERS = (
    Holder(cash=700, positions=((PERPETUAL, 10, 300),)),
    Holder(cash=-100, positions=((PERPETUAL, -10, -300),)),
    Holder(cash=400),
    Holder(units=((1, 7),)),  # in `LEFT` nobody ever claims for this one
)
LATE = 4  # whose claim is filed after the window


def settle_holders(stage: Stage) -> None:
    """Stand at a final state of three accounts, one of them bankrupt, with time to freeze."""
    stage.settle(*HOLDERS)
    make_papers(stage)


def settle_pool(stage: Stage) -> None:
    """Stand at a final state of a pool, a holder of its shares, and one who owes collateral."""

    def write(state: Any) -> None:
        state.pools[0].shares = 1_000
        state.accounts[4].cash = 0
        state.accounts[0].cash, state.accounts[1].cash = 800, 100

    stage.settle(
        Holder(cash=700, positions=((PERPETUAL, 10, 300),)),
        Holder(cash=400, positions=((PERPETUAL, -10, -300),), units=((1, 100),)),
        Holder(cash=900, units=((SHARES_BASE, 1_000),)),
        change=write,
    )
    make_papers(stage)


def make_papers(stage: Stage) -> None:
    """Keep what is to be sent of a state, and let it be too early to freeze."""
    engine = stage.engine
    stage.papers = {"opening": exit_opening(engine).encode()}
    for account in range(int(engine.totals.account_count)):
        stage.papers[f"claim {account}"] = exit_claim(engine, account).encode()
    stage.now -= stage.config.freeze_lag_ms
    del stage.engine


def begin_exit(stage: Stage) -> Body:
    return BeginExit(stage.papers["opening"])


def filed(stage: Stage, account: int) -> bool:
    return stage.court.exit.claim(account) is not None


def file_claim(account: int, key: bytes) -> Move:
    """File an account's claim; the late one only once others are paid."""

    def body(stage: Stage) -> Body | None:
        return ClaimExit(stage.papers[f"claim {account}"])

    return Move(f"file {account}", key, body, lambda stage: filed(stage, account))


def pay(account: int, key: bytes) -> Move:
    def done(stage: Stage) -> bool:
        found = stage.court.exit.claim(account)
        return found is not None and bool(found.paid)

    return Move(f"pay {account}", key, lambda stage: PayExit(account), done)


def refund(stage: Stage) -> Body:
    """Give the newest deposit back that was not given back yet."""
    returned = {event.index for event in events_of(stage) if isinstance(event, DepositRefunded)}
    left = [index for index in range(stage.court.inbox.count) if index not in returned]
    return RefundDeposit(left[-1])


def nothing_to_refund(stage: Stage) -> bool:
    return stage.court.solvency().unconsumed == 0


def frozen(stage: Stage) -> bool:
    return stage.court.emergency.mode == Mode.FROZEN


LEFT = Lifecycle(
    "lag, freeze, exit, surplus",
    (
        (unless(frozen, deposit()),),
        (later("lag", "freezes_ms", lambda stage: stage.happened(Freeze.kind)),),
        (whoever("freeze", BOB, Freeze()),),
        (Move("begin", BOB, begin_exit, lambda stage: stage.court.exit.begun),),
        (file_claim(2, ALICE), file_claim(3, BOB)),
        (pay(2, BOB),),
        (file_claim(LATE, ALICE), pay(3, ALICE)),
        (pay(LATE, BOB),),
        (Move("refund", PROVER, refund, nothing_to_refund),),
        (whoever("surplus", PROVER, TakeSurplus(1)),),
    ),
    changes={"exit_claim_blocks": CLAIM_BLOCKS, "exit_end_blocks": 8 * CLAIM_BLOCKS},
    prepare=settle_holders,
)

LEFT_LATE = Lifecycle(
    "exit claims that come late",
    (
        (later("lag", "freezes_ms", frozen),),
        (whoever("freeze", BOB, Freeze()),),
        (Move("begin", BOB, begin_exit, lambda stage: stage.court.exit.begun),),
        (file_claim(LATE, ALICE),),
        (pay(LATE, BOB),),
        (file_claim(2, ALICE), file_claim(5, BOB)),  # unrealised profit, and units of one's own
        (pay(2, BOB), pay(5, ALICE)),
    ),
    changes={"exit_claim_blocks": CLAIM_BLOCKS, "exit_end_blocks": 20 * CLAIM_BLOCKS},
    prepare=settle_holders,
)

POOL_LEFT = Lifecycle(
    "freeze, exit of a pool",
    (
        (later("lag", "freezes_ms", frozen),),
        (whoever("freeze", BOB, Freeze()),),
        (Move("begin", BOB, begin_exit, lambda stage: stage.court.exit.begun),),
        tuple(file_claim(account, ALICE) for account in range(5)),
        (pay(0, BOB), pay(1, ALICE), pay(2, PROVER)),
        (pay(4, BOB), pay(3, ALICE)),
    ),
    changes={"exit_claim_blocks": CLAIM_BLOCKS, "exit_end_blocks": 20 * CLAIM_BLOCKS},
    prepare=settle_pool,
)
