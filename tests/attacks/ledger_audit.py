"""What must be true of all money after any block, worked out from receipts and balances alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from clearing.recovery import address_of
from clearing.units import ASSETS_MAX
from tests.attacks.stage import Lifecycle, Stage, receipts_in
from verifier.events import (
    AskReturned,
    BatchFinalised,
    BatchReverted,
    CreditClaimed,
    Deposited,
    DepositRefunded,
    Event,
    ExitPaid,
    ReceiptBroken,
    RewardSettled,
    StakeReturned,
    StepAnswered,
    SurplusTaken,
    WithdrawalClaimed,
)
from verifier.header import Header


def audit(stage: Stage, lifecycle: Lifecycle) -> None:
    """Raise AssertionError if money was made, lost, or paid twice, or an honest party lost any."""
    check_conserved(stage)
    events = list(events_of(stage))
    check_paid_once(events)
    check_escrow(stage, events)
    check_credits(stage, events)
    check_honest(stage, lifecycle, events)


def events_of(stage: Stage) -> Iterator[Event]:
    """Yield what happened on the canonical chain, in order."""
    for number in range(stage.chain.head().number + 1):
        for receipt in receipts_in(stage.chain, number):
            yield from receipt.events


def check_conserved(stage: Stage) -> None:
    """Balances, bonds, escrow and what was burned are what was ever minted."""
    ledger, court = stage.chain.ledger, stage.court
    totals = court.bonds.totals
    assert totals.paid + totals.burned + totals.held == totals.deposited
    there = ledger.native_total() + ledger.fees_burned.value + totals.held + totals.burned
    assert there == ledger.native_minted.value
    for asset in range(ASSETS_MAX):
        escrow = court.escrow.held(asset)
        assert escrow >= 0
        assert ledger.token_total(asset) + escrow == ledger.token_minted(asset)


def check_paid_once(events: list[Event]) -> None:
    """Nothing that is owed once is paid twice."""
    names: Counter[tuple[Any, ...]] = Counter()
    for event in events:
        match event:
            case WithdrawalClaimed():
                names["withdrawal", event.index] += 1
            case ExitPaid():
                names["exit", event.account] += 1
            case DepositRefunded():
                names["refund", event.index] += 1
            case SurplusTaken():
                names["surplus", event.asset] += 1
            case RewardSettled():
                names["reward", event.generation, event.subject] += 1
            case BatchFinalised():
                names["bond", event.batch_id] += 1
            case BatchReverted():
                names["bond", event.batch_id] += 1
            case StepAnswered() | AskReturned():
                names["ask", event.batch_id, event.step] += 1
    assert not [name for name, count in names.items() if count > 1], names


def check_escrow(stage: Stage, events: list[Event]) -> None:
    """The escrow of each asset is what came in less what was paid out."""
    left = [0] * ASSETS_MAX
    for event in events:
        match event:
            case Deposited():
                left[event.asset] += event.amount
            case WithdrawalClaimed() | DepositRefunded() | SurplusTaken():
                left[event.asset] -= event.amount
            case ExitPaid():
                left = [a - b for a, b in zip(left, event.amounts, strict=True)]
    assert left == [stage.court.escrow.held(asset) for asset in range(ASSETS_MAX)]


def check_credits(stage: Stage, events: list[Event]) -> None:
    """What everybody may pull is what he earned less what he pulled."""
    credit: Counter[bytes] = Counter()
    for event in events:
        match event:
            case BatchFinalised():
                credit[event.proposer] += event.bond
            case RewardSettled():
                credit[event.winner] += event.amount
            case StepAnswered():
                credit[event.answerer] += event.paid
                credit[asker_of(stage, event)] += event.returned
            case AskReturned():
                credit[event.asker] += event.returned
            case StakeReturned():
                credit[event.owner] += event.amount
            case BatchReverted():
                # Without evidence, for a step that nobody showed, there is no reward to wait for.
                rewards = stage.court.rewards
                record = stage.court.batch(event.batch_id)
                assert record is not None
                if rewards.reward(record.record.generation, event.batch_id) is None:
                    credit[event.prover] += event.rewarded
            case CreditClaimed():
                credit[event.address] -= event.amount
    for address, amount in credit.items():
        assert stage.court.bonds.credit(address) == amount >= 0


def asker_of(stage: Stage, event: StepAnswered) -> bytes:
    """Return who asked for the step that was answered."""
    asks = stage.court.withheld.asks(event.batch_id, 0, 100)
    return next(ask.asker for ask in asks if ask.step == event.step)


def check_honest(stage: Stage, lifecycle: Lifecycle, events: list[Event]) -> None:
    """Nobody but the liars of a life lost a bond or a stake."""
    liars = {address_of(key) for key in lifecycle.liars}
    for event in events:
        if isinstance(event, ReceiptBroken):
            assert event.signer in liars
        if isinstance(event, BatchReverted):
            view = stage.court.batch(event.batch_id)
            assert view is not None
            assert Header.decode(view.record.header).proposer in liars
            assert event.batch_id in stage.wrong or stage.court.withheld.asks(event.batch_id, 0, 1)
