"""Whoever reads from an endpoint that is behind or lies accuses no honest batch, and recovers."""

from contextlib import suppress
from typing import Any

import pytest

from clearing.keys import address_of
from prover.challenger_process import ChallengerProcess
from prover.forge import mint
from prover.pursuit import Prove
from tests.attacks.liar import BEHIND, READS, Lie, LyingBaseLayer, lies_about
from tests.attacks.stage import receipts_in
from tests.node.scenario import ALICE_KEY, price, trade
from tests.node.test_poster import ABOUT_FINAL, Setting
from tests.prover.chain_world import PROVER, ChainWorld
from verifier.base.errors import BaseLayerUnavailable, BlockUnknown
from verifier.base.transactions import Deposit, ProveFraud, TransactionKind
from verifier.batches import BatchStatus
from verifier.errors import VerifierError

TICKS = 6


class Watched:
    """A challenger behind an endpoint, what it wanted and what it could not bear."""

    def __init__(self, world: ChainWorld, endpoint: Any) -> None:
        self.world = world
        self.said: list[Any] = []
        self.broke: list[Exception] = []
        self.process = ChallengerProcess(endpoint, world.replica(), PROVER, None, self.said.append)

    def tick(self, count: int) -> None:
        for _ in range(count):
            try:
                self.process.tick()
            except (BaseLayerUnavailable, BlockUnknown):
                pass
            except (VerifierError, ValueError, LookupError) as error:
                self.broke.append(error)
            self.world.mine()


def status(world: ChainWorld, batch_id: bytes) -> BatchStatus:
    view = world.base.batch(batch_id)
    assert view is not None
    return view.status


def accusations(watched: Watched) -> list[Any]:
    """Every proof that was wanted, stands on the chain, or waits for a block."""
    chain = watched.world.chain
    waiting = [pending.signed.transaction.body for pending in chain.mempool._waiting.values()]
    blocks = range(chain.head().number + 1)
    done = [receipt for number in blocks for receipt in receipts_in(chain, number)]
    return [
        *(effect for effect in watched.said if isinstance(effect, Prove)),
        *(body for body in waiting if isinstance(body, ProveFraud)),
        *(receipt for receipt in done if receipt.kind is TransactionKind.PROVE_FRAUD),
    ]


class Recording(LyingBaseLayer):
    """Says the truth, and remembers the first answer of each read that says anything."""

    answers: dict[str, Any]

    def __getattr__(self, name: str) -> Any:
        answer = getattr(self.base, name)
        answers = self.__dict__.setdefault("answers", {})

        def read(*arguments: Any, **keywords: Any) -> Any:
            said = answer(*arguments, **keywords)
            if name in READS and answers.get(name) in (None, []):
                answers[name] = said
            return said

        return read


def told(answers: dict[str, Any]) -> list[Lie]:
    """Return the lies about these answers."""
    return [lie for read, answer in answers.items() for lie in lies_about(read, answer)]


def lies_to_a_challenger() -> list[Lie]:
    world = fresh()
    recording = Recording(world.base)
    Watched(world, recording).tick(2)
    return told(recording.answers)


def fresh() -> ChainWorld:
    world = ChainWorld()
    world.opening_batch()
    world.honest_batch(2)
    return world


LIES = lies_to_a_challenger()


def test_a_challenger_makes_reads_that_can_be_lied_about():
    assert {lie.read for lie in LIES} >= {"head", "heads", "batches", "batch_data", "credit"}


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: f"{lie.read}: {lie.name}")
def test_no_lie_makes_a_challenger_accuse_an_honest_batch_and_the_next_forgery_falls(lie):
    world = fresh()
    endpoint = LyingBaseLayer(world.base)
    watched = Watched(world, endpoint)
    endpoint.lie = lie
    watched.tick(TICKS)
    assert endpoint.told and not accusations(watched)
    # What the lie left behind does not outlive it: at the latest a restart sees clearly.
    endpoint.lie = None
    if watched.broke:
        watched = Watched(world, endpoint)
    forged = world.forged_batch(mint(1, 5), honest=0)
    watched.tick(TICKS)
    assert status(world, forged) == BatchStatus.REVERTED


def test_a_challenger_behind_an_old_view_accuses_nobody_and_still_catches_up():
    world = fresh()
    world.mine(BEHIND)
    endpoint = LyingBaseLayer(world.base, stale=True)
    watched = Watched(world, endpoint)
    world.honest_batch(2)
    watched.tick(2 * BEHIND)
    assert endpoint.told and not watched.broke and not accusations(watched)
    forged = world.forged_batch(mint(1, 5), honest=0)
    watched.tick(4 * BEHIND)  # a commitment and a proof, each seen late
    assert status(world, forged) == BatchStatus.REVERTED


def test_an_old_view_of_a_branch_that_was_dropped_is_no_view_at_all():
    """What stood on the branch is not accused on the next one, and no proof outlives it."""
    world = fresh()
    world.mine(BEHIND)
    forged = world.forged_batch(mint(1, 5), honest=0)
    endpoint = LyingBaseLayer(world.base)
    watched = Watched(world, endpoint)
    endpoint.stale = True
    watched.tick(1)
    block = world.chain.block(world.chain.head().number - 1)
    assert block is not None
    world.chain.reorg(2, [block.transactions[-1].hash])
    world.rewind()
    watched.tick(2 * BEHIND)
    assert world.base.batch(forged) is None
    assert not watched.broke
    honest = world.honest_batch(2)
    watched.tick(2 * BEHIND)
    assert status(world, honest) == BatchStatus.POSTED


# The node that posts


def posting() -> tuple[Setting, LyingBaseLayer]:
    """A node whose first batch stands, behind an endpoint."""
    setting = Setting()
    setting.tick(8)
    setting.seal(price(setting.shell.now_ms), trade(1))
    setting.tick(2)
    endpoint = LyingBaseLayer(setting.base)
    setting.poster._base = endpoint
    return setting, endpoint


def bear(setting: Setting, blocks: int) -> None:
    """Let blocks pass; a step that cannot be made is made again, as the node's thread does."""
    for _ in range(blocks):
        setting.shell.now_ms += setting.poster._court.block_time_ms
        setting.chain.mine()
        with suppress(VerifierError, ValueError, LookupError):
            setting.step()


def clear(setting: Setting, number: int) -> None:
    """Trade and end a batch, unless the node was told that it may not."""
    with suppress(KeyError):
        setting.seal(trade(number))


def lies_to_a_poster() -> list[Lie]:
    setting, endpoint = posting()
    recording = Recording(endpoint.base)
    setting.poster._base = recording
    waiting = setting.base.inbox(0, 9)
    setting.seal(trade(2))
    bear(setting, 3)
    return told({**recording.answers, "inbox": waiting})


LIES_TO_POSTERS = lies_to_a_poster()


def test_a_poster_makes_reads_that_can_be_lied_about():
    assert {lie.read for lie in LIES_TO_POSTERS} >= {"head", "heads", "batches", "inbox", "account"}


@pytest.mark.parametrize("lie", LIES_TO_POSTERS, ids=lambda lie: f"{lie.read}: {lie.name}")
def test_no_lie_costs_a_poster_its_bond_and_afterwards_all_is_posted_and_final(lie):
    setting, endpoint = posting()
    endpoint.lie = lie
    setting.send(ALICE_KEY, Deposit(address_of(ALICE_KEY), 0, 0, 5))
    clear(setting, 2)
    bear(setting, 10)
    assert endpoint.told
    endpoint.lie = None
    bear(setting, 1)
    clear(setting, 3)
    bear(setting, 2 * ABOUT_FINAL)
    heads = setting.base.heads()
    assert heads.tip_number == heads.finalised_number == len(setting.shell.seals)
    assert heads.tip_root == setting.shell.seals[-1].post_root
    assert heads.generation == 0 and setting.base.bonds().burned == 0


def test_a_poster_behind_an_old_view_loses_nothing():
    setting, endpoint = posting()
    bear(setting, BEHIND)
    endpoint.stale = True
    setting.seal(trade(2))
    bear(setting, 3 * BEHIND)
    endpoint.stale = False
    bear(setting, 2 * ABOUT_FINAL)
    heads = setting.base.heads()
    assert heads.tip_number == heads.finalised_number == 2
    assert setting.base.bonds().burned == 0
