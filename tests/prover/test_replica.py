"""A replica judges batches, follows valid ones and takes them back."""

from dataclasses import replace

import pytest

from clearing.codes import Code
from prover.forge import BatchForge, mint, with_forged_signatures, without_margin
from prover.replica import CHUNK_STEPS, Verdict
from tests.prover.chain_world import ChainWorld, decode_header
from verifier.evidence import check_bad_step


@pytest.fixture
def world():
    made = ChainWorld()
    made.opening_batch()
    return made


def judge(replica, world, batch_id):
    view = world.base.batch(batch_id)
    return replica.judge(decode_header(view), world.base.batch_data(batch_id))


def followed(world):
    """A replica after every canonical batch, all of them valid."""
    replica = world.replica()
    for view in world.base.batches(1, 100):
        assert judge(replica, world, view.record.batch_id).verdict is Verdict.VALID
    return replica


def test_valid_batches_are_followed_to_the_sequencers_root(world):
    world.honest_batch()
    replica = followed(world)
    assert replica.number == 2
    assert replica.engine.root() == world.engine.root()


@pytest.mark.parametrize(
    ("cheat", "trade"),
    [
        ({"mutate": mint(0, 5)}, {}),
        ({"prepare": without_margin}, {"lots": 10**6}),
        ({"prepare": with_forged_signatures}, {"signers": (3, 0)}),
    ],
)
@pytest.mark.parametrize("honest", [0, 20])
def test_the_first_forged_step_is_found_and_proven(world, cheat, trade, honest):
    replica = followed(world)
    root = replica.engine.root()
    actions = [world.market.trade(1, 2, **trade)]
    batch_id = world.forged_batch(actions=actions, honest=honest, **cheat)
    made = judge(replica, world, batch_id)
    assert made.verdict is Verdict.INVALID
    assert made.step == (honest + 7) // 8
    assert check_bad_step(decode_header(world.base.batch(batch_id)), made.evidence)
    assert replica.number == 1
    assert replica.engine.root() == root


def test_a_forged_step_of_a_long_batch_is_found_at_its_own_place(world):
    replica = followed(world)
    place = world.place()
    forge = BatchForge(world.engine)
    for _ in range(CHUNK_STEPS + 1):
        forge.forged([], world.now)
    forge.forged([world.market.trade(0, 1)], world.now, mutate=mint(0, 5))
    forged = forge.finish(place)
    made = replica.judge(forged.header, forged.data)
    assert (made.verdict, made.step) == (Verdict.INVALID, CHUNK_STEPS + 1)
    assert check_bad_step(forged.header, made.evidence)


def test_after_a_forged_batch_the_honest_one_in_its_place_is_followed(world):
    replica = followed(world)
    place = world.place()
    forge = BatchForge(world.engine)
    codes = forge.forged([world.market.trade(0, 1)], world.now, mutate=mint(0, 5))
    assert codes.tolist() == [Code.APPLIED]
    forged = forge.finish(place)
    assert replica.judge(forged.header, forged.data).verdict is Verdict.INVALID
    world.rewind()
    assert judge(replica, world, world.honest_batch()).verdict is Verdict.VALID


def test_missing_or_other_data_are_unavailable_and_nobodys_guilt(world):
    replica = followed(world)
    view = world.base.batch(world.honest_batch())
    header, data = decode_header(view), world.base.batch_data(view.record.batch_id)
    for other in (None, data + b"\0", data[:-1]):
        made = replica.judge(header, other)
        assert made.verdict is Verdict.UNAVAILABLE
        assert made.reason
    # Other bytes of the same form: a base layer that lies accuses nobody.
    last = data[:-1] + bytes([data[-1] ^ 1])
    made = replica.judge(header, last)
    assert (made.verdict, "data of hash" in made.reason) == (Verdict.UNAVAILABLE, True)
    for lie in ({"pre_root": bytes(32)}, {"post_root": bytes(32)}):
        assert replica.judge(replace(header, **lie), data).verdict is Verdict.UNAVAILABLE
    assert replica.judge(header, data).verdict is Verdict.VALID


def test_it_rolls_back_to_any_batch_that_is_not_released(world):
    for _ in range(3):
        world.honest_batch()
    replica, roots = world.replica(), []
    for view in world.base.batches(1, 100):
        judge(replica, world, view.record.batch_id)
        roots.append(replica.engine.root())
    replica.release(2)
    replica.roll_back(3)
    assert (replica.number, replica.engine.root()) == (3, roots[2])
    replica.roll_back(2)
    assert replica.engine.root() == roots[1]
    with pytest.raises(ValueError, match="rebuild the replica"):
        replica.roll_back(1)


def test_a_batch_on_another_parent_is_refused(world):
    replica = world.replica()
    view = world.base.batch(world.honest_batch())
    with pytest.raises(ValueError, match="roll back to its parent"):
        replica.judge(decode_header(view), b"")
