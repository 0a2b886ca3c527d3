"""The declared values of a small world, its files, its feed and its keeper."""

import stat
import tomllib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearing.keys import address_of, recover
from clearing.messages import Funding, Price, decode_action
from node.committee import addresses_of, load_committee
from node.config import ClockSection, Config, load, load_genesis, load_key
from node.v1 import node_pb2 as pb
from novatio.demo.base import BaseConfig as FastBaseConfig
from novatio.demo.director import Options
from novatio.demo.files import Layout, Pace, toml, write_files
from novatio.feed import FeedConfig, FeedSection, Replay, price_action, read_keys
from novatio.keeper import KeeperConfig, Offer, offers
from novatio.processes import BaseConfig, ChallengerConfig, MemberConfig
from novatio.world import (
    ACCOUNTS_MIN,
    CHAIN_ID,
    MARKETS,
    MINUTE_MS,
    PUBLISHERS,
    QUORUM,
    World,
    deadline_seconds,
    load_markets,
    lot_prices,
    private_key,
)
from verifier import bls

START_MS = 1_504_396_800_000
WORLD = World(3, 40, START_MS, 1_000)


def test_a_seed_names_one_world_for_ever():
    assert WORLD.participants() == World(3, 40, START_MS, 1_000).participants()
    assert private_key(3, "keeper").hex() != private_key(4, "keeper").hex()
    assert WORLD.address("settlement") != WORLD.address("operator")


def test_every_participant_has_an_own_owner_and_something_to_deposit():
    participants = WORLD.participants()
    assert len(participants) == WORLD.accounts
    assert len({one.owner for one in participants}) == WORLD.accounts
    assert all(one.deposit_micro > 0 for one in participants)
    assert [participants[0].role, participants[-1].role] == ["keeper", "guest"]


@pytest.mark.parametrize("rate", [1, 1_700, Options().rate, 100_000])
def test_the_court_of_a_world_is_consistent_at_every_pace(rate):
    court = World(3, 40, START_MS, Pace(rate).block_ms).court()
    # The court refuses contradictions itself; a message is forced in within so many blocks.
    assert 1 <= court.forced_delay_ms // court.block_time_ms <= 1_000


def test_a_world_without_room_for_its_roles_is_refused():
    with pytest.raises(ValueError, match=f"at least {ACCOUNTS_MIN} accounts"):
        World(1, ACCOUNTS_MIN - 1, START_MS, 1_000)
    with pytest.raises(ValueError, match="block time of at least 1 ms"):
        World(1, ACCOUNTS_MIN, START_MS, 0)


def test_genesis_and_court_are_of_one_chain_and_consistent():
    genesis, court = WORLD.genesis(), WORLD.court()
    genesis.check()
    assert (genesis.chain_id, genesis.settlement) == (CHAIN_ID, court.settlement)
    assert court.sequencer == WORLD.address("operator")
    assert len(genesis.publishers) == PUBLISHERS > QUORUM == genesis.price_quorum


def test_a_price_per_coin_becomes_a_price_per_lot_on_the_tick():
    coins = np.array([354_840_000, 354_849_999], np.int64)
    assert lot_prices(MARKETS[1], coins).tolist() == [3_548_400, 3_548_400]
    assert lot_prices(MARKETS[0], np.array([4_652_690_000])).tolist() == [4_652_690]


def test_every_recorded_price_survives_the_change_of_unit_to_the_cent():
    for market, bars in zip(MARKETS, load_markets(), strict=True):
        lots = lot_prices(market, bars.close)
        assert (lots % market.tick_micro == 0).all()
        back = lots * 10**9 // market.lot_size_nano
        assert (np.abs(back - bars.close) < 10_000).all()


def test_a_deadline_is_measured_by_the_laws_clock():
    assert deadline_seconds(ClockSection(rate=100), 2.0) == 200.0
    assert deadline_seconds(ClockSection(), 2.0) == 2.0


@given(text=st.text(st.characters(codec="ascii", min_codepoint=32)), number=st.integers(0, 2**40))
def test_toml_is_read_back_as_it_was(text, number):
    values = {"text": text, "number": number, "flag": True}
    assert tomllib.loads(toml({"section": values})) == {"section": values}


@pytest.fixture
def layout(tmp_path):
    layout = Layout(tmp_path, "127.0.0.1:7501", "127.0.0.1:7500")
    clock = ClockSection(origin_ms=START_MS, rate=2_880, started_ms=1)
    write_files(layout, WORLD, clock, Pace(2_880), {"start_ms": START_MS, "minutes": 10})
    return layout


def test_every_process_accepts_the_file_that_is_written_for_it(layout):
    for role, kind in (
        ("node", Config),
        ("base", BaseConfig),
        ("fast-base", FastBaseConfig),
        ("challenger", ChallengerConfig),
        ("keeper", KeeperConfig),
        ("feed", FeedConfig),
    ):
        load(kind, layout.config(role), environ={})
    node = load(Config, layout.config("node"), environ={}).config
    assert (node.node.listen, node.base.address) == (layout.node, layout.base)
    assert load_genesis(node.chain.genesis) == WORLD.genesis()
    fast = load(FastBaseConfig, layout.config("fast-base"), environ={}).config
    assert fast.world.world() == WORLD


def test_the_files_of_a_world_with_members_name_one_committee_that_the_court_takes(tmp_path):
    members = ("127.0.0.1:7505", "127.0.0.1:7506", "127.0.0.1:7507")
    layout = Layout(tmp_path, "127.0.0.1:7501", "127.0.0.1:7500", members)
    write_files(layout, WORLD, ClockSection(), Pace(1), {"start_ms": START_MS, "minutes": 10})
    layer = load(BaseConfig, layout.config("base"), environ={}).config.layer
    declared = load_committee(layer.committee)
    assert (len(declared.members), declared.threshold) == (3, 2)
    for place, address in enumerate(members):
        section = load(MemberConfig, layout.config(f"member-{place}"), environ={}).config.member
        assert section.listen == address
        secret = load_key(section.key_file)
        assert bls.public_key(secret) == declared.members[place].public_key
        assert address_of(load_key(section.answer_key_file)) == WORLD.address("answers", place)
        for path in (section.key_file, section.answer_key_file):
            assert stat.S_IMODE(Path(path).stat().st_mode) == 0o600
    node = load(Config, layout.config("node"), environ={}).config.committee
    challenger = load(ChallengerConfig, layout.config("challenger"), environ={}).config.committee
    assert addresses_of(node) == addresses_of(challenger) == list(members)


def test_key_files_are_their_owners_alone(layout):
    paths = [layout.key_file(role) for role in ("operator", "challenger", "keeper")]
    feed = load(FeedConfig, layout.config("feed"), environ={}).config.feed
    for path in [*paths, feed.keys]:
        assert stat.S_IMODE(Path(path).stat().st_mode) == 0o600
    assert read_keys(feed.keys) == [WORLD.key("publisher", i) for i in range(PUBLISHERS)]


# The feed.


def replay(**changes):
    section = FeedSection(start_ms=START_MS, minutes=5, **changes)
    keys = [WORLD.key("publisher", i) for i in range(PUBLISHERS)]
    return Replay(section, load_markets(), keys, bytes(32))


def test_every_publisher_signs_every_price_close_to_the_market():
    keys = [WORLD.key("publisher", i) for i in range(PUBLISHERS)]
    action = price_action(MARKETS[0], 4_000_000, 4_100_000, START_MS, keys, bytes(32), 1)
    signers = [recover(signature, digest) for digest, signature in action.signed(bytes(32))]
    assert tuple(signers) == WORLD.publishers()
    for seen in action.observations:
        assert abs(seen.index_price - 4_000_000) <= 160
        assert abs(seen.mark_price - 4_100_000) <= 164
        assert seen.time == START_MS


def test_a_bar_is_due_once_it_has_ended():
    feed = replay()
    assert feed.due(START_MS - 1) == feed.due(START_MS + MINUTE_MS - 1) == 0
    assert feed.due(START_MS + MINUTE_MS) == 1
    assert feed.due(START_MS + 100 * MINUTE_MS) == 5
    assert replay(loop=True).due(START_MS + 100 * MINUTE_MS) == 100


def marks(feed, minute):
    actions = [decode_action(action) for action in feed.actions(minute)]
    return [
        sorted(seen.mark_price for seen in action.observations)[1]
        for action in actions
        if isinstance(action, Price)
    ]


def test_a_loop_runs_back_and_forth_so_that_no_price_jumps():
    closes = [
        lot_prices(market, bars.close[:5])
        for market, bars in zip(MARKETS, load_markets(), strict=True)
    ]
    feed = replay(loop=True)
    for minute, place in ((0, 0), (4, 4), (5, 4), (9, 0), (10, 0), (12, 2)):
        for found, close in zip(marks(feed, minute), closes, strict=True):
            assert abs(found - int(close[place])) * 10**6 <= 41 * int(close[place])


def test_funding_is_asked_for_once_an_hour_and_a_little_late():
    section = FeedSection(start_ms=START_MS, minutes=200)
    keys = [WORLD.key("publisher", 0)]
    feed = Replay(section, load_markets(), keys, bytes(32))
    asked = [
        minute
        for minute in range(200)
        if any(isinstance(decode_action(one), Funding) for one in feed.actions(minute))
    ]
    assert asked == [64, 124, 184]


# The keeper.


def account(id, equity, maintenance, *positions):
    return pb.Account(
        id=id,
        positions=[pb.Position(instrument=i, lots=lots, value_micro=v) for i, lots, v in positions],
        margin=pb.Margin(equity_micro=equity, maintenance_micro=maintenance),
    )


def test_the_keeper_offers_for_the_largest_position_of_failing_accounts_alone():
    accounts = [
        account(0, 1, 2, (0, 5, 50)),
        account(1, 2, 2, (0, 5, 50)),
        account(2, 1, 2, (0, 5, 50), (1, -7, -70)),
        account(3, -1, 0),
    ]
    assert offers(accounts, keeper=0) == [Offer(2, 1, 7)]
