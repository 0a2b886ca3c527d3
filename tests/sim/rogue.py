"""Someone with the operator's key, who posts batches that the law refutes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from clearing.messages import Withdraw
from prover.forge import (
    BatchForge,
    Place,
    Posting,
    mint,
    with_forged_signatures,
    without_margin,
)
from tests.sim.follower import Follower, Posted
from tests.sim.market import FAR_MS, KEEPER, OPERATOR, address, genesis, on_tick, order_of, trade
from verifier.batch import Pair
from verifier.errors import Refused
from verifier.transactions import Finalise, PostBatch

if TYPE_CHECKING:
    from tests.sim.world import World

PACE_MS = 900
POST_GAS = 20_000_000


class Rogue:
    """Forges on whatever tip it finds, and now and then goes on above its own forgery."""

    def __init__(self, world: World, frauds: int) -> None:
        """Post at least `frauds` forged batches, each once the one before it fell."""
        self._world = world
        self._chance = world.chance("rogue")
        invariants = world.invariants
        self._follower = Follower(genesis(), invariants.known, world.decoded)
        self._checker = Follower(genesis(), invariants.known, world.decoded)
        self._left = frauds
        self._posted: list[bytes] = []
        self.finished = False

    def start(self) -> None:
        """Begin some time after the market did."""
        wait = self._chance.randint(9_000, 30_000)
        self._world.after(wait, "rogue", "act", self._act)

    def _act(self) -> None:
        self._world.after(PACE_MS, "rogue", "act", self._act)
        chain = self._world.base.chain
        heads = chain.court.heads()
        self._finalise()
        tip = self._world.invariants.findings.get(heads.tip_id)
        if self.finished or (tip is not None and not tip.valid):
            return
        landed = [batch_id for batch_id in self._posted if chain.court.batch(batch_id) is not None]
        if len(landed) >= self._left or heads.tip_number == 0:
            return
        name, posting = self._forge()
        batch_id = posting.header.batch_id()
        self._world.invariants.fraud_names[batch_id] = name
        if self._post(posting):
            self._posted.append(batch_id)
            self._world.note("rogue", f"posts batch {posting.header.number}: {name}")
            if self._chance.random() < 0.4:
                self._go_on(posting)

    def _go_on(self, below: Posting) -> None:
        """Post a batch on the forged state in which every step is as the law wants it."""
        forge = BatchForge(self._follower.engine)
        forge.honest([b"\xfd"], self._world.now)
        place = self._place(below.header.batch_id(), below.header.number + 1)
        nonce = self._world.base.chain.ledger.account(address(OPERATOR)).nonce
        self._post(forge.finish(place), nonce + 1)

    def _post(self, posting: Posting, nonce: int | None = None) -> bool:
        chain = self._world.base.chain
        body = PostBatch(
            chain.config.bond, posting.header.encode(), posting.opening.encode(), posting.data
        )
        try:
            self._world.base.send(OPERATOR, body, nonce, POST_GAS)
        except Refused as refused:
            self._world.note("rogue", f"refused: {refused.code.name}")
            return False
        return True

    def _finalise(self) -> None:
        """Try to make forged batches final, and what stands before them: anyone may ask."""
        chain = self._world.base.chain
        heads = chain.court.heads()
        for view in chain.court.batches(heads.finalised_number + 1, 1):
            if self._posted and chain.head().number >= view.closes_block:
                try:
                    self._world.base.send(KEEPER, Finalise(view.record.batch_id))
                except Refused as refused:
                    self._world.note("rogue", f"refused: {refused.code.name}")

    def _forge(self) -> tuple[str, Posting]:
        """Make a batch that is certainly wrong, and return what is wrong with it."""
        kinds: dict[str, Callable[[BatchForge], None]] = {
            "minted money": self._mint,
            "garbage root": self._garbage,
            "forged withdrawal": self._steal,
            "forged trade": self._trade_unsigned,
            "margin skipped": self._skip_margin,
        }
        tip = self._world.base.chain.court.heads().tip_id
        for name in self._chance.sample(sorted(kinds), len(kinds)):
            self._follower.stand_after(tip)
            forge = BatchForge(self._follower.engine)
            self._follower.spoil()
            kinds[name](forge)
            heads = self._world.base.chain.court.heads()
            posting = forge.finish(self._place(heads.tip_id, heads.tip_number + 1))
            # Some forgeries come to nothing, as when there was nothing to steal: the law agrees.
            self._checker.stand_after(tip)
            if self._checker.first_bad_step(Posted(posting.header, posting.data)) is not None:
                return name, posting
        raise AssertionError("expected some forgery to be one, was none")

    def _place(self, parent_id: bytes, number: int) -> Place:
        chain = self._world.base.chain
        head = chain.head()
        return Place(
            chain.court.heads().generation,
            number,
            parent_id,
            head.finalised_number,
            head.finalised_hash,
            address(OPERATOR),
        )

    def _account(self, forge: BatchForge) -> int:
        return self._chance.randrange(max(int(forge.engine.totals.account_count), 1))

    def _mint(self, forge: BatchForge) -> None:
        account = self._account(forge)
        forge.forged([], self._world.now, mutate=mint(account, self._chance.randint(1, 10**12)))

    def _garbage(self, forge: BatchForge) -> None:
        """A root in the middle that is none, with an honest end."""
        forge.honest([b"\xff"], self._world.now)
        forge.pairs[0] = Pair(forge.pairs[0].step_hash, self._chance.randbytes(32))
        forge.honest([b"\xfe"], self._world.now)

    def _steal(self, forge: BatchForge) -> None:
        request = Withdraw(self._account(forge), 0, 1_000, 1 << 50, FAR_MS)
        forge.forged([request.encode()], self._world.now, prepare=with_forged_signatures)

    def _trade_unsigned(self, forge: BatchForge) -> None:
        forge.forged([self._any_trade(1, swap=True)], self._world.now, with_forged_signatures)

    def _skip_margin(self, forge: BatchForge) -> None:
        forge.forged([self._any_trade(50_000)], self._world.now, without_margin)

    def _any_trade(self, lots: int, swap: bool = False) -> bytes:
        here = self._world.traders.here()
        if len(here) < 2:
            return b"\xff"
        maker, taker = self._chance.sample(here, 2)
        price = on_tick(self._world.feed.prices[0])
        names = (taker.name, maker.name) if swap else (maker.name, taker.name)
        return trade(
            (names[0], order_of(maker, lots, price, 5)),
            (names[1], order_of(taker, lots, price, 5)),
            instrument=0,
            lots=lots,
            price=price,
            maker_side=1,
        )
