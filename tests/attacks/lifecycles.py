"""Every life that something has in the court, from its first transaction to its last."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clearing import eip712
from clearing.codes import InboxKind
from clearing.messages import Receipt
from clearing.recovery import address_of, sign
from clearing.units import ASSETS_MAX, LAW_VERSION
from tests.attacks.exit_lives import LEFT, LEFT_LATE, POOL_LEFT
from tests.attacks.moves import (
    Make,
    call,
    deposit,
    finalise,
    later,
    post,
    pull,
    stand,
    unless,
    whoever,
)
from tests.attacks.stage import GUARDIAN, LIAR, Lifecycle, Move, Stage
from tests.support.committee import committee_of, held
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
    Body,
    ClaimWithdrawal,
    ClosePosting,
    Commit,
    Faucet,
    Force,
    NameSuccessor,
    OpenPosting,
    Prolong,
    ProveFraud,
    ProveReceipt,
    PutStake,
    RotateSequencer,
    SettleAsk,
    SettleReward,
    TakeStake,
)
from verifier.batch import Step, decode_pairs, step_record_hash
from verifier.escrow import WithdrawalLeaf
from verifier.inbox import ForcedRequest
from verifier.receipts import SignedReceipt, TwoReceipts
from verifier.rewards import commitment_of
from verifier.stakes import stake_subject
from verifier.withheld import Wanted

NEXT_LAW = LAW_VERSION + 1


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

    return Move(f"claim {index}", key, body, lambda stage: stage.court.escrow.is_claimed(index))


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
    return None if found is None else stage.court.rewards.reward(*found)


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
        stood = stage.court.rewards.commitments(address_of(key))
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
    patience=6,
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
    patience=6,
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
    return stage.court.rewards.reward(*STAKE_NAME)


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
        (whoever("settle", BOB, SettleReward(*STAKE_NAME)),),
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
        (later("lag", "opens_ms", lambda stage: stage.happened(OpenPosting.kind)),),
        (whoever("open", BOB, OpenPosting()),),
        (stand("helped", key=BOB),),
        (call("close", SEQUENCER, ClosePosting()),),
        (stand("after"),),
        (finalise("before"),),
        (finalise("helped"),),
        (finalise("after"), pull(BOB)),
    ),
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
    POOL_LEFT, LEFT_LATE, MINTED,
)  # fmt: skip
