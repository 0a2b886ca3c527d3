"""Whoever is rejected for a mode or a limit learns what stood in the way."""

from clearing.codes import Code, Kind, Mode
from node.explain import explain
from tests.support.world import MARK, World


def explained(world, action):
    """(code, operands) of a rejected action."""
    columns = world.columns([action])
    code = world.apply(action)
    sentence, operands = explain(world.state, columns.actions[0], code, action.encode())
    assert sentence
    return code, operands


def test_a_refused_mode_and_a_limit_are_told_with_their_numbers():
    world = World(owner_limit=5 * MARK)
    alice, bob = world.trader("alice"), world.trader("bob")

    def to(mode):
        return world.request(Kind.SET_MODE, alice.key, account=alice.account, mode=int(mode))

    code, operands = explained(world, to(Mode.CROSS))
    assert code == Code.ACCOUNT_MODE
    assert (operands["mode"], operands["wanted_mode"]) == ("0", "0")
    for instrument in (0, 1):
        assert world.apply(world.trade(alice, bob, 2, instrument=instrument)) == Code.APPLIED
    assert explained(world, to(Mode.ISOLATED)) == (Code.POSITION_CAP, {"positions": "2"})
    code, operands = explained(world, world.trade(alice, bob, 2))
    assert code == Code.OWNER_LIMIT
    assert operands["owner_limit_micro"] == str(5 * MARK)
    assert operands[f"account_{alice.account}_notional_micro"] == str(4 * MARK)


def test_who_is_held_learns_until_when_and_a_check_what_it_found():
    world = World(owner_group_ppm=1_000_000, owner_hold_ms=9_000)
    world.instrument(0).position_cap = 5
    mine, bob = [world.trader("alice", subaccount=i) for i in range(2)], world.trader("bob")

    def check(*ids):
        return world.request(Kind.OWNER_CHECK, payload=ids, instrument=0)

    code, operands = explained(world, check(0, 1))
    assert (code, operands["lots"], operands["limit_lots"]) == (Code.NOT_NEEDED, "0", "5")
    for wrong in ((1, 0), (0, bob.account), (0, 77)):
        code, operands = explained(world, check(*wrong))
        assert code in (Code.OPERATION_ORDER, Code.OTHER_OWNER, Code.NO_ACCOUNT)
        assert operands["accounts"] == ",".join(map(str, wrong))
    for trader in mine:
        assert world.apply(world.trade(trader, world.trader(f"maker of {trader}"), 3)) == 0
    assert world.apply(check(0, 1)) == Code.APPLIED
    code, operands = explained(world, world.trade(mine[0], bob, 1))
    assert code == Code.OWNER_LIMIT
    assert operands["account_0_hold_until_ms"] == str(world.time + 9_000)
