"""Governance: parameters by announced steps, halts, and a sequence that nobody can use up."""

from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearing.codes import Code, Kind, Status, Tag
from clearing.compiler import checked
from clearing.genesis import word
from clearing.keccak import tagged_hash, to_bytes
from clearing.layout import pieces_of
from clearing.leaves import PARAMS_FIELDS
from clearing.parameter_checks import GREATEST, LEAST, STEPPED, number_may_move
from clearing.records import PARAMS
from clearing.units import AMOUNT_MAX, PPM, SEQUENCE_MAX
from tests.clearing.law.faults import COMMON, Case, outcome, pairs
from tests.support.world import MARK, START_MS, World, address_of, key_of
from verifier.witness_leaves import PARAMS as PARAMS_LEAF
from verifier.witness_leaves import leaf_bytes

DAY_MS = 86_400_000
TIMELOCK_MS = 14 * DAY_MS
STEP_PPM = 250_000
ROLES = {"governance": address_of("governance"), "guardian": address_of("guardian")}


def governed(**changes):
    return World(**(ROLES | changes))


def next_params(world):
    """The parameters as they would be enacted without a change: a record to edit."""
    params = np.copy(world.state.params)
    params[0].version += 1
    params[0].pending_time = 0
    params[0].pending_hash = 0
    return params.view(np.recarray)


def payload_of(params):
    return tuple(pieces_of(params)[0].tolist())


def announce(world, params, signer="governance", **changes):
    return world.request(Kind.SET_PARAMS, key_of(signer), payload=payload_of(params), **changes)


def enact(world, params):
    return world.request(Kind.ENACT, payload=payload_of(params))


def halt(world, signer="governance", **changes):
    return world.request(Kind.HALT, key_of(signer), **changes)


def resume(world, signer="governance", **changes):
    return world.request(Kind.RESUME, key_of(signer), **changes)


def edited(world, **numbers):
    params = next_params(world)
    for name, number in numbers.items():
        params[0][name] = number
    return params


class Announcement(Case):
    """Governance raises the price band by a fifth."""

    def __init__(self):
        super().__init__(**ROLES)

    def prepare(self):
        self.params = edited(self.world, price_band_ppm=60_000)
        self.signer, self.changes = "governance", {"sequence": 7}

    def action(self):
        return announce(self.world, self.params, self.signer, **self.changes)


def beyond_a_step(case):
    case.params[0].price_jump_ppm = 250_001


def beyond_a_bound(case):
    case.params[0].price_quorum = 0


def forged(case):
    case.signer = "guardian"


def stale(case):
    case.world.totals.governance_sequence = 7


FAULTS = COMMON | {
    Code.BAD_SIGNATURE: forged,
    Code.STALE_SEQUENCE: stale,
    Code.PARAMETER_BOUND: beyond_a_bound,
    Code.PARAMETER_STEP: beyond_a_step,
}


@pytest.mark.parametrize("code", FAULTS, ids=lambda code: code.name)
def test_an_announcement_that_breaks_one_rule_is_rejected_by_it_clr_gov_002_clr_gov_003(code):
    assert outcome(Announcement, {}) == Code.APPLIED
    assert outcome(Announcement, FAULTS, code) == code


@pairs(FAULTS, list(FAULTS))
def test_of_two_rules_that_an_announcement_breaks_the_first_is_named(first, second):
    assert outcome(Announcement, FAULTS, second, first) == first


def test_announced_parameters_wait_and_are_then_enacted_by_anybody_clr_gov_001():
    world = governed()
    before = np.copy(world.state.params)
    params = edited(world, price_band_ppm=60_000, funding_interval_ms=4_000_000)
    assert world.apply(enact(world, params)) == Code.TIMELOCK
    assert world.apply(announce(world, params)) == Code.APPLIED
    assert world.params.pending_time == START_MS + TIMELOCK_MS
    waiting = np.copy(world.state.params)
    waiting[0]["pending_time"] = waiting[0]["pending_hash"] = 0
    assert (pieces_of(waiting) == pieces_of(before)).all()
    world.wait(TIMELOCK_MS - 1)
    assert world.apply(enact(world, params)) == Code.TIMELOCK
    world.wait(1)
    assert world.apply(enact(world, edited(world, price_band_ppm=60_001))) == Code.TIMELOCK
    assert world.apply(enact(world, params)) == Code.APPLIED
    assert (pieces_of(world.state.params) == pieces_of(params)).all()
    assert (world.params.version, world.params.pending_time) == (2, 0)
    assert world.apply(enact(world, params)) == Code.TIMELOCK


def test_what_waits_is_the_hash_of_the_leaf_that_the_parameters_will_have():
    world = governed()
    params = edited(world, price_band_ppm=60_000)
    assert world.apply(announce(world, params)) == Code.APPLIED
    pending = to_bytes(world.params.pending_hash)
    world.wait(TIMELOCK_MS)
    assert world.apply(enact(world, params)) == Code.APPLIED
    (leaf,) = leaf_bytes(world.state, PARAMS_LEAF, [0])
    assert pending == tagged_hash(Tag.PARAMS, leaf)


def test_a_later_announcement_takes_the_place_of_an_earlier_one_clr_gov_001():
    world = governed()
    first, second = edited(world, price_band_ppm=60_000), edited(world, price_band_ppm=40_000)
    assert world.apply(announce(world, first)) == Code.APPLIED
    world.wait(DAY_MS)
    assert world.apply(announce(world, second)) == Code.APPLIED
    world.wait(TIMELOCK_MS - DAY_MS)
    assert world.apply(enact(world, first)) == Code.TIMELOCK
    assert world.apply(enact(world, second)) == Code.TIMELOCK
    world.wait(DAY_MS)
    assert world.apply(enact(world, first)) == Code.TIMELOCK
    assert world.apply(enact(world, second)) == Code.APPLIED


def test_enacted_parameters_rule_from_the_next_action_on_clr_trd_010():
    world = governed(price_stale_open_ms=TIMELOCK_MS, price_stale_margin_ms=2 * TIMELOCK_MS)
    alice, bob = world.trader("alice"), world.trader("bob")
    params = edited(world, price_band_ppm=40_000)
    assert world.apply(announce(world, params)) == Code.APPLIED
    world.wait(TIMELOCK_MS)
    price = MARK * 105 // 100
    codes = world.step(
        [
            world.trade(alice, bob, price=price),
            enact(world, params),
            world.trade(alice, bob, price=price),
        ]
    )
    assert codes == [Code.APPLIED, Code.APPLIED, Code.PRICE_BAND]


@pytest.mark.parametrize(
    ("old", "new", "allowed"),
    [
        (1_000, 1_250, True),
        (1_000, 1_251, False),
        (1_000, 750, True),
        (1_000, 749, False),
        (3, 4, True),
        (3, 2, True),
        (3, 5, False),
        (0, 10**6, True),
        (1, 0, True),
        (2, 0, False),
        (AMOUNT_MAX, 5, True),
        (AMOUNT_MAX - 1, 5, False),
        (1 << 62, 3 << 60, True),
        (1 << 62, (3 << 60) - 1, False),
    ],
)
def test_a_number_moves_by_a_quarter_of_itself_or_by_one_clr_gov_002(old, new, allowed):
    with checked():
        assert (
            bool(number_may_move(cast(int, np.int64(old)), cast(int, np.int64(new)), STEP_PPM))
            == allowed
        )


def numbers():
    """(name, place) of every number of the parameters that moves by steps."""
    found = []
    for name, (dtype, offset, *_) in cast(Any, PARAMS.fields).items():
        if dtype == np.int64 and STEPPED[offset // 8]:
            found.append((name, offset // 8))
    return found


@pytest.mark.parametrize(("name", "place"), numbers(), ids=[name for name, _ in numbers()])
def test_every_number_has_bounds_that_the_law_can_live_with_clr_gov_003(name, place):
    world = governed()
    default = int(world.params[name])
    assert LEAST[place] <= default <= GREATEST[place]
    for number in (int(LEAST[place]) - 1, int(GREATEST[place]) + 1):
        params = edited(world, **{name: number})
        assert world.apply(announce(world, params)) == Code.PARAMETER_BOUND


def tier(index, **numbers):
    def edit(params):
        for name, number in numbers.items():
            params[0].tiers[index][name] = number

    return edit


def add_tier(params, **numbers):
    terms = {"initial_ppm": 50_000, "maintenance_ppm": 30_000, "open_interest_upper": 1}
    tier(3, **(terms | numbers))(params)
    params[0].tier_count = 4


def publishers(*names):
    def edit(params):
        params[0].publisher_count = len(names)
        for i in range(16):
            address = address_of(names[i]) if i < len(names) and names[i] else bytes(20)
            params[0].publishers[i].address = word(address)

    return edit


def numbers_of(**values):
    def edit(params):
        for name, value in values.items():
            params[0][name] = value

    return edit


@pytest.mark.parametrize(
    "edit",
    [
        numbers_of(version=1),
        numbers_of(version=3),
        numbers_of(pending_time=1),
        numbers_of(pending_hash=1),
        numbers_of(governance=-1),
        numbers_of(price_quorum=6),
        numbers_of(liquidation_penalty_ppm=25_000),
        numbers_of(row_age_warn_ms=300_001),
        numbers_of(row_age_reduce_ms=3_600_001),
        numbers_of(portfolio_maintenance_ppm=1_000_001),
        numbers_of(auction_fast_ppm=950_001),
        numbers_of(option_maintenance_ppm=100_001),
        numbers_of(option_initial_floor_ppm=150_001),
        tier(0, maintenance_ppm=50_000),
        tier(0, maintenance_ppm=15_000),
        tier(0, maintenance_ppm=0, initial_ppm=0),
        tier(0, initial_ppm=PPM + 1),
        tier(0, penalty_max_ppm=25_000),
        tier(0, open_interest_lower=1 << 61),
        tier(3, concentration_ppm=1),
        tier(7, concentration_ppm=1),
        tier(3, initial_ppm=-1),
        numbers_of(tier_count=2),
        numbers_of(tier_count=4),
        lambda params: add_tier(params, initial_ppm=30_000),
        publishers("a", "b", "c", "a"),
        publishers("a", "b", "", "c"),
        publishers("a", "b"),
        lambda params: publishers("a", "b", "c")(params) or numbers_of(publisher_count=2)(params),
        lambda params: publishers("a", "b", "c")(params) or numbers_of(publisher_count=4)(params),
    ],
)
def test_parameters_that_contradict_each_other_are_refused_whole_clr_gov_003(edit):
    world = governed()
    params = next_params(world)
    edit(params)
    assert world.apply(announce(world, params)) == Code.PARAMETER_BOUND


@pytest.mark.parametrize(
    "edit",
    [
        publishers("a", "b", "c"),
        publishers(*(f"p{i}" for i in range(16))),
        numbers_of(governance=0),
        numbers_of(guardian=0),
        numbers_of(price_quorum=5),
        lambda params: add_tier(params),
        tier(0, initial_ppm=62_500, maintenance_ppm=22_500),
        numbers_of(profit_cap=1, owner_limit=1, deficit_tranche=1),
    ],
)
def test_people_and_what_was_off_may_change_at_once_but_not_at_short_notice(edit):
    world = governed()
    params = next_params(world)
    edit(params)
    assert world.apply(announce(world, params)) == Code.APPLIED
    assert world.apply(enact(world, params)) == Code.TIMELOCK
    world.wait(TIMELOCK_MS)
    assert world.apply(enact(world, params)) == Code.APPLIED


@pytest.mark.parametrize("pieces", [1, PARAMS_FIELDS - 1])
def test_half_a_set_of_parameters_is_none_clr_gov_003_clr_gov_001(pieces):
    world = governed()
    payload = payload_of(next_params(world))[:pieces]
    short = world.request(Kind.SET_PARAMS, key_of("governance"), payload=payload)
    assert world.apply(short) == Code.PARAMETER_BOUND
    assert world.apply(announce(world, next_params(world))) == Code.APPLIED
    world.wait(TIMELOCK_MS)
    assert world.apply(world.request(Kind.ENACT, payload=payload)) == Code.TIMELOCK


@settings(max_examples=200)
@given(st.integers(0, PARAMS_FIELDS - 1), st.integers(-(1 << 63), (1 << 63) - 1))
def test_no_piece_of_an_announcement_can_break_the_law(place, number):
    world = memory_world()
    payload = list(payload_of(next_params(world)))
    payload[place] = number
    action = world.request(Kind.SET_PARAMS, key_of("governance"), payload=payload)
    assert world.apply(action) in (Code.APPLIED, Code.PARAMETER_BOUND, Code.PARAMETER_STEP)
    assert world.totals.status == Status.ACTIVE


def memory_world(memory=[]):  # noqa: B006
    if not memory:
        memory.append(governed())
    return memory[0]


def test_a_tier_that_markets_use_cannot_be_taken_away_even_by_a_step_of_everything_clr_gov_003():
    world = governed(parameter_step_ppm=PPM)
    params = next_params(world)
    for name in params.dtype["tiers"].base.names:
        params[0].tiers[2][name] = 0
    for count in (3, 2):
        params[0].tier_count = count
        assert world.apply(announce(world, params)) == Code.PARAMETER_BOUND


def test_without_governance_nobody_governs_clr_sig_001():
    world = World()
    for action in (announce(world, next_params(world)), halt(world), resume(world)):
        assert world.apply(action) == Code.BAD_SIGNATURE


@pytest.mark.parametrize(
    ("kind", "signer", "expected"),
    [
        (Kind.HALT, "governance", Code.APPLIED),
        (Kind.HALT, "guardian", Code.APPLIED),
        (Kind.HALT, "mallory", Code.BAD_SIGNATURE),
        (Kind.RESUME, "governance", Code.APPLIED),
        (Kind.RESUME, "guardian", Code.BAD_SIGNATURE),
        (Kind.RESUME, "mallory", Code.BAD_SIGNATURE),
    ],
)
def test_the_guardian_may_halt_and_governance_alone_resume_clr_sig_001(kind, signer, expected):
    world = governed()
    if kind == Kind.RESUME:
        world.totals.status = Status.HALTED
    action = world.request(kind, key_of(signer), sequence=1)
    before = int(world.totals.status)
    assert world.apply(action) == expected
    applied = Status.HALTED if kind == Kind.HALT else Status.ACTIVE
    assert world.totals.status == (applied if expected == Code.APPLIED else before)


def test_a_halted_law_lets_exits_and_its_resumption_through_alone_clr_act_004():
    world = governed()
    alice, bob = world.trader("alice"), world.trader("bob")
    assert world.apply(halt(world, sequence=1)) == Code.APPLIED
    params = next_params(world)
    codes = world.step(
        [
            world.trade(alice, bob),
            world.deposit(alice, 5),
            world.withdraw(bob, 7),
            announce(world, params, sequence=2),
            halt(world, sequence=2),
            resume(world, sequence=2),
            world.trade(alice, bob),
        ]
    )
    assert codes == [
        Code.HALTED,
        Code.APPLIED,
        Code.APPLIED,
        Code.HALTED,
        Code.HALTED,
        Code.APPLIED,
        Code.APPLIED,
    ]


def test_acts_of_governance_cannot_be_replayed_clr_sig_002():
    world = governed()
    stop, go = halt(world, sequence=1), resume(world, sequence=2)
    assert world.step([stop, go, stop, go]) == [
        Code.APPLIED,
        Code.APPLIED,
        Code.STALE_SEQUENCE,
        Code.STALE_SEQUENCE,
    ]
    assert world.totals.status == Status.ACTIVE


def test_the_guardian_cannot_use_up_the_sequences_of_governance_clr_sig_002():
    world = governed()
    assert world.apply(halt(world, "guardian", sequence=SEQUENCE_MAX)) == Code.STALE_SEQUENCE
    assert world.apply(halt(world, "guardian", sequence=2)) == Code.STALE_SEQUENCE
    assert world.apply(halt(world, "guardian", sequence=1)) == Code.APPLIED
    assert world.apply(resume(world, sequence=9)) == Code.APPLIED
    assert world.apply(halt(world, "guardian", sequence=10)) == Code.APPLIED
