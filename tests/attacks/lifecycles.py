"""Every life that something has in the court, from its first transaction to its last."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from clearing import eip712
from clearing.codes import InboxKind
from clearing.messages import Receipt
from clearing.recovery import address_of, sign
from clearing.units import ASSETS_MAX, LAW_VERSION, SHARES_BASE
from prover.exits import exit_claim, exit_opening
from tests.attacks.stage import GUARDIAN, LIAR, Lifecycle, Move, Stage
from tests.support.committee import committee_of, held
from tests.support.exits import PERPETUAL, Holder
from tests.verifier.court_world import (
    ALICE,
    BOB,
    CHAIN_ID,
    PROVER,
    SEQUENCER,
    SETTLEMENT,
    Batch,
    evidence,
    withdrawals_tree,
)
from verifier.base.transactions import (
    AcceptHandover,
    AnnounceLaw,
    AnswerStep,
    AskStep,
    BeginExit,
    Body,
    ClaimCredit,
    ClaimExit,
    ClaimWithdrawal,
    ClosePosting,
    Commit,
    Deposit,
    Faucet,
    Finalise,
    Force,
    Freeze,
    NameSuccessor,
    OpenPosting,
    PayExit,
    Prolong,
    ProveFraud,
    ProveReceipt,
    PutStake,
    RefundDeposit,
    RotateSequencer,
    SettleAsk,
    SettleReward,
    TakeStake,
    TakeSurplus,
)
from verifier.batch import Step, decode_pairs, step_record_hash
from verifier.exits import WithdrawalLeaf
from verifier.freeze import Mode
from verifier.inbox import ForcedRequest
from verifier.receipts import SignedReceipt, TwoReceipts
from verifier.rewards import commitment_of
from verifier.stakes import stake_subject
from verifier.withheld import Wanted

NEXT_LAW = LAW_VERSION + 1
CLAIM_BLOCKS = 12  # of an exit: the fewest are ten
Make = Callable[[Stage], Batch]


# Moves that several lives share


def post(name: str, make: Make | None = None, key: bytes = SEQUENCER) -> Move:
    """Post the batch of a name; it need not stand for long."""
    build = make or (lambda stage: stage.make(name, proposer=address_of(key)))
    return Move(
        f"post {name}",
        key,
        lambda stage: build(stage).body(stage.config.bond),
        lambda stage: stage.posted(name) is not None,
    )


def stand(name: str, make: Make | None = None, key: bytes = SEQUENCER) -> Move:
    """Post the batch of a name, and again until one stands."""
    move = post(name, make, key)
    return replace(move, done=lambda stage: stage.stands(name) is not None)


def finalise(name: str) -> Move:
    """Make the batch of a name final, and before it whatever stands below it."""

    def body(stage: Stage) -> Body | None:
        found = stage.court.batches(stage.court.heads().finalised_number + 1, 1)
        return Finalise(found[0].record.batch_id) if found else None

    return Move(f"finalise {name}", BOB, body, lambda stage: stage.is_final(name))


def unless(too_late: Callable[[Stage], bool], move: Move) -> Move:
    """Want a move only for as long as it is not too late for it."""
    return replace(move, done=lambda stage: too_late(stage) or move.done(stage))


def pull(key: bytes, since: Callable[[Stage], bool] = lambda stage: True) -> Move:
    """Pull whatever was earned, once something was."""
    address = address_of(key)
    return Move(
        "claim credit",
        key,
        lambda stage: ClaimCredit(),
        lambda stage: since(stage) and stage.court.bonds.credit(address) == 0,
    )


def call(name: str, key: bytes, body: Body) -> Move:
    """Send a call that is always the same, once."""
    return Move(name, key, lambda stage: body, lambda stage: stage.happened(key, body.kind))


def later(name: str, key: str, until: Callable[[Stage], bool]) -> Move:
    """Let the base layer's time pass until the house may be opened, frozen, or upgraded."""

    def target(stage: Stage) -> int:
        return int(getattr(stage.court.standing(stage.now), key))

    def pass_time(stage: Stage) -> None:
        stage.now = max(stage.now, target(stage))

    def done(stage: Stage) -> bool:
        return until(stage) or stage.chain.head().time_ms >= target(stage)

    return Move(name, b"", pass_time, done)


def deposit(key: bytes = ALICE, amount: int = 1_000) -> Move:
    return call("deposit", key, Deposit(address_of(key), 0, 0, amount))


# Money in and out


CREDITED = Lifecycle(
    "deposit to credit",
    (
        (deposit(), deposit(BOB, 70)),
        (stand("credits"),),
        (finalise("credits"),),
        (pull(SEQUENCER),),
    ),
)


def paying(name: str, amounts: tuple[int, ...], owner: bytes) -> Make:
    """Return who builds a batch that ends with these withdrawals to an owner."""

    def make(stage: Stage) -> Batch:
        opened = stage.after()
        leaves = [
            WithdrawalLeaf(i, 0, amount, 3, address_of(owner)) for i, amount in enumerate(amounts)
        ]
        root, _ = withdrawals_tree(leaves)
        changed = opened._replace(
            withdrawal_count=len(leaves),
            withdrawals_root=root,
            custody=opened.custody - sum(amounts),
        )
        return stage.make(name, changed)

    return make


def claim(name: str, amounts: tuple[int, ...], index: int, owner: bytes, key: bytes) -> Move:
    """Claim a withdrawal of a final batch."""

    def body(stage: Stage) -> Body | None:
        batch = stage.stands(name)
        if batch is None:
            return None
        leaves = [
            WithdrawalLeaf(i, 0, amount, 3, address_of(owner)) for i, amount in enumerate(amounts)
        ]
        _, siblings = withdrawals_tree(leaves)
        return ClaimWithdrawal(batch.id, index, leaves[index].encode(), siblings[index])

    return Move(f"claim {index}", key, body, lambda stage: stage.court.exits.is_claimed(index))


AMOUNTS = (300, 400)
WITHDRAWN = Lifecycle(
    "withdraw to claim",
    (
        (deposit(),),
        (stand("pays", paying("pays", AMOUNTS, BOB)),),
        (finalise("pays"),),
        (claim("pays", AMOUNTS, 0, BOB, BOB), claim("pays", AMOUNTS, 1, BOB, ALICE)),
    ),
)

REFUNDED = Lifecycle(
    "deposit that cannot be credited to refund",
    (
        (deposit(),),
        (stand("refunds", paying("refunds", (1_000,), ALICE)),),
        (finalise("refunds"),),
        (claim("refunds", (1_000,), 0, ALICE, BOB),),
    ),
)

FORCED = Lifecycle(
    "forced withdrawal to claim",
    (
        (deposit(),),
        (stand("credits"),),
        (call("force", ALICE, Force(ForcedRequest(InboxKind.WITHDRAW, 3, 0, 0, 300))),),
        (stand("pays", paying("pays", (300,), ALICE)),),
        (finalise("credits"),),
        (finalise("pays"),),
        (claim("pays", (300,), 0, ALICE, ALICE),),
    ),
)

PIPELINE = Lifecycle(
    "batches one upon another to final",
    (
        (stand("first"),),
        (stand("second"), deposit()),
        (stand("third"),),
        (finalise("first"),),
        (finalise("second"), pull(SEQUENCER, lambda stage: stage.is_final("second"))),
        (finalise("third"),),
        (pull(SEQUENCER),),
    ),
)


# Proofs and rewards


def reward_name(stage: Stage, name: str) -> tuple[int, bytes] | None:
    batch = stage.posted(name)
    return None if batch is None else (batch.header.generation, batch.id)


def reward_of(stage: Stage, name: str) -> Any:
    found = reward_name(stage, name)
    return None if found is None else stage.court.pledges.rewards.reward(*found)


def commits(name: str, key: bytes = PROVER) -> Move:
    """Commit to the evidence against a batch."""

    def hash_of(stage: Stage) -> bytes | None:
        batch = stage.posted(name)
        if batch is None:
            return None
        what = batch.header.generation, batch.id, evidence(batch.header)
        return commitment_of(address_of(key), *what)

    def body(stage: Stage) -> Body | None:
        found = hash_of(stage)
        return None if found is None else Commit(found)

    def done(stage: Stage) -> bool:
        stood = stage.court.pledges.rewards.commitments(address_of(key))
        return hash_of(stage) in [one.hash for one in stood]

    return Move("commit", key, body, done)


def proves(name: str, key: bytes, done: Callable[[Stage], bool]) -> Move:
    """Show the evidence against a batch, whether it stands or fell."""

    def body(stage: Stage) -> Body | None:
        batch = stage.posted(name)
        return None if batch is None else ProveFraud(batch.id, evidence(batch.header))

    return Move("prove", key, body, done)


def settles(name: str) -> Move:
    """Settle the reward for what fell."""

    def body(stage: Stage) -> Body | None:
        found = reward_name(stage, name)
        return None if found is None else SettleReward(*found)

    def done(stage: Stage) -> bool:
        reward = reward_of(stage, name)
        return reward is not None and reward.paid

    return Move("settle", BOB, body, done)


def lie(name: str, key: bytes = LIAR) -> Move:
    return post(name, lambda stage: stage.make(name, lie=True, proposer=address_of(key)), key)


def fell(name: str) -> Callable[[Stage], bool]:
    return lambda stage: stage.posted(name) is not None and stage.stands(name) is None


def won(name: str, key: bytes) -> Callable[[Stage], bool]:
    """Say whether the reward is this winner's, or gone to somebody who was first."""

    def done(stage: Stage) -> bool:
        reward = reward_of(stage, name)
        if reward is None:
            return False
        late = stage.chain.head().number > reward.closes_block
        return bool(reward.winner == address_of(key) or late)

    return done


PROVEN = Lifecycle(
    "commit, reveal, revert, reward",
    (
        (lie("lie"),),
        (post("child", key=LIAR), commits("lie")),
        (proves("lie", BOB, fell("lie")),),
        (proves("lie", PROVER, won("lie", PROVER)),),
        (stand("again", key=LIAR),),
        (settles("lie"),),
        (pull(PROVER), finalise("again")),
    ),
    liars=(LIAR,),
    changes={"sequencer": address_of(LIAR), "operator": address_of(SEQUENCER)},
)


# Committees


STEPS = tuple(Step(0, (b"\x04" + bytes([i]) * 9, b"")) for i in range(3))


def holds(name: str, key: bytes = SEQUENCER) -> Make:
    """Return who builds a batch whose steps a committee holds."""

    def make(stage: Stage) -> Batch:
        head = stage.chain.head()
        fields = {
            "base_number": head.finalised_number,
            "base_hash": head.finalised_hash,
            "proposer": address_of(key),
        }
        inline = stage.build(None, STEPS, **fields)
        header, data = held(inline.header, inline.data)
        return stage.remember(name, Batch(header, inline.opened, data))

    return make


def asked(stage: Stage, name: str, step: int) -> bool:
    batch = stage.posted(name)
    asks = [] if batch is None else stage.court.withheld.asks(batch.id, 0, len(STEPS))
    return step in [one.step for one in asks]


def ask(name: str, step: int) -> Move:
    """Ask for a step, by the record that the batch committed to."""

    def body(stage: Stage) -> Body | None:
        batch = stage.posted(name)
        if batch is None:
            return None
        pairs = decode_pairs(batch.data[: 64 * len(STEPS)], len(STEPS))
        records = [step_record_hash(i, *pair) for i, pair in enumerate(pairs)]
        siblings = tuple(records[i] for i in range(len(STEPS)) if i != step)
        return AskStep(batch.id, Wanted(step, *pairs[step], siblings))

    return Move(f"ask {step}", PROVER, body, lambda stage: asked(stage, name, step))


def answer(name: str, step: int) -> Move:
    """Answer for a step that was asked for."""

    def body(stage: Stage) -> Body | None:
        batch = stage.posted(name)
        return None if batch is None else AnswerStep(batch.id, step, STEPS[step].encode())

    def done(stage: Stage) -> bool:
        batch = stage.posted(name)
        return batch is not None and stage.court.withheld.answered(batch.id, step) is not None

    return Move(f"answer {step}", BOB, body, done)


def settle_ask(name: str, step: int) -> Move:
    """End an ask that nobody answers."""

    def body(stage: Stage) -> Body | None:
        batch = stage.posted(name)
        return None if batch is None else SettleAsk(batch.id, step)

    def done(stage: Stage) -> bool:
        batch = stage.posted(name)
        return batch is not None and stage.court.withheld.open_asks(batch.id) == 0

    return Move(f"settle ask {step}", BOB, body, done)


# The thirds of the window leave room for a censor and for reorganisations, as in production.
WIDE: dict[str, Any] = {
    "committee": committee_of(),
    "challenge_window_blocks": 48,
    "max_unfinalised": 60,
    "exit_claim_blocks": 50,
}
ANSWERED = Lifecycle(
    "withheld step to answer",
    (
        (stand("held", holds("held")),),
        (ask("held", 1), ask("held", 2)),
        (answer("held", 1),),
        (answer("held", 2),),
        (finalise("held"),),
        (pull(PROVER), pull(BOB)),
    ),
    changes=WIDE,
)
CONVICTED = Lifecycle(
    "withheld step to conviction",
    (
        (post("held", holds("held", LIAR), LIAR),),
        (ask("held", 1), ask("held", 2)),
        (settle_ask("held", 1), settle_ask("held", 2)),
        (stand("again", key=LIAR), pull(PROVER)),
        (finalise("again"),),
    ),
    liars=(LIAR,),
    changes=WIDE | {"sequencer": address_of(LIAR), "operator": address_of(SEQUENCER)},
)


# Stakes and receipts


def put_stake(key: bytes) -> Move:
    return call("stake", key, PutStake())


def rotate(to: bytes) -> Move:
    return call("rotate", SEQUENCER, RotateSequencer(address_of(to)))


UNSTAKED = Lifecycle(
    "stake to unstake",
    (
        (put_stake(SEQUENCER),),
        (stand("last"),),
        (rotate(ALICE),),
        (stand("other", key=ALICE),),
        (finalise("last"),),
        (call("take stake", SEQUENCER, TakeStake()),),
        (pull(SEQUENCER), finalise("other")),
    ),
)

DOMAIN = eip712.domain_separator(CHAIN_ID, SETTLEMENT)


def receipt(accumulator: bytes) -> SignedReceipt:
    """Return a receipt that the liar gave, in the first generation."""
    digest = eip712.digest(DOMAIN, Receipt(0, 5, accumulator).struct_hash())
    return SignedReceipt(0, 5, accumulator, sign(LIAR, digest))


TWO = TwoReceipts(receipt(b"\x01" * 32), receipt(b"\x02" * 32)).encode()
STAKE_NAME = 1, stake_subject(address_of(LIAR))  # the liar's first stake
STAKE_COMMITMENT = commitment_of(address_of(PROVER), *STAKE_NAME, TWO)


def stake_reward(stage: Stage) -> Any:
    return stage.court.pledges.rewards.reward(*STAKE_NAME)


def receipt_won(stage: Stage) -> bool:
    reward = stake_reward(stage)
    if reward is None:
        return False
    late = stage.chain.head().number > reward.closes_block
    return bool(reward.winner == address_of(PROVER) or late)


SLASHED = Lifecycle(
    "two receipts to a lost stake",
    (
        (put_stake(LIAR),),
        (stand("honest", key=LIAR),),
        (call("commit", PROVER, Commit(STAKE_COMMITMENT)),),
        (
            Move(
                "prove receipt",
                BOB,
                lambda stage: ProveReceipt(TWO),
                lambda stage: stake_reward(stage) is not None,
            ),
        ),
        (Move("show", PROVER, lambda stage: ProveReceipt(TWO), receipt_won),),
        (call("settle", BOB, SettleReward(*STAKE_NAME)),),
        (pull(PROVER), finalise("honest")),
    ),
    liars=(LIAR,),
    changes={"sequencer": address_of(LIAR), "operator": address_of(SEQUENCER)},
)


# Who runs the house


def successor(to: bytes) -> Move:
    return call("name successor", SEQUENCER, NameSuccessor(address_of(to)))


def handed_over(stage: Stage) -> bool:
    return stage.court.registry.operator == address_of(BOB)


HANDED_OVER = Lifecycle(
    "rotation and handover",
    (
        (stand("before"), rotate(ALICE)),
        (unless(handed_over, stand("rotated", key=ALICE)),),
        (successor(BOB),),
        (call("accept", BOB, AcceptHandover()),),
        (stand("handed", key=BOB),),
        (finalise("before"),),
        (finalise("handed"), pull(SEQUENCER), pull(ALICE)),
    ),
)


def next_law(stage: Stage) -> Batch:
    return stage.make("new", stage.after(law_version=NEXT_LAW), law_version=NEXT_LAW)


ENACTED = Lifecycle(
    "law announced to enacted",
    (
        (call("announce", SEQUENCER, AnnounceLaw(NEXT_LAW, 2)),),
        (stand("old"),),
        (later("timelock", "next_law_ms", lambda stage: False),),
        (stand("new", next_law),),
        (finalise("old"),),
        (finalise("new"),),
    ),
    changes={"versions": (LAW_VERSION, NEXT_LAW)},
)

DELAYED = Lifecycle(
    "guardian's delay",
    (
        (stand("first"),),
        (call("prolong", GUARDIAN, Prolong()),),
        (stand("second"),),
        (finalise("first"),),
        (finalise("second"), pull(SEQUENCER)),
    ),
    changes={"guardian": address_of(GUARDIAN), "guardian_delay_blocks": 5, "max_unfinalised": 30},
)


# Without an operator


OPENED = Lifecycle(
    "lag, open posting, and back",
    (
        (deposit(),),
        (stand("before"),),
        (later("lag", "opens_ms", lambda stage: stage.happened(BOB, OpenPosting.kind)),),
        (call("open", BOB, OpenPosting()),),
        (stand("helped", key=BOB),),
        (call("close", SEQUENCER, ClosePosting()),),
        (stand("after"),),
        (finalise("before"),),
        (finalise("helped"),),
        (finalise("after"), pull(BOB)),
    ),
)

HOLDERS = (
    Holder(cash=700, positions=((PERPETUAL, 10, 300),)),
    Holder(cash=-100, positions=((PERPETUAL, -10, -300),)),
    Holder(cash=400),
    Holder(units=((1, 7),)),  # nobody ever claims for this one
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
    return stage.court.house.claim(account) is not None


def file_claim(account: int, key: bytes) -> Move:
    """File an account's claim; the late one only once others are paid."""

    def body(stage: Stage) -> Body | None:
        return ClaimExit(stage.papers[f"claim {account}"])

    return Move(f"file {account}", key, body, lambda stage: filed(stage, account))


def pay(account: int, key: bytes) -> Move:
    def done(stage: Stage) -> bool:
        found = stage.court.house.claim(account)
        return found is not None and bool(found.paid)

    return Move(f"pay {account}", key, lambda stage: PayExit(account), done)


def refund(stage: Stage) -> Body:
    return RefundDeposit(stage.court.inbox.count - 1)


def nothing_to_refund(stage: Stage) -> bool:
    return stage.court.solvency().unconsumed == 0


def frozen(stage: Stage) -> bool:
    return stage.court.emergency.mode == Mode.FROZEN


LEFT = Lifecycle(
    "lag, freeze, exit, surplus",
    (
        (unless(frozen, deposit()),),
        (later("lag", "freezes_ms", lambda stage: stage.happened(BOB, Freeze.kind)),),
        (call("freeze", BOB, Freeze()),),
        (Move("begin", BOB, begin_exit, lambda stage: stage.court.house.begun),),
        (file_claim(2, ALICE), file_claim(3, BOB)),
        (pay(2, BOB),),
        (file_claim(LATE, ALICE), pay(3, ALICE)),
        (pay(LATE, BOB),),
        (Move("refund", PROVER, refund, nothing_to_refund),),
        (call("surplus", PROVER, TakeSurplus(1)),),
    ),
    changes={"exit_claim_blocks": CLAIM_BLOCKS, "exit_end_blocks": 5 * CLAIM_BLOCKS},
    prepare=settle_holders,
)

POOL_LEFT = Lifecycle(
    "freeze, exit of a pool",
    (
        (later("lag", "freezes_ms", frozen),),
        (call("freeze", BOB, Freeze()),),
        (Move("begin", BOB, begin_exit, lambda stage: stage.court.house.begun),),
        tuple(file_claim(account, ALICE) for account in range(5)),
        (pay(0, BOB), pay(1, ALICE), pay(2, PROVER)),
        (pay(4, BOB), pay(3, ALICE)),
    ),
    changes={"exit_claim_blocks": CLAIM_BLOCKS, "exit_end_blocks": 5 * CLAIM_BLOCKS},
    prepare=settle_pool,
)


def minted(asset: int) -> Move:
    """Take money of an asset from the faucet."""
    return Move(
        f"mint {asset}",
        ALICE,
        lambda stage: Faucet(address_of(BOB), 5, 7, asset),
        lambda stage: stage.chain.ledger.account(address_of(BOB), asset).token >= 7,
    )


MINTED = Lifecycle("money of every asset", ((*(minted(asset) for asset in range(1, ASSETS_MAX)),),))

LIFECYCLES = (
    CREDITED, WITHDRAWN, REFUNDED, FORCED, PIPELINE, PROVEN, ANSWERED, CONVICTED, UNSTAKED,
    SLASHED, HANDED_OVER, ENACTED, DELAYED, OPENED, LEFT,
    POOL_LEFT, MINTED,
)  # fmt: skip
