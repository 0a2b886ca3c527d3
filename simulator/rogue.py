"""Someone with the operator's key, who posts what the law refutes and what the court refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prover.engine import Engine
from prover.forge import BatchForge, Place, Posting
from prover.provability.house import attestation_of
from simulator.broken import require
from simulator.follower import Follower, Posted
from simulator.frauds import (
    AHEAD,
    FORGERIES,
    MISPOSTINGS,
    UNASKED,
    WITHHELD,
    Offer,
    Scene,
    fill_misposted,
    held_by_committee,
)
from simulator.market import KEEPER, OPERATOR, address, genesis
from verifier.base.transactions import Finalise, PostBatch, SignedTransaction
from verifier.batches import Heads
from verifier.errors import Refused

if TYPE_CHECKING:
    from simulator.world import World

PACE_MS = 900
POST_GAS = 20_000_000
MISPOSTS = 0.5  # of the times at which it could forge
WITHHOLDS = 0.2  # of its forgeries are held by a committee that shows nothing
TWINS = 0.3  # of all forgeries are also made without the fraud
SLACK_MS = 60_000
SPACING = 7  # kinds between a seed's first forgery and its second


class Rogue:
    """Forges on whatever tip it finds, and now and then goes on above its own forgery."""

    def __init__(self, world: World, frauds: int) -> None:
        """Post at least `frauds` forged batches, each once the one before it fell."""
        self._world = world
        self._chance = world.chance("rogue")
        self._judge = Follower(genesis(), world.invariants.known, world.decoded)
        self._forged: Engine | None = None
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
        if self.landed() >= self._left or heads.tip_number == 0:
            return
        if self._chance.random() < MISPOSTS:
            self._mispost()
            return
        found = self._forge()
        if found is None:
            return
        name, posting = found
        if self._chance.random() < WITHHOLDS and WITHHELD not in self._world.options.without:
            full = posting.data
            name, posting = WITHHELD, held_by_committee(posting, attestation_of)
            self._world.invariants.withheld[posting.header.batch_id()] = full
        batch_id = posting.header.batch_id()
        self._world.invariants.fraud_names[batch_id] = name
        if self._post(posting):
            self._posted.append(batch_id)
            self._world.note("rogue", f"posts batch {posting.header.number}: {name}")
            if self._chance.random() < 0.4:
                self._go_on(posting)

    def landed(self) -> int:
        """Return how many forged batches the base layer took, those that fell among them."""
        court = self._world.base.chain.court
        return sum(court.batch(batch_id) is not None for batch_id in self._posted)

    def _go_on(self, below: Posting) -> None:
        """Post a batch on the forged state in which every step is as the law wants it."""
        assert self._forged is not None
        forge = BatchForge(self._forged)
        forge.honest([b"\xfd"], self._world.now)
        place = self.place(below.header.batch_id(), below.header.number + 1)
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

    def _forge(self) -> tuple[str, Posting] | None:
        """Make a batch that is certainly wrong, and return what is wrong with it."""
        heads = self._world.base.chain.court.heads()
        kinds = [kind for kind in FORGERIES if kind not in self._world.options.without]
        # A kind that the seed chooses goes first, so that many seeds in a row meet every kind.
        first = (self._world.seed + SPACING * len(self._posted)) % max(len(kinds), 1)
        order = self._chance.sample(kinds, len(kinds))
        for name in [*kinds[first : first + 1], *order]:
            dice = f"{self._world.seed}/{name}/{self._chance.random()}"
            posting = self.build(name, dice, heads, twin=False)
            # Some forgeries come to nothing, as when there was nothing to steal: the law agrees.
            if posting is None or self.first_bad_step(posting) is None:
                continue
            if self._chance.random() < TWINS:
                twin = self.build(name, dice, heads, twin=True)
                bad = None if twin is None else self.first_bad_step(twin)
                require("I8", bad is None, f"the twin of {name} is refuted")
            return name, posting
        return None

    def build(self, name: str, dice: str, heads: Heads, twin: bool) -> Posting | None:
        """Build a forgery, or its twin, on the tip."""
        forge = BatchForge(self.branch_after(heads.tip_id))
        FORGERIES[name](Scene(self._world, forge, dice, twin))
        if not forge.steps:
            return None
        if not twin:
            self._forged = forge.engine
        return forge.finish(self.place(heads.tip_id, heads.tip_number + 1))

    def first_bad_step(self, posting: Posting) -> int | None:
        """Return the first step of a posting that the law refutes, None if there is none."""
        branch = self._judge.branch_after(posting.header.parent_id)
        return self._judge.first_bad_step(Posted(posting.header, posting.data), branch)

    def _mispost(self) -> None:
        """Send what breaks a rule of the court: nothing but a fee may come of it."""
        kinds = [*MISPOSTINGS, AHEAD, UNASKED]
        kinds = [kind for kind in kinds if kind not in self._world.options.without]
        if not kinds:
            return
        kind = self._chance.choice(kinds)
        self.mispost(kind, self.misposting(kind))

    def mispost(self, kind: str, body: PostBatch) -> None:
        """Send a batch that the court must refuse."""
        try:
            encoded = self._world.base.send(OPERATOR, body, gas=POST_GAS)
        except Refused as refused:
            self._world.note("rogue", f"refused: {refused.code.name}")
            return
        transaction = SignedTransaction.decode(encoded).hash
        self._world.invariants.mispostings[transaction] = kind
        self._world.note("rogue", f"misposts: {kind}")

    def misposting(self, kind: str) -> PostBatch:
        """Return a batch on the tip that breaks one rule of the court."""
        chain = self._world.base.chain
        heads = chain.court.heads()
        forge = BatchForge(self.branch_after(heads.tip_id))
        fill_misposted(kind, forge, self._world.now, 2 * chain.config.drift_ms + SLACK_MS)
        posting = forge.finish(self.place(heads.tip_id, heads.tip_number + 1))
        offer = Offer(posting, chain.config.bond)
        if kind in MISPOSTINGS:
            offer = MISPOSTINGS[kind](offer, self._chance)
        posting = offer.posting
        return PostBatch(
            offer.bond, posting.header.encode(), posting.opening.encode(), posting.data
        )

    def branch_after(self, batch_id: bytes) -> Engine:
        """Return an engine of the caller's own in the state after a valid batch."""
        return self._judge.branch_after(batch_id)

    def place(self, parent_id: bytes, number: int) -> Place:
        """Return where a batch after another one stands."""
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
