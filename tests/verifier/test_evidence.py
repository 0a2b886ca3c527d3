"""The court's verdict on one step: fraud exactly if the law's root is not the committed one."""

import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearing.codes import Code
from clearing.messages import encode_step
from clearing.units import ACCOUNTS_DEPTH
from prover.engine import Engine
from prover.forge import BatchForge, Place, mint, with_forged_signatures, without_margin
from prover.witness import build_evidence
from tests.prover.market import FIRST_PRICE, PROPOSER, START_MS, Market, columns_of
from verifier.batch import Pair, Step
from verifier.evidence import Evidence, EvidenceError, check_bad_step
from verifier.multiproof import siblings_needed
from verifier.witness_leaves import WitnessError
from verifier.witness_state import WitnessState

PLACE = Place(0, 1, b"\x01" * 32, 9, b"\x02" * 32, PROPOSER)


class Case:
    """A batch on top of an opened market, and an engine that can stand before each step."""

    def __init__(self, accounts=6, instruments=3):
        self.market = Market(instruments)
        self.before = Engine(self.market.genesis, accounts_capacity=4)
        columns = columns_of(self.before, self.market.opening(accounts))
        self.before.advance(columns, START_MS)
        self.engine = Engine(self.market.genesis, accounts_capacity=4)
        self.engine.advance(columns, START_MS)
        self.forge = BatchForge(self.engine)

    def evidence(self, index):
        """Evidence of step ``index``; the engine stays where it is built."""
        posting = self.forge.finish(PLACE)
        point = None
        for step in self.forge.steps[:index]:
            columns = columns_of(self.before, step.actions)
            point = point or self.before.checkpoint(columns)
            self.before.replay_step(columns, step.time, 0, len(step.actions))
        step = self.forge.steps[index]
        built = build_evidence(self.before, posting.header, self.forge.pairs, index, step.encode())
        return posting.header, built

    def verdict(self, index):
        header, built = self.evidence(index)
        return check_bad_step(header, built.encode())


@pytest.fixture
def fraud():
    """A forged second step, with its evidence."""
    case = Case()
    case.forge.honest([case.market.trade(0, 1)], START_MS)
    case.forge.forged([case.market.trade(1, 2)], START_MS, mutate=mint(1, 10**6))
    return case.evidence(1)


def test_evidence_is_encoded_in_one_way(fraud):
    _, built = fraud
    assert Evidence.decode(built.encode()) == built
    with pytest.raises(EvidenceError, match="1 more bytes"):
        Evidence.decode(built.encode() + b"\0")


def test_minted_money_is_fraud(fraud):
    header, built = fraud
    assert check_bad_step(header, built.encode()) is True


def test_honest_steps_are_no_fraud_wherever_they_stand():
    case = Case()
    case.forge.honest([case.market.trade(0, 1), case.market.withdraw(2)], START_MS)
    case.forge.honest([case.market.deposit(6), case.market.deposit(7)], START_MS + 1)
    assert not case.verdict(0)
    assert not case.verdict(1)


def test_a_forged_signature_is_fraud():
    case = Case()
    stolen = case.market.trade(0, 1, signers=(4, 5))
    codes = case.forge.forged([stolen], START_MS, prepare=with_forged_signatures)
    assert codes.tolist() == [Code.APPLIED]
    assert case.verdict(0)


def test_a_trade_without_margin_is_fraud():
    case = Case()
    huge = case.market.trade(0, 1, lots=10**6)
    codes = case.forge.forged([huge], START_MS, prepare=without_margin)
    assert codes.tolist() == [Code.APPLIED]
    assert case.verdict(0)


@pytest.mark.parametrize(
    "change",
    [
        lambda state: state.globals.__getitem__(0).__setattr__("clock", 5),
        lambda state: state.globals.__getitem__(0).__setattr__("sequenced_count", 77),
        lambda state: state.instruments.__getitem__(2).__setattr__("mark_price", 9),
        lambda state: state.funds.__getitem__(1).__setattr__("balance", 9),
        lambda state: state.params.__getitem__(0).__setattr__("price_quorum", 1),
        lambda state: state.accounts.__getitem__(5).__setattr__("cash", 9),
        lambda state: state.pages.__getitem__(0).slots.__getitem__(3).__setattr__("filled", 9),
        lambda state: state.globals.__getitem__(0).__setattr__("status", 1),
    ],
)
def test_whatever_else_a_step_changes_is_fraud(change):
    case = Case()
    case.forge.honest([case.market.trade(0, 1)], START_MS)
    case.forge.forged([case.market.trade(1, 2)], START_MS, mutate=change)
    assert not case.verdict(0)
    assert case.verdict(1)


def test_an_empty_step_is_judged_too():
    case = Case()
    case.forge.forged([], START_MS + 7)
    case.forge.forged([], START_MS + 8, mutate=mint(0, 1))
    assert not case.verdict(0)
    assert case.verdict(1)


def test_undecodable_and_unknown_actions_are_judged_too():
    case = Case()
    case.forge.honest([b"\xff", b"", b"\x04short", case.market.funding(77)], START_MS)
    assert not case.verdict(0)


def test_a_claimed_overflow_is_judged_as_the_engine_judged_it():
    case = Case()
    for engine in (case.before, case.engine):
        engine.edit(lambda state: setattr(state.globals[0], "cash_total", 2**63 - 10))
    case.forge = BatchForge(case.engine)
    steps = case.forge.honest([case.market.deposit(0), case.market.trade(0, 1)], START_MS)
    assert steps.codes.tolist() == [Code.INVARIANT, Code.HALTED]
    assert not case.verdict(0)


@settings(max_examples=25)
@given(st.integers(0, 2**32))
def test_the_court_agrees_with_the_engine_on_random_steps(seed):
    case, chance = Case(), random.Random(seed)
    warm = [case.market.anything(chance, 6) for _ in range(16)]
    for engine in (case.before, case.engine):
        engine.advance(columns_of(engine, warm), START_MS)
    case.forge = BatchForge(case.engine)
    actions = [case.market.anything(chance, 6) for _ in range(6)]
    actions += [case.market.deposit(6), case.market.trade(6, 0)]
    chance.shuffle(actions)
    case.forge.honest(actions, START_MS + 20)
    assert not case.verdict(0)
    header, built = case.evidence(0)
    wrong = replace(built, post_root=b"\x99" * 32)
    with pytest.raises(EvidenceError, match="steps root"):
        check_bad_step(header, wrong.encode())


@settings(max_examples=300)
@given(st.data())
def test_no_flipped_byte_of_honest_evidence_is_ever_a_verdict(data):
    header, evidence = honest_evidence()
    place = data.draw(st.integers(0, len(evidence) - 1))
    flipped = bytearray(evidence)
    flipped[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(EvidenceError):
        check_bad_step(header, bytes(flipped))


@settings(max_examples=100)
@given(st.data())
def test_no_mangled_evidence_is_ever_a_verdict(data):
    header, evidence = honest_evidence()
    start = data.draw(st.integers(0, len(evidence)))
    stop = data.draw(st.integers(start, len(evidence)))
    inserted = data.draw(st.binary(max_size=40))
    mangled = evidence[:start] + inserted + evidence[stop:]
    if mangled == evidence:
        return
    with pytest.raises(EvidenceError):
        check_bad_step(header, mangled)


def honest_evidence(memory=[]):  # noqa: B006
    if not memory:
        case = Case()
        case.forge.honest([case.market.trade(0, 1)], START_MS)
        case.forge.honest(
            [case.market.trade(1, 2), case.market.withdraw(3), case.market.deposit(6)], START_MS
        )
        header, built = case.evidence(1)
        assert not check_bad_step(header, built.encode())
        memory.append((header, built.encode()))
    return memory[0]


def without(built, part, place):
    items = getattr(built, part)
    return replace(built, **{part: tuple(items[i] for i in range(len(items)) if i != place)})


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("accounts", "add \\[1\\]"),
        ("instruments", "add \\[0\\]"),
        ("pages", "fill pages"),
        ("funds", "fund leaves"),
        ("account_siblings", "expected a sibling"),
        ("instrument_siblings", "expected a sibling"),
        ("withdrawal_siblings", "expected a sibling"),
        ("record_siblings", "records of step 1"),
    ],
)
def test_a_missing_part_is_the_challengers_error(part, message):
    case = Case()
    case.forge.honest([case.market.trade(0, 1), case.market.withdraw(5)], START_MS)
    case.forge.honest([case.market.trade(1, 0)], START_MS)
    case.forge.honest([case.market.trade(1, 2)], START_MS)
    header, built = case.evidence(1)
    broken = without(built, part, {"accounts": 1, "funds": 2}.get(part, 0))
    if part == "accounts":
        broken = replace(broken, pages=())
    with pytest.raises(EvidenceError, match=message):
        check_bad_step(header, broken.encode())


def test_what_the_law_asks_for_and_the_witness_lacks_is_the_challengers_error(fraud):
    # The read set tells before anything runs; should it tell too little, the law's own note does.
    _, built = fraud
    leaves = replace(built.leaves(), accounts=built.accounts[1:], pages=())
    case = Case()
    state = WitnessState(leaves)
    with pytest.raises(WitnessError, match="was without 1 of kind 1 "):
        state.run(columns_of(case.before, [case.market.trade(1, 2)]), START_MS)


@pytest.mark.parametrize("part", ["funds", "accounts", "pages", "instruments"])
def test_a_leaf_that_no_law_makes_is_no_witness(fraud, part):
    header, built = fraud
    leaf = getattr(built, part)[0]
    # A bit that stands for nothing: in a number's sign, or behind the last row.
    spoiled = bytes([leaf[0] ^ 0x80]) + leaf[1:]
    broken = replace(built, **{part: (spoiled, *getattr(built, part)[1:])})
    with pytest.raises(EvidenceError, match="to be canonical and in place"):
        check_bad_step(header, broken.encode())


def test_a_leaf_of_no_whole_words_has_no_encoding(fraud):
    _, built = fraud
    with pytest.raises(ValueError, match="whole words of 32 bytes"):
        replace(built, accounts=(built.accounts[0] + b"\0", *built.accounts[1:])).encode()


@pytest.mark.parametrize(
    "absurd",
    [
        lambda state: setattr(state.globals[0], "sequenced_count", 2**63 - 1),
        lambda state: setattr(state.instruments[0], "tier", 200),
    ],
)
def test_a_step_on_top_of_an_absurd_state_cannot_break_the_court(absurd):
    case = Case()
    case.forge.forged([case.market.trade(0, 1)], START_MS, mutate=absurd)
    step = Step(START_MS, (case.market.trade(1, 2),))
    case.forge.steps.append(step)
    case.forge.pairs.append(Pair(step.hash(), bytes(32)))
    header = case.forge.finish(PLACE).header
    built = build_evidence(case.engine, header, case.forge.pairs, 1, step.encode())
    with pytest.raises(EvidenceError, match="witness of step 1: expected a state that the law can"):
        check_bad_step(header, built.encode())
    assert case.verdict(0)


def test_a_surplus_leaf_is_the_challengers_error(fraud):
    header, built = fraud
    case = Case()
    case.forge.honest([case.market.trade(4, 5)], START_MS)
    _, other = case.evidence(0)
    more = replace(built, accounts=tuple([*built.accounts, other.accounts[1]]))
    with pytest.raises(EvidenceError, match="drop \\[5\\]"):
        check_bad_step(header, more.encode())
    more = replace(built, instruments=tuple([*built.instruments, built.instruments[0]]))
    with pytest.raises(EvidenceError, match="instruments"):
        check_bad_step(header, more.encode())


def test_evidence_of_another_batch_or_step_is_the_challengers_error(fraud):
    header, built = fraud
    with pytest.raises(EvidenceError, match="header of batch"):
        check_bad_step(replace(header, number=8), built.encode())
    with pytest.raises(EvidenceError, match="a step below 2"):
        check_bad_step(header, replace(built, step=2).encode())
    with pytest.raises(EvidenceError, match="step hash of step 0"):
        check_bad_step(header, replace(built, step=0).encode())
    step = encode_step(START_MS, [b"\xff"])
    with pytest.raises(EvidenceError, match="steps root"):
        check_bad_step(header, replace(built, step_bytes=step).encode())


@pytest.mark.parametrize("index", [0, 1])
def test_an_honest_step_is_not_judged_on_top_of_another_state(index):
    # Its bytes and its root are the batch's; the state before it is one that somebody else has.
    case = Case()
    for number in range(2):
        case.forge.honest([case.market.trade(0, 1)], START_MS + number)
    header, honest = case.evidence(index)
    assert not check_bad_step(header, honest.encode())
    other = Case()
    other.engine.advance(columns_of(other.engine, [case.market.deposit(2)]), START_MS)
    elsewhere = replace(header, pre_root=other.engine.root())
    pairs = list(case.forge.pairs)
    if index:
        pairs[0] = pairs[0]._replace(post_root=other.engine.root())
    step = case.forge.steps[index].encode()
    built = build_evidence(other.engine, elsewhere, pairs, index, step)
    forged = replace(built, header=header.encode(), record_siblings=honest.record_siblings).encode()
    with pytest.raises(EvidenceError, match="prior root of step 0" if index == 0 else "steps root"):
        check_bad_step(header, forged)


def test_a_full_step_at_twelve_positions_fits_the_witness_budget():
    case = Case(accounts=16, instruments=12)
    for market in range(12):
        actions = [one_slot_trade(case.market, i, i + 1, market) for i in range(0, 16, 2)]
        for engine in (case.before, case.engine):
            engine.advance(columns_of(engine, actions), START_MS)
    case.forge = BatchForge(case.engine)
    actions = [one_slot_trade(case.market, i, (i + 3) % 16, i % 12) for i in range(0, 16, 2)]
    steps = case.forge.honest(actions, START_MS)
    assert np.diff(steps.firsts).tolist() == [8]
    header, built = case.evidence(0)
    assert check_bad_step(header, built.encode()) is False
    # The siblings of a tree of 2^20 accounts, where sixteen targets are far apart, come on top.
    spread = [i * 65_521 for i in range(16)]
    siblings = len(siblings_needed(ACCOUNTS_DEPTH, 1 << 20, spread))
    assert len(built.encode()) + 32 * siblings <= 32 * 1024


def one_slot_trade(market, maker, taker, instrument):
    orders = [market.order(account, 5, FIRST_PRICE, slot=0) for account in (maker, taker)]
    return market.trade(maker, taker, instrument, 1, FIRST_PRICE, 1, *orders)
