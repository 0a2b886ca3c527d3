"""Session keys, their scopes and limits, and owners that replace their key."""

from dataclasses import replace

import pytest

from clearing import keys
from clearing.codes import Code, Kind, OrderFlag, Scope, Side
from clearing.eip712 import bulk_digest, bulk_tree
from clearing.keccak import to_bytes
from clearing.messages import Authorisation
from clearing.units import AMOUNT_MAX, KEYS_MAX
from tests.clearing.law.faults import COMMON, Case, outcome, pairs
from tests.support.world import DEPOSIT, MARK, NEVER_MS, START_MS, Trader, World, address_of, key_of

EVERYTHING = Scope.TRADE | Scope.CANCEL | Scope.TRANSFER | Scope.POOL | Scope.KEEPER


def number_of(name):
    """An address as the integer that a form takes."""
    return int.from_bytes(address_of(name), "big")


def grant(world, owner, name, scope=EVERYTHING, signer=None, **changes):
    fields = {"first_instrument": 0, "last_instrument": 2, "limit": AMOUNT_MAX} | changes
    fields = {"account": owner.account, "key": number_of(name), "key_expiry": NEVER_MS} | fields
    return world.request(Kind.KEY_GRANT, key_of(signer or owner.name), scope=int(scope), **fields)


def revoke(world, owner, name, signer=None, **changes):
    fields = {"account": owner.account, "key": number_of(name)} | changes
    return world.request(Kind.KEY_REVOKE, key_of(signer or owner.name), **fields)


def rotate(world, owner, name, signer=None, **changes):
    fields = {"account": owner.account, "key": number_of(name)} | changes
    return world.request(Kind.ROTATE_KEY, key_of(signer or owner.name), **fields)


def as_key(owner, name):
    """The owner's account in the hands of somebody else's key."""
    return Trader(name, owner.account)


@pytest.fixture
def market():
    world = World()
    return world, world.trader("alice"), world.trader("bob")


class Grant(Case):
    """Alice grants a key."""

    def prepare(self):
        self.owner, self.name, self.signer = self.world.trader("alice"), "robot", None
        self.changes = {"sequence": 7}

    def action(self):
        return grant(self.world, self.owner, self.name, signer=self.signer, **self.changes)


class Revoke(Grant):
    """Alice takes a key back."""

    def prepare(self):
        super().prepare()
        assert self.world.apply(grant(self.world, self.owner, "robot")) == Code.APPLIED

    def action(self):
        return revoke(self.world, self.owner, self.name, signer=self.signer, **self.changes)


class Rotate(Grant):
    """Alice replaces her key."""

    def action(self):
        return rotate(self.world, self.owner, self.name, signer=self.signer, **self.changes)


def missing(case):
    case.owner = Trader("alice", 99)


def forged(case):
    case.signer = "mallory"


def stale(case):
    case.world.account(Trader("alice", 0)).request_sequence = 7


def crowded(case):
    for i in range(KEYS_MAX):
        row = case.world.account(Trader("alice", 0))
        row.keys[i].address[3] = 1 + i
        row.keys[i].scope = 1
        row.key_count = KEYS_MAX


SHARED = COMMON | {
    Code.NO_ACCOUNT: missing,
    Code.EXPIRED: lambda case: case.changes.update(expiry=START_MS - 1),
    Code.BAD_SIGNATURE: forged,
    Code.STALE_SEQUENCE: stale,
    Code.KEY_SCOPE: lambda case: case.changes.update(key=0),
}
GRANT_FAULTS = SHARED | {Code.KEY_SLOTS: crowded}
REVOKE_FAULTS = SHARED | {Code.KEY_SLOTS: crowded}


@pytest.mark.parametrize("code", GRANT_FAULTS, ids=lambda code: code.name)
def test_a_grant_that_breaks_one_rule_is_rejected_by_it_clr_key_001_clr_key_003(code):
    assert outcome(Grant, {}) == Code.APPLIED
    assert outcome(Grant, GRANT_FAULTS, code) == code


@pairs(GRANT_FAULTS)
def test_of_two_rules_that_a_grant_breaks_the_first_is_named(first, second):
    assert outcome(Grant, GRANT_FAULTS, second, first) == first


@pairs(REVOKE_FAULTS)
def test_of_two_rules_that_a_revocation_breaks_the_first_is_named(first, second):
    assert outcome(Revoke, {}) == Code.APPLIED
    assert outcome(Revoke, REVOKE_FAULTS, second, first) == first


@pairs(SHARED)
def test_of_two_rules_that_a_rotation_breaks_the_first_is_named(first, second):
    assert outcome(Rotate, {}) == Code.APPLIED
    assert outcome(Rotate, SHARED, second, first) == first


def test_a_grant_writes_the_key_and_a_second_one_replaces_its_terms(market):
    world, alice, _ = market
    terms = {"first_instrument": 1, "last_instrument": 2, "limit": 77, "key_expiry": START_MS}
    assert world.apply(grant(world, alice, "robot", Scope.TRADE, **terms)) == Code.APPLIED
    row = world.account(alice)
    key = row.keys[0]
    assert row.key_count == 1
    assert to_bytes(key.address) == bytes(12) + address_of("robot")
    written = (key.scope, key.first_instrument, key.last_instrument, key.limit, key.expiry)
    assert written == (Scope.TRADE, 1, 2, 77, START_MS)
    assert world.apply(grant(world, alice, "robot", Scope.CANCEL, limit=5)) == Code.APPLIED
    key = world.account(alice).keys[0]
    assert world.account(alice).key_count == 1
    assert (key.scope, key.limit) == (Scope.CANCEL, 5)


def test_an_account_holds_four_keys_clr_key_003(market):
    world, alice, _ = market
    for i in range(KEYS_MAX):
        assert world.apply(grant(world, alice, f"robot {i}")) == Code.APPLIED
    assert world.apply(grant(world, alice, "robot 4")) == Code.KEY_SLOTS
    assert world.apply(revoke(world, alice, "robot 1")) == Code.APPLIED
    assert world.apply(grant(world, alice, "robot 4")) == Code.APPLIED
    held = {to_bytes(key.address)[12:] for key in world.account(alice).keys}
    assert held == {address_of(f"robot {i}") for i in (0, 2, 3, 4)}


@pytest.mark.parametrize("gone", range(3))
def test_a_revoked_key_signs_nothing_and_the_others_sign_on_clr_sig_001(market, gone):
    world, alice, bob = market
    for i in range(3):
        assert world.apply(grant(world, alice, f"robot {i}")) == Code.APPLIED
    assert world.apply(revoke(world, alice, f"robot {gone}")) == Code.APPLIED
    for i in range(3):
        trade = world.trade(as_key(alice, f"robot {i}"), bob)
        assert world.apply(trade) == (Code.BAD_SIGNATURE if i == gone else Code.APPLIED)
    assert not any(world.account(alice).keys[2].address)


def test_the_key_that_takes_a_revoked_ones_place_keeps_all_its_terms(market):
    world, alice, _ = market
    assert world.apply(grant(world, alice, "robot 0")) == Code.APPLIED
    terms = {"first_instrument": 1, "last_instrument": 1, "limit": 77, "key_expiry": START_MS}
    assert world.apply(grant(world, alice, "robot 1", Scope.TRADE, **terms)) == Code.APPLIED
    moved, nothing = (world.account(alice).keys[place].tobytes() for place in (1, 2))
    assert world.apply(revoke(world, alice, "robot 0")) == Code.APPLIED
    keys = [key.tobytes() for key in world.account(alice).keys]
    assert keys == [moved, *[nothing] * (KEYS_MAX - 1)]


def test_a_rotation_leaves_nothing_of_the_keys_before(market):
    world, alice, _ = market
    clean = world.trader("carol")
    for name in ("robot 0", "robot 1"):
        assert world.apply(grant(world, alice, name)) == Code.APPLIED
    for owner in (alice, clean):
        assert world.apply(rotate(world, owner, "new owner")) == Code.APPLIED
    assert world.account(alice).keys.tobytes() == world.account(clean).keys.tobytes()


@pytest.mark.parametrize("scope", [Scope.ROOT, 64, 32, 0])
def test_no_grant_makes_a_key_that_stands_in_the_owners_place_clr_act_001(market, scope):
    world, alice, _ = market
    action = grant(world, alice, "robot").encode()
    place = 1 + 8 + 20
    assert action[place] == EVERYTHING
    assert world.apply(action[:place] + bytes([scope]) + action[place + 1 :]) == Code.MALFORMED


def test_no_session_key_grants_revokes_rotates_or_withdraws_clr_key_001(market):
    world, alice, _ = market
    assert world.apply(grant(world, alice, "robot")) == Code.APPLIED
    for action in (
        grant(world, alice, "other", signer="robot"),
        revoke(world, alice, "robot", signer="robot"),
        rotate(world, alice, "robot", signer="robot"),
        world.withdraw(as_key(alice, "robot"), 1),
    ):
        assert world.apply(action) == Code.KEY_SCOPE


def test_a_session_key_with_the_owners_bit_would_be_no_owner_either_clr_key_001(market):
    # No grant makes one; the law asks all the same.
    world, alice, _ = market
    assert world.apply(grant(world, alice, "robot")) == Code.APPLIED
    world.account(alice).keys[0].scope |= Scope.ROOT
    assert world.apply(rotate(world, alice, "robot", signer="robot")) == Code.KEY_SCOPE
    assert world.apply(world.withdraw(as_key(alice, "robot"), 1)) == Code.KEY_SCOPE


def actions_of(world, signer, other):
    """One action of each scope, signed by somebody for his account."""
    return {
        Scope.TRADE: world.trade(signer, other),
        Scope.CANCEL: world.cancel(signer, world.next_sequence()),
        Scope.TRANSFER: world.transfer(signer, other, 1),
    }


@pytest.mark.parametrize("scope", [Scope.TRADE, Scope.CANCEL, Scope.TRANSFER])
def test_a_key_signs_what_its_scope_says_and_nothing_else_clr_key_001(market, scope):
    world, alice, bob = market
    assert world.apply(grant(world, alice, "robot", scope)) == Code.APPLIED
    for needed, action in actions_of(world, as_key(alice, "robot"), bob).items():
        assert world.apply(action) == (Code.APPLIED if needed == scope else Code.KEY_SCOPE)


def test_a_keeper_key_liquidates_for_its_account_clr_key_001(market):
    world, alice, bob = market
    carol = world.trader("carol", 10 * MARK // 20)
    assert world.apply(world.trade(carol, bob, 10)) == Code.APPLIED
    world.move_price(MARK * 97 // 100)
    robot = as_key(alice, "robot")
    assert world.apply(world.liquidate(robot, carol)) == Code.BAD_SIGNATURE
    assert world.apply(grant(world, alice, "robot", Scope.TRADE)) == Code.APPLIED
    assert world.apply(world.liquidate(robot, carol)) == Code.KEY_SCOPE
    assert world.apply(grant(world, alice, "robot", Scope.KEEPER)) == Code.APPLIED
    assert world.apply(world.liquidate(robot, carol)) == Code.APPLIED
    assert world.lots(alice) > 0


def test_a_key_signs_inside_its_instruments_alone_clr_key_001(market):
    world, alice, bob = market
    only = {"first_instrument": 1, "last_instrument": 1}
    assert world.apply(grant(world, alice, "robot", **only)) == Code.APPLIED
    for instrument in range(3):
        trade = world.trade(as_key(alice, "robot"), bob, instrument=instrument)
        assert world.apply(trade) == (Code.APPLIED if instrument == 1 else Code.KEY_SCOPE)


def test_a_key_lives_to_the_last_millisecond_of_its_expiry_clr_key_001(market):
    world, alice, bob = market
    assert world.apply(grant(world, alice, "robot", key_expiry=START_MS + 5)) == Code.APPLIED
    world.wait(5)
    assert world.apply(world.trade(as_key(alice, "robot"), bob)) == Code.APPLIED
    world.wait(1)
    assert world.apply(world.trade(as_key(alice, "robot"), bob)) == Code.KEY_SCOPE


def test_a_stranger_is_named_before_a_key_that_may_not_sign_clr_sig_001(market):
    world, alice, bob = market
    assert world.apply(grant(world, alice, "robot", Scope.CANCEL)) == Code.APPLIED
    robot, stranger = as_key(alice, "robot"), as_key(bob, "mallory")
    assert world.apply(world.trade(robot, stranger)) == Code.BAD_SIGNATURE
    assert world.apply(world.trade(stranger, robot)) == Code.BAD_SIGNATURE
    assert world.apply(world.trade(robot, bob)) == Code.KEY_SCOPE
    assert world.apply(world.trade(bob, robot)) == Code.KEY_SCOPE


def limit_of(world, trader):
    return int(world.account(trader).keys[0].limit)


def test_what_a_key_opens_comes_off_its_limit_and_what_it_closes_does_not_clr_key_002(market):
    world, alice, bob = market
    assert world.apply(grant(world, alice, "robot", limit=10 * MARK)) == Code.APPLIED
    robot = as_key(alice, "robot")
    assert world.apply(world.trade(robot, bob, 6)) == Code.APPLIED
    assert limit_of(world, alice) == 4 * MARK
    # Four closed of six, then a flip from two long to three short: three opened.
    assert world.apply(world.trade(robot, bob, 4, side=Side.SELL)) == Code.APPLIED
    assert limit_of(world, alice) == 4 * MARK
    assert world.apply(world.trade(robot, bob, 5, side=Side.SELL)) == Code.APPLIED
    assert limit_of(world, alice) == MARK
    assert world.apply(world.trade(robot, bob, 2, side=Side.SELL)) == Code.KEY_CAP
    assert world.apply(world.trade(robot, bob, 1, side=Side.SELL)) == Code.APPLIED
    assert limit_of(world, alice) == 0
    assert world.apply(world.trade(robot, bob, 4, side=Side.BUY)) == Code.APPLIED
    assert world.apply(world.trade(robot, bob, 1, side=Side.BUY)) == Code.KEY_CAP
    # The owner has no limit.
    assert world.apply(world.trade(alice, bob, 1)) == Code.APPLIED


def test_a_taker_spends_its_keys_limit_too_clr_key_002(market):
    world, alice, bob = market
    assert world.apply(grant(world, bob, "robot", limit=MARK)) == Code.APPLIED
    robot = as_key(bob, "robot")
    assert world.apply(world.trade(alice, robot, 2)) == Code.KEY_CAP
    assert world.apply(world.trade(alice, robot, 1)) == Code.APPLIED
    assert limit_of(world, bob) == 0


def test_margin_is_judged_before_the_limit_of_a_key_clr_mrg_001(market):
    world, alice, bob = market
    assert world.apply(grant(world, alice, "robot", limit=1)) == Code.APPLIED
    trade = world.trade(as_key(alice, "robot"), bob, 10**5)
    assert world.apply(trade) == Code.MARGIN


def test_transfers_by_a_key_come_off_its_limit_clr_key_002(market):
    world, alice, bob = market
    assert world.apply(grant(world, alice, "robot", limit=10)) == Code.APPLIED
    robot = as_key(alice, "robot")
    assert world.apply(world.transfer(robot, bob, 11)) == Code.KEY_CAP
    assert world.apply(world.transfer(robot, bob, 10)) == Code.APPLIED
    assert world.apply(world.transfer(robot, bob, 1)) == Code.KEY_CAP
    assert world.apply(world.transfer(alice, bob, 1)) == Code.APPLIED
    assert world.account(bob).cash == DEPOSIT + 11


def test_one_bulk_signature_of_a_session_key_covers_a_tree_of_orders(market):
    world, alice, bob = market
    assert world.apply(grant(world, alice, "robot", Scope.TRADE)) == Code.APPLIED
    trades = [world.trade(alice, bob, lots) for lots in (1, 2, 3)]

    root, paths = bulk_tree([trade.maker_struct_hash() for trade in trades])
    signature = keys.sign(key_of("robot"), bulk_digest(world.domain, root))
    signed = [
        replace(trade, maker_authorisation=Authorisation(signature, place, paths[place]))
        for place, trade in enumerate(trades)
    ]
    assert world.step(signed) == [Code.APPLIED] * 3
    assert world.lots(alice) == 6
    assert world.apply(revoke(world, alice, "robot")) == Code.APPLIED
    assert world.apply(signed[0]) == Code.BAD_SIGNATURE


def test_a_rotated_owner_signs_nothing_and_the_new_key_everything_clr_sig_001(market):
    world, alice, bob = market
    assert world.apply(grant(world, alice, "robot")) == Code.APPLIED
    resting = world.trade(alice, bob)
    assert world.apply(rotate(world, alice, "new alice")) == Code.APPLIED
    row = world.account(alice)
    assert (row.key_count, row.keys[0].scope) == (1, Scope.ROOT)
    for old in (alice, as_key(alice, "robot")):
        for action in (*actions_of(world, old, bob).values(), world.withdraw(old, 1)):
            assert world.apply(action) == Code.BAD_SIGNATURE
        assert world.apply(grant(world, alice, "robot", signer=old.name)) == Code.BAD_SIGNATURE
        assert world.apply(rotate(world, alice, "x", signer=old.name)) == Code.BAD_SIGNATURE
    assert world.apply(resting) == Code.BAD_SIGNATURE
    new = as_key(alice, "new alice")
    for action in (*actions_of(world, new, bob).values(), world.withdraw(new, 1)):
        assert world.apply(action) == Code.APPLIED
    assert world.apply(grant(world, new, "robot")) == Code.APPLIED
    assert world.apply(world.trade(as_key(alice, "robot"), bob)) == Code.APPLIED


def test_withdrawals_of_a_rotated_account_go_to_the_new_key(market):
    world, alice, _ = market
    assert world.apply(world.withdraw(alice, 1)) == Code.APPLIED
    assert world.apply(rotate(world, alice, "new alice")) == Code.APPLIED
    assert world.apply(world.withdraw(as_key(alice, "new alice"), 2)) == Code.APPLIED
    assert world.apply(rotate(world, alice, "third", signer="new alice")) == Code.APPLIED
    assert world.apply(world.withdraw(as_key(alice, "third"), 3)) == Code.APPLIED
    recipients = [to_bytes(claim.recipient)[12:] for claim in world.state.withdrawals[:3]]
    assert recipients == [address_of(name) for name in ("alice", "new alice", "third")]


def test_the_base_layer_still_knows_a_rotated_account_by_its_owner(market):
    world, alice, _ = market
    assert world.apply(rotate(world, alice, "new alice")) == Code.APPLIED
    assert world.apply(world.deposit(alice, 5)) == Code.APPLIED
    assert world.account(alice).cash == DEPOSIT + 5


def test_the_key_in_the_owners_place_is_no_session_key_clr_key_001(market):
    world, alice, _ = market
    assert world.apply(rotate(world, alice, "new alice")) == Code.APPLIED
    new = as_key(alice, "new alice")
    assert world.apply(grant(world, new, "new alice", Scope.CANCEL)) == Code.KEY_SCOPE
    assert world.apply(revoke(world, new, "new alice")) == Code.KEY_SCOPE
    assert world.account(alice).keys[0].scope == Scope.ROOT


def test_an_owner_may_come_back(market):
    world, alice, bob = market
    assert world.apply(rotate(world, alice, "new alice")) == Code.APPLIED
    back = rotate(world, alice, "alice", signer="new alice")
    assert world.apply(back) == Code.APPLIED
    assert world.apply(world.trade(alice, bob)) == Code.APPLIED
    assert world.apply(world.trade(as_key(alice, "new alice"), bob)) == Code.BAD_SIGNATURE


def test_a_key_may_not_trade_with_its_owners_other_account_clr_trd_001(market):
    world, alice, _ = market
    second = world.trader("alice", subaccount=1)
    assert world.apply(grant(world, alice, "robot")) == Code.APPLIED
    assert world.apply(world.trade(as_key(alice, "robot"), second)) == Code.SELF_TRADE


def test_reduce_only_orders_of_a_key_without_limit_close_a_position(market):
    world, alice, bob = market
    assert world.apply(world.trade(alice, bob, 5)) == Code.APPLIED
    assert world.apply(grant(world, alice, "robot", Scope.TRADE, limit=0)) == Code.APPLIED
    robot = as_key(alice, "robot")
    order = world.order(robot, limit_price=MARK, flags=int(OrderFlag.REDUCE_ONLY))
    trade = world.trade(robot, bob, 5, side=Side.SELL, maker=order)
    assert world.apply(trade) == Code.APPLIED
    assert world.lots(alice) == 0
