"""Broken receipts: what convicts a sequencer, and which honest twins nothing can convict."""

from contextlib import suppress
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearing import eip712
from clearing.codes import Kind
from clearing.messages import (
    Receipt,
    action_hash,
    sequenced_accumulator,
    sequenced_root,
)
from clearing.recovery import address_of, sign
from tests.verifier.court_world import (
    ALICE,
    BOB,
    CHAIN_ID,
    PROVER,
    SEQUENCER,
    SETTLEMENT,
    World,
    make_config,
)
from verifier.base.transactions import (
    ClaimCredit,
    ClosePosting,
    Commit,
    Finalise,
    OpenPosting,
    ProveReceipt,
    PutStake,
    RotateSequencer,
    SettleReward,
    TakeStake,
)
from verifier.batch import BatchData, Step
from verifier.batches import BatchStatus
from verifier.errors import CourtError
from verifier.events import ReceiptBroken, Revealed, Staked, StakeReturned
from verifier.evidence import EvidenceError
from verifier.receipts import (
    LeftOut,
    Posted,
    SignedReceipt,
    TwoReceipts,
    decode_evidence,
    roots_of,
    why_kept,
)
from verifier.rewards import commitment_of
from verifier.stakes import stake_subject

DOMAIN = eip712.domain_separator(CHAIN_ID, SETTLEMENT)
SUBJECT = stake_subject(address_of(SEQUENCER))
INBOX = bytes([Kind.INBOX])


def signed(count, accumulator, generation=0, key=SEQUENCER, domain=DOMAIN):
    digest = eip712.digest(domain, Receipt(generation, count, accumulator).struct_hash())
    return SignedReceipt(generation, count, accumulator, sign(key, digest))


@dataclass
class History:
    """What a sequencer sequenced: after each frame its count, accumulator and steps."""

    world: World
    count: int = 0
    accumulator: bytes = bytes(32)

    def frame(self, *steps):
        """Sequence a frame of steps, each a tuple of actions."""
        for actions in steps:
            sequenced = [action_hash(action) for action in actions if action[:1] != INBOX]
            if sequenced:
                self.count += len(sequenced)
                root = sequenced_root(sequenced)
                self.accumulator = sequenced_accumulator(self.accumulator, root)

    def receipt(self, generation=0):
        return signed(self.count, self.accumulator, generation)

    def post(self, *frames, generation=None, key=SEQUENCER):
        """Post a batch of frames, and return it with a receipt for the end of each."""
        given = []
        generation = self.world.court.heads().generation if generation is None else generation
        for frame in frames:
            self.frame(*frame)
            given.append(self.receipt(generation))
        steps = tuple(Step(self.world.now, actions) for frame in frames for actions in frame)
        opened = self.world.after(
            sequenced_count=self.count, sequenced_accumulator=self.accumulator
        )
        batch = self.world.build(opened, steps, proposer=address_of(key))
        receipt = self.world.try_post(batch, key)
        assert receipt.error is None, receipt.text
        return batch, given


A, B, C, D = ((b"\x04" + name,) for name in (b"a", b"b", b"c", b"d"))
DEPOSITED = (INBOX + b"deposit",)


@pytest.fixture
def world():
    made = World()
    made.fund()
    assert made.send(SEQUENCER, PutStake()).error is None
    return made


@pytest.fixture
def history(world):
    return History(world)


def left_out(batch, receipt, with_roots=True):
    data = BatchData.decode(batch.data, batch.header.step_count)
    return LeftOut(batch.id, receipt, roots_of(data) if with_roots else ())


def prove(world, evidence, key=PROVER):
    return world.send(key, ProveReceipt(evidence.encode()))


def stake_of(world, key=SEQUENCER):
    return world.court.stakes.of(address_of(key)).amount


# Guilty


def test_two_receipts_for_one_count_cost_the_stake(world, history):
    history.frame(A)
    evidence = TwoReceipts(history.receipt(), signed(1, b"\x77" * 32))
    receipt = prove(world, evidence)
    half = world.config.receipt_stake // 2
    signer = address_of(SEQUENCER)
    assert receipt.events == (ReceiptBroken(signer, 1, address_of(PROVER), half, half),)
    assert stake_of(world) == 0
    world.chain.mine(world.config.reveal_window_blocks)
    assert world.send(BOB, SettleReward(1, SUBJECT)).error is None
    assert world.court.bonds.credit(address_of(PROVER)) == half
    assert world.court.heads().generation == 0


def test_an_action_left_out_of_the_middle_of_a_batch_breaks_its_receipt(world, history):
    history.frame(A)
    promised = history.receipt()
    other = History(world)
    batch, _ = other.post((B,), (C, D))
    assert prove(world, left_out(batch, promised)).error is None


def test_an_action_left_out_at_the_end_of_a_batch_needs_no_roots(world, history):
    history.frame(A)
    promised = history.receipt()
    batch, _ = History(world).post((B,))
    assert prove(world, left_out(batch, promised, with_roots=False)).error is None


def test_actions_in_another_order_break_the_receipt(world, history):
    history.frame(A, B)
    promised = history.receipt()
    batch, _ = History(world).post((B, A), (C,))
    assert prove(world, left_out(batch, promised)).error is None


def test_a_batch_that_ends_elsewhere_than_at_the_end_of_a_frame_breaks_the_receipt(world, history):
    """The frame of A and B was answered as two steps; the batch has them in one."""
    history.frame(A, B)
    promised = history.receipt()
    batch, _ = History(world).post((A + B, C))
    assert prove(world, left_out(batch, promised)).error is None


def test_a_broken_receipt_is_proven_against_a_final_batch_while_the_stake_is_there(world, history):
    history.frame(A)
    promised = history.receipt()
    batch, _ = History(world).post((B,))
    world.pass_window()
    assert world.send(BOB, Finalise(batch.id)).error is None
    assert prove(world, left_out(batch, promised)).error is None


def test_a_broken_receipt_is_proven_against_a_batch_that_fell(world, history):
    history.frame(A)
    promised = history.receipt()
    batch, _ = History(world).post((B,))
    world.send(ALICE, PutStake())
    assert prove(world, left_out(batch, promised)).error is None
    world.prove(batch)
    assert world.court.reverts(0, 1)[0].forfeited == 0


def test_a_rotation_takes_no_word_back(world, history):
    history.frame(A)
    promised = history.receipt()
    for key in (ALICE, BOB):
        assert world.send(SEQUENCER, RotateSequencer(address_of(key))).error is None
    batch, _ = History(world).post((B,), key=BOB)
    assert prove(world, left_out(batch, promised)).error is None
    assert stake_of(world) == 0


# Innocent


def test_receipts_of_every_frame_are_kept_by_the_batch_that_holds_them(world, history):
    batch, given = history.post((A, DEPOSITED), (B + C, DEPOSITED), (DEPOSITED,), (D, A))
    for receipt in given:
        assert prove(world, left_out(batch, receipt)).error == CourtError.NO_FRAUD
    assert stake_of(world) == world.config.receipt_stake


def test_a_receipt_for_the_future_is_not_broken_by_what_comes_before_it(world, history):
    batch, _ = history.post((A,))
    history.frame(B)
    future = history.receipt()
    assert prove(world, left_out(batch, future)).error == CourtError.NO_FRAUD


def test_a_receipt_of_the_past_is_not_broken_by_what_comes_after_it(world, history):
    _, (past,) = history.post((A,))
    batch, _ = history.post((B,))
    assert prove(world, left_out(batch, past)).error == CourtError.NO_FRAUD


def test_an_empty_batch_breaks_nothing(world, history):
    _, (given,) = history.post((A,))
    empty, (same,) = history.post((DEPOSITED,))
    assert same == given
    for receipt in (given, signed(0, bytes(32))):
        assert prove(world, left_out(empty, receipt)).error == CourtError.NO_FRAUD


def test_after_a_rollback_a_sequencer_may_order_anew(world, history):
    promised = History(world)
    promised.frame(A)
    bad = world.post(world.build(world.after()))
    world.prove(bad)
    world.send(SEQUENCER, PutStake())
    batch, (anew,) = history.post((B,))
    assert batch.header.generation == 1
    old = promised.receipt(0)
    assert prove(world, left_out(batch, old)).error == CourtError.NO_FRAUD
    assert prove(world, TwoReceipts(old, anew)).error == CourtError.NO_FRAUD


def test_what_was_posted_again_after_a_rollback_keeps_receipts_of_both_generations(world, history):
    bad = world.post(world.build(world.after()))
    first, (given,) = history.post((A,))
    world.prove(bad)
    world.send(SEQUENCER, PutStake())
    again, (anew,) = History(world).post((A,))
    for batch, receipt in ((first, given), (again, anew), (again, given), (first, anew)):
        assert prove(world, left_out(batch, receipt)).error == CourtError.NO_FRAUD


def test_a_reorganisation_makes_no_honest_sequencer_guilty(world, history):
    batch, (given,) = history.post((A,))
    dropped = [
        one.transaction_hash for one in world.chain.block(world.chain.head().number).receipts
    ]
    world.chain.reorg(1, drop=dropped)
    assert prove(world, left_out(batch, given)).error == CourtError.NO_SUCH_BATCH
    again, (same,) = History(world).post((A,))
    assert again.id != batch.id and same == given
    assert prove(world, left_out(again, given)).error == CourtError.NO_FRAUD


def test_receipts_of_other_keys_chains_and_generations_bind_nobody(world, history):
    history.frame(A)
    acc = history.accumulator
    batch, _ = History(world).post((B,))
    stranger = signed(1, acc, key=BOB)
    assert prove(world, left_out(batch, stranger)).error == CourtError.NO_FRAUD
    twice = TwoReceipts(stranger, signed(1, b"\x01" * 32, key=BOB))
    assert prove(world, twice).error == CourtError.NO_FRAUD
    ahead = TwoReceipts(signed(1, acc, 7), signed(1, b"\x01" * 32, 7))
    assert prove(world, ahead).error == CourtError.NO_FRAUD
    elsewhere = eip712.domain_separator(CHAIN_ID + 1, SETTLEMENT)
    foreign = TwoReceipts(
        signed(1, acc, domain=elsewhere), signed(1, b"\x01" * 32, domain=elsewhere)
    )
    assert prove(world, foreign).error == CourtError.INVALID_EVIDENCE
    assert stake_of(world) == world.config.receipt_stake


def test_two_receipts_that_can_both_be_true_convict_nobody(world, history):
    history.frame(A)
    first = history.receipt()
    history.frame(B)
    second = history.receipt()
    twins = ((first, first), (first, second), (first, signed(1, b"\x01" * 32, generation=1)))
    for pair in twins:
        assert prove(world, TwoReceipts(*pair)).error == CourtError.NO_FRAUD


def test_a_rollback_after_a_rotation_ends_what_the_former_key_answers_for(world, history):
    history.frame(A)
    promised = history.receipt()
    assert world.send(SEQUENCER, RotateSequencer(address_of(BOB))).error is None
    bad = world.build(world.after(), proposer=address_of(BOB))
    assert world.try_post(bad, BOB).error is None
    assert world.prove(bad).error is None
    batch, _ = History(world).post((B,), key=BOB)
    assert prove(world, left_out(batch, promised)).error == CourtError.NO_FRAUD


def test_a_later_key_answers_for_nothing_that_was_posted_before_it(world, history):
    batch, _ = history.post((A,))
    assert world.send(SEQUENCER, RotateSequencer(address_of(BOB))).error is None
    world.send(BOB, PutStake())
    theirs = signed(1, b"\x01" * 32, 1, key=BOB)
    assert prove(world, left_out(batch, theirs)).error == CourtError.NO_FRAUD


def test_while_posting_is_open_nobody_is_bound_and_order_may_change(world, history):
    history.frame(A)
    first = history.receipt(1)
    world.now += world.config.open_lag_ms + 2_000
    assert world.send(ALICE, OpenPosting()).error is None
    stranger, _ = History(world).post((B,), key=BOB)
    batch, (anew,) = history.post((C,))
    assert prove(world, TwoReceipts(first, signed(1, b"\x77" * 32, 1))).error == CourtError.NO_FRAUD
    for posted, receipt in ((stranger, first), (batch, first), (batch, anew)):
        assert prove(world, left_out(posted, receipt)).error == CourtError.NO_FRAUD
    assert world.court.stakes.signer_of(1) == bytes(20)
    assert world.send(SEQUENCER, ClosePosting()).error is None
    assert world.court.stakes.signer_of(2) == address_of(SEQUENCER)


def test_a_rotated_key_leaves_its_stake_until_its_last_batch_is_final(world, history):
    batch, _ = history.post((A,))
    assert world.send(SEQUENCER, RotateSequencer(address_of(BOB))).error is None
    assert world.send(SEQUENCER, TakeStake()).error == CourtError.STAKE_LOCKED
    world.pass_window()
    world.send(BOB, Finalise(batch.id))
    assert world.send(SEQUENCER, TakeStake()).error is None


def test_a_rotated_key_leaves_its_stake_for_a_window_in_which_the_next_one_posts(world):
    rotated = world.send(SEQUENCER, RotateSequencer(address_of(BOB)))
    last = rotated.block_number + world.config.final_after_blocks
    world.chain.mine(last - world.chain.head().number - 1)
    refused = world.send(SEQUENCER, TakeStake())
    assert (refused.error, refused.block_number) == (CourtError.STAKE_LOCKED, last)
    assert world.send(SEQUENCER, TakeStake()).error is None


# Forgeries


def test_forged_receipts_and_false_roots_are_the_challengers_error(world, history):
    history.frame(A)
    promised = history.receipt()
    batch, _ = History(world).post((B,), (C,))
    good = left_out(batch, promised)
    forged = [
        replace(good, receipt=replace(promised, accumulator=b"\x01" * 32)),
        replace(good, receipt=replace(promised, signature=bytes(65))),
        replace(good, roots=good.roots[:-1]),
        replace(good, roots=good.roots[::-1]),
        replace(good, roots=()),
        TwoReceipts(promised, signed(1, b"\x01" * 32, key=BOB)),
    ]
    codes = {prove(world, evidence).error for evidence in forged}
    assert codes <= {CourtError.INVALID_EVIDENCE, CourtError.NO_FRAUD}
    for cut in (b"", b"\x03", good.encode()[:-1], good.encode() + b"\x00"):
        receipt = world.send(PROVER, ProveReceipt(cut))
        assert receipt.error == CourtError.INVALID_EVIDENCE
    longest, too_long = (bytes(world.config.evidence_bytes_max + more) for more in (0, 1))
    assert world.send(PROVER, ProveReceipt(longest)).error == CourtError.INVALID_EVIDENCE
    assert world.send(PROVER, ProveReceipt(too_long)).error == CourtError.EVIDENCE_TOO_LONG
    assert stake_of(world) == world.config.receipt_stake
    nowhere = replace(good, batch_id=b"\x01" * 32)
    assert prove(world, nowhere).error == CourtError.NO_SUCH_BATCH
    genesis = world.court.batches(0, 1)[0].record.batch_id
    assert prove(world, replace(good, batch_id=genesis)).error == CourtError.NO_SUCH_BATCH
    assert prove(world, good).error is None


def test_what_nobody_signed_breaks_nobodys_word(world):
    # No key can be told of these; nobody's address is zero, and so is who posts in open posting.
    unsigned = [SignedReceipt(0, 1, bytes([word]) * 32, bytes(65)) for word in (1, 2)]
    receipt = prove(world, TwoReceipts(*unsigned))
    assert (receipt.error, "one key signed" in receipt.text) == (CourtError.INVALID_EVIDENCE, True)


@given(st.binary(max_size=400))
def test_any_bytes_are_evidence_or_an_error_of_the_sender(data):
    with suppress(EvidenceError):
        assert decode_evidence(data).encode() == data


@given(
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**64 - 1),
    st.lists(st.binary(min_size=32, max_size=32), max_size=5),
)
def test_evidence_is_read_as_it_was_written(generation, count, roots):
    one = SignedReceipt(generation, count, b"\x07" * 32, b"\x08" * 65)
    for evidence in (TwoReceipts(one, one), LeftOut(b"\x09" * 32, one, tuple(roots))):
        assert decode_evidence(evidence.encode()) == evidence


# Whatever is sequenced


FRAMES = st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=3), min_size=1, max_size=8)


def sequenced(frames):
    """Return count and accumulator after each frame, and the roots of each; actions are numbers."""
    count, accumulator, ends = 0, bytes(32), []
    for frame in frames:
        roots = []
        for step in frame:
            if step:
                roots.append(sequenced_root([action_hash(b"\x04" + bytes([a])) for a in step]))
                accumulator = sequenced_accumulator(accumulator, roots[-1])
                count += len(step)
        ends.append((count, accumulator, tuple(roots)))
    return ends


def batches_of(ends, cuts):
    """Return what batches that end after the frames `cuts` say, with their roots."""
    before, roots, made = (0, bytes(32)), (), []
    for number, (count, accumulator, own) in enumerate(ends):
        roots += own
        if number in cuts or number == len(ends) - 1:
            made.append((Posted(0, 0, *before, count, accumulator), roots))
            before, roots = (count, accumulator), ()
    return made


def numbered(sizes):
    numbers = iter(range(256))
    return [[[next(numbers) for _ in range(size)] for size in frame] for frame in sizes]


def broken(receipt, batches):
    return [why_kept(receipt, *batch) is None for batch in batches]


@given(FRAMES, st.sets(st.integers(0, 7)))
def test_however_frames_fall_into_batches_no_honest_receipt_is_broken(sizes, cuts):
    ends = sequenced(numbered(sizes))
    for count, accumulator, _ in ends:
        receipt = SignedReceipt(0, count, accumulator, bytes(65))
        assert not any(broken(receipt, batches_of(ends, cuts)))


@given(FRAMES, st.sets(st.integers(0, 7)), st.data())
def test_whatever_is_left_out_breaks_every_receipt_after_it_that_is_posted_past(sizes, cuts, data):
    frames = numbered(sizes)
    gone = data.draw(st.integers(0, len(frames) - 1))
    honest, tampered = sequenced(frames), sequenced(frames[:gone] + frames[gone + 1 :])
    batches = batches_of(tampered, cuts)
    total = tampered[-1][0] if tampered else 0
    before = honest[gone - 1][0] if gone else 0
    for number, (count, accumulator, _) in enumerate(honest):
        receipt = SignedReceipt(0, count, accumulator, bytes(65))
        wrong = number >= gone and honest[gone][0] > before and before < count <= total
        assert any(broken(receipt, batches)) == wrong


# The stake


def test_a_stake_is_lost_once_and_put_again(world, history):
    history.frame(A)
    evidence = TwoReceipts(history.receipt(), signed(1, b"\x77" * 32))
    assert prove(world, evidence).error is None
    assert prove(world, evidence).error == CourtError.NO_OLDER_COMMITMENT
    assert prove(world, evidence, key=BOB).error == CourtError.NO_OLDER_COMMITMENT
    world.chain.mine(world.config.reveal_window_blocks)
    receipt = world.send(SEQUENCER, PutStake())
    assert receipt.events == (Staked(address_of(SEQUENCER), 2, world.config.receipt_stake),)
    assert world.send(SEQUENCER, PutStake()).error == CourtError.ALREADY_STAKED
    # In one generation a lie stays a lie: who told one puts no new stake before the next.
    assert prove(world, evidence, key=BOB).error is None
    assert world.court.bonds.totals.held == world.config.receipt_stake // 2 * 2


def test_a_stake_does_not_answer_for_receipts_of_generations_before_it(world, history):
    history.frame(A)
    evidence = TwoReceipts(history.receipt(), signed(1, b"\x77" * 32))
    world.prove(world.post(world.build(world.after())))
    world.send(SEQUENCER, PutStake())
    assert prove(world, evidence).error == CourtError.NO_STAKE
    assert stake_of(world) == world.config.receipt_stake


def test_without_a_stake_nothing_backs_a_receipt():
    world = World()
    world.fund()
    evidence = TwoReceipts(signed(1, bytes(32)), signed(1, b"\x77" * 32))
    assert prove(world, evidence).error == CourtError.NO_STAKE


def test_of_two_racing_challengers_the_older_commitment_is_paid(world, history):
    history.frame(A)
    evidence = TwoReceipts(history.receipt(), signed(1, b"\x77" * 32))
    mine = commitment_of(address_of(PROVER), 1, SUBJECT, evidence.encode())
    world.send(PROVER, Commit(mine))
    assert prove(world, evidence, key=BOB).error is None
    revealed = prove(world, evidence, key=PROVER)
    assert revealed.events == (Revealed(1, SUBJECT, address_of(PROVER), 0),)
    world.chain.mine(world.config.reveal_window_blocks)
    world.send(BOB, SettleReward(1, SUBJECT))
    assert world.court.bonds.credit(address_of(PROVER)) == world.config.receipt_stake // 2
    assert world.court.bonds.credit(address_of(BOB)) == 0


def test_who_proves_himself_guilty_keeps_no_older_commitment_out_by_a_new_stake(world, history):
    history.frame(A)
    evidence = TwoReceipts(history.receipt(), signed(1, b"\x77" * 32))
    mine = commitment_of(address_of(PROVER), 1, SUBJECT, evidence.encode())
    world.send(PROVER, Commit(mine))
    assert prove(world, evidence, key=SEQUENCER).error is None
    assert world.send(SEQUENCER, RotateSequencer(address_of(BOB))).error is None
    assert world.send(SEQUENCER, PutStake()).error == CourtError.REWARD_WAITS
    assert prove(world, evidence).events == (Revealed(1, SUBJECT, address_of(PROVER), 0),)
    world.chain.mine(world.config.reveal_window_blocks)
    assert world.send(SEQUENCER, PutStake()).error is None


def test_proven_fraud_forfeits_the_stake_so_voiding_receipts_is_never_cheaper(world):
    batch = world.post()
    event = world.prove(batch, key=SEQUENCER).events[0]
    assert event.forfeited == world.config.receipt_stake and stake_of(world) == 0
    # Whoever proves himself to have broken a receipt gets half of the stake back.
    assert event.forfeited > world.config.receipt_stake // 2
    totals = world.court.bonds.totals
    assert totals.paid + totals.burned + totals.held == totals.deposited
    assert totals.held == world.config.bond // 2


def test_fraud_by_a_rotated_key_without_a_stake_burns_that_of_the_key_before_it(world):
    # However often it rotates on, the last key with a stake answers.
    for heir in (BOB, ALICE):
        assert world.send(SEQUENCER, RotateSequencer(address_of(heir))).error is None
    bad = world.build(world.after(), proposer=address_of(ALICE))
    assert world.try_post(bad, ALICE).error is None
    event = world.prove(bad, key=ALICE).events[0]
    assert event.forfeited == world.config.receipt_stake and stake_of(world) == 0
    totals = world.court.bonds.totals
    assert totals.paid + totals.burned + totals.held == totals.deposited


def test_fraud_by_a_rotated_key_with_a_stake_burns_its_own_alone(world):
    world.send(BOB, PutStake())
    assert world.send(SEQUENCER, RotateSequencer(address_of(BOB))).error is None
    bad = world.build(world.after(), proposer=address_of(BOB))
    assert world.try_post(bad, BOB).error is None
    assert world.prove(bad).events[0].forfeited == world.config.receipt_stake
    assert (stake_of(world), stake_of(world, BOB)) == (world.config.receipt_stake, 0)


def test_the_stake_of_the_sequencer_is_locked_even_if_all_that_it_posted_is_final(world):
    batch = world.post()
    assert world.send(SEQUENCER, TakeStake()).error == CourtError.STAKE_LOCKED
    world.pass_window()
    assert world.send(BOB, Finalise(batch.id)).error is None
    assert world.send(SEQUENCER, TakeStake()).error == CourtError.STAKE_LOCKED
    assert stake_of(world) == world.config.receipt_stake


def test_a_stake_of_somebody_who_does_not_post_comes_back(world):
    assert world.send(ALICE, TakeStake()).error == CourtError.NO_STAKE
    world.send(ALICE, PutStake())
    receipt = world.send(ALICE, TakeStake())
    stake = world.config.receipt_stake
    assert receipt.events == (StakeReturned(address_of(ALICE), stake),)
    assert world.send(ALICE, TakeStake()).error == CourtError.NO_STAKE
    assert world.send(ALICE, ClaimCredit()).error is None


def test_a_stake_is_locked_until_its_owners_last_batch_is_final():
    from verifier.bonds import Bonds
    from verifier.errors import Refused
    from verifier.host.storage import UndoLog
    from verifier.stakes import Stakes

    log = UndoLog()
    stakes = Stakes(log, Bonds(log, 10), 40)
    owner = address_of(ALICE)
    stakes.put(owner, 0)
    stakes.note_posted(owner, 5)
    for final, tip in ((4, 9), (4, 5)):
        with pytest.raises(Refused) as refused:
            stakes.take_back(owner, False, final, tip, 1)
        assert refused.value.code == CourtError.STAKE_LOCKED
    mark = log.mark()
    assert stakes.take_back(owner, False, 5, 9, 1) == 40
    log.undo_to(mark)
    # Its batches from 4 on fell; what is left is final.
    assert stakes.take_back(owner, False, 3, 3, 1) == 40


def test_a_stake_outlives_a_reorganisation_of_its_loss(world, history):
    history.frame(A)
    evidence = TwoReceipts(history.receipt(), signed(1, b"\x77" * 32))
    receipt = prove(world, evidence)
    world.chain.reorg(1, drop=[receipt.transaction_hash])
    assert stake_of(world) == world.config.receipt_stake
    assert world.court.rewards.reward(1, SUBJECT) is None
    assert prove(world, evidence).error is None


def test_status_of_the_batch_is_untouched_by_a_broken_receipt(world, history):
    history.frame(A)
    promised = history.receipt()
    batch, _ = History(world).post((B,))
    assert prove(world, left_out(batch, promised)).error is None
    assert world.court.batch(batch.id).status == BatchStatus.POSTED
    assert make_config().receipt_stake == world.config.receipt_stake
