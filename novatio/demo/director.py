"""The demo from its first process to its last check, phase by phase."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from clearing.codes import Code, Kind
from clearing.eip712 import domain_separator
from clearing.units import MICRO
from node.config import ClockSection
from novatio.demo.files import Layout, Pace, write_files
from novatio.demo.flow import NATURAL_CODES
from novatio.demo.observer import Observer
from novatio.demo.processes import Children, ProcessFailed, free_ports
from novatio.demo.progress import PHASES, Dispute, Heads, Progress
from novatio.demo.report import Report, books_of, check_money, check_trades
from novatio.demo.rogue import FORGERIES, Forger, place_on
from novatio.demo.stage import Stage, start
from novatio.demo.trading import Trading
from novatio.demo.wallet import TransactionFailed, Wallet
from novatio.signing import LocalSigner
from novatio.world import DAY_MS, MARKETS, MINUTE_MS, World, load_markets
from verifier.base.interface import BatchReverted
from verifier.base.transactions import ClaimWithdrawal, PostBatch
from verifier.batches import BatchStatus
from verifier.rewards import PRICE_SHARE

__all__ = ["Director", "Options"]

STEP_SECONDS: Final = 45.0
LOOK_SECONDS: Final = 0.2
FORGE_ATTEMPTS: Final = 10
POST_SECONDS: Final = 3.0
AFTERMATH_MINUTES: Final = 12
WITHDRAWN: Final = 1_000  # quote units
KEEPER_ROUNDS: Final = 5
REVERTS_MAX: Final = 1_000
BATCHES_SHOWN: Final = 8


@dataclass(frozen=True, slots=True)
class Options:
    """How large and how fast: `minutes` bars from bar `first` on, replayed in `seconds`.

    The replay begins `lead_seconds` after the first process was started; what is late then is
    caught up in order. The demo gives up after `limit_seconds`.
    """

    accounts: int = 240
    seed: int = 1
    first: int = 0
    minutes: int = 2_880
    seconds: float = 60.0
    lead_seconds: float = 6.0
    limit_seconds: float = 600.0

    @property
    def rate(self) -> int:
        """Law ms a wall ms."""
        return max(1, int(self.minutes * MINUTE_MS / (self.seconds * 1_000)))


class Director:
    """Runs one demo. `progress` may be read at any time; `run` fills and returns `report`."""

    def __init__(self, options: Options, directory: Path, tick: Callable[[Progress], None]) -> None:
        """`directory` gets files and logs; `tick` is called a few times a second."""
        self.options = options
        self.progress = Progress(options.minutes)
        self.report = Report(options.seed, options.accounts, options.minutes)
        self._tick = tick
        self._pace = Pace(options.rate)
        self._start_ms = int(load_markets()[0].time_ms[options.first])
        self.world = World(
            options.seed, options.accounts, self._start_ms - 7 * DAY_MS, self._pace.block_ms
        )
        base, node = free_ports(2)
        self.layout = Layout(directory, f"127.0.0.1:{base}", f"127.0.0.1:{node}")
        self._children = Children(directory)

    def run(self) -> Report:
        """Play the whole world. Raises what makes it impossible to go on."""
        with self._children:
            stage = self._set_up()
            observer = Observer(stage.base, self.world.genesis(), self.options.accounts)
            trading = Trading(
                stage.client,
                stage.flow(self.options.first, self.options.minutes),
                stage.clock,
                self._start_ms,
                self.options.minutes,
            )
            play = _Play(self, stage, observer, trading)
            try:
                play.replay()
                play.go_rogue()
                play.withdraw()
                play.check()
            finally:
                trading.stop()
                observer.close()
                stage.close()
        self.report.wall_seconds = round(self.progress.seconds, 1)
        return self.report

    def _set_up(self) -> Stage:
        self.progress.enter(PHASES[0], "base layer, node, challenger, deposits")
        self._tick(self.progress)
        clock = ClockSection(
            origin_ms=self._start_ms,
            rate=self.options.rate,
            started_ms=time.time_ns() // 1_000_000 + int(self.options.lead_seconds * 1_000),
        )
        feed = {
            "start_ms": self._start_ms,
            "first": self.options.first,
            "minutes": self.options.minutes,
        }
        write_files(self.layout, self.world, clock, self._pace, feed)
        return Stage.open(self.world, clock, self.layout, self._children, self.until)

    def until(
        self,
        holds: Callable[[], bool],
        what: str,
        seconds: float = STEP_SECONDS,
        look: Callable[[], None] | None = None,
    ) -> None:
        """Wait until `holds`, and keep looking. Raises ProcessFailed when time is up."""
        limit = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > limit or self.progress.seconds > self.options.limit_seconds:
                raise ProcessFailed(
                    f"expected {what} within {seconds:.0f} s (and all within "
                    f"{self.options.limit_seconds:.0f} s), was not so; "
                    f"see the logs in {self.layout.directory}"
                )
            self.pause(look)

    def pause(self, look: Callable[[], None] | None = None) -> None:
        """Let a little time pass; notice processes that ended, and show progress."""
        end = time.monotonic() + LOOK_SECONDS
        self._children.check()
        if look is not None:
            look()
        self._tick(self.progress)
        time.sleep(max(0.0, end - time.monotonic()))


class _Play:
    """The phases after set-up, on a stage that stands."""

    def __init__(
        self, director: Director, stage: Stage, observer: Observer, trading: Trading
    ) -> None:
        self._director = director
        self._stage = stage
        self._observer = observer
        self._trading = trading
        self._flow = trading.flow
        self._options = director.options
        self._progress = director.progress
        self._report = director.report
        self._court = stage.base.config()

    # Replay.

    def replay(self) -> None:
        """Let feed, keeper and traders live through the recorded minutes."""
        self._progress.enter(PHASES[1])
        stage = self._stage
        start(stage.children, stage.layout, "feed", finite=True)
        start(stage.children, stage.layout, "keeper")
        self._until(
            lambda: all(one.mark_price_micro for one in stage.client.instruments()),
            "a first price of every market",
        )
        self._trading.start()
        limit = self._options.seconds * 2 + STEP_SECONDS
        self._until(lambda: self._trading.done, "the last trade of the replay", limit)
        # The keeper works on the last prices for a little while.
        for _ in range(KEEPER_ROUNDS):
            self._director.pause(self._look)

    # The rogue operator.

    def go_rogue(self) -> None:
        """Post every forgery, one after the other, each until it is proven wrong."""
        self._progress.enter(PHASES[2])
        stage, world = self._stage, self._stage.world
        wallet = Wallet(stage.base, world.key("operator"))
        roles = [one.role for one in stage.participants]
        maker, pauper = roles.index("maker"), roles.index("taker")
        genesis = world.genesis()
        forger = Forger(
            market=MARKETS[0],
            domain=domain_separator(genesis.chain_id, genesis.settlement),
            operator_key=world.key("operator"),
            maker=maker,
            maker_key=stage.participants[maker].key,
            pauper=pauper,
            pauper_key=stage.participants[pauper].key,
        )
        for forgery in FORGERIES:
            self._progress.enter(PHASES[2], forgery)
            batch_id = self._post_forged(wallet, forger, forgery)
            # Honest trades go on while the forged batch stands.
            for _ in range(AFTERMATH_MINUTES):
                self._trading.trade_minute()
            self._await_proof(batch_id)
        self._progress.enter(PHASES[3], "honest batches again")
        self._until(self._settled, "the node's batches on the base layer again")

    def _post_forged(self, wallet: Wallet, forger: Forger, forgery: str) -> bytes:
        """Post a forged batch on the court's tip, racing the honest node, and return its id."""
        base, observer = self._stage.base, self._observer
        for _ in range(FORGE_ATTEMPTS):
            self._until(self._settled, "an honest node with nothing left to post")
            head = base.head()
            heads = base.heads(head.hash)
            if observer.root() != heads.tip_root:
                continue
            place = place_on(heads, head, wallet.address)
            posting = forger.forge(observer.engine, forgery, place)
            body = PostBatch(
                self._court.bond, posting.header.encode(), posting.opening.encode(), posting.data
            )
            try:
                receipts = wallet.wait(wallet.submit([body]), POST_SECONDS)
            except TransactionFailed:
                # The honest poster uses the same key, and its transaction had this nonce first.
                continue
            if receipts[0].error is None:
                number = posting.header.number
                self._progress.disputes.append(Dispute(forgery, number, time.monotonic()))
                self._report.forgeries_posted += 1
                # At once: the challenger may be faster than the next look.
                observer.judge(posting.header.batch_id())
                return posting.header.batch_id()
        raise ProcessFailed(
            f"expected a batch with {forgery} on the base layer within {FORGE_ATTEMPTS} attempts, "
            f"was none; see the logs in {self._stage.layout.directory}"
        )

    def _await_proof(self, batch_id: bytes) -> None:
        base = self._stage.base

        def fallen() -> bool:
            view = base.batch(batch_id)
            return view is not None and view.status == BatchStatus.REVERTED

        self._until(fallen, f"batch {batch_id.hex()} proven wrong by the challenger")
        event = next(one for one in self._reverts() if one.batch_id == batch_id)
        dispute = self._progress.disputes[-1]
        dispute.proven_at, dispute.slashed = time.monotonic(), event.slashed
        self._until(
            lambda: base.heads().tip_number >= event.number,
            "an honest batch where the forged one stood",
        )

    def _reverts(self) -> list[BatchReverted]:
        return self._stage.base.reverts(0, REVERTS_MAX)

    def _settled(self) -> bool:
        """Whether everything sequenced is posted, and the observer has found all of it honest."""
        heads = self._stage.client.heads()
        if heads.foreign_batch or heads.posted.sequence != heads.sequenced.sequence:
            return False
        tip = self._stage.base.heads()
        return tip.tip_number == self._observer.number and tip.tip_root == self._observer.root()

    # The withdrawal.

    def withdraw(self) -> None:
        """Withdraw through the law, wait until that is final, and claim on the base layer."""
        self._progress.enter(PHASES[4], "waiting for its batch to be final")
        stage, report = self._stage, self._report
        stage.children.stop_one("keeper")
        account = len(stage.participants) - 1
        owner = stage.participants[account]
        request = stage.client.withdraw(account, WITHDRAWN, signer=LocalSigner(owner.key))
        outcome = stage.client.submit([request])[0].raise_for_rejection()
        self._until(
            lambda: stage.client.heads().withdrawable.sequence >= outcome.sequence,
            "the withdrawal's batch to be final",
        )
        proof = stage.client.withdrawal_proof(0)
        places = range(0, len(proof.siblings), 32)
        siblings = tuple(proof.siblings[place : place + 32] for place in places)
        bank = Wallet(stage.base, stage.world.key("bank"))
        bank.execute([ClaimWithdrawal(proof.batch_id, 0, proof.leaf, siblings)])
        report.withdrawals_claimed = int(stage.base.is_claimed(0))
        paid = stage.base.account(owner.owner).token
        report.expect("the owner was paid on the base layer", WITHDRAWN * MICRO, paid)

    # Checks.

    def check(self) -> None:
        """Fill the report, and check it against a state rebuilt from base-layer bytes."""
        self._progress.enter(PHASES[5])
        self._until(self._settled, "everything posted and replayed")
        self._count()
        base = self._stage.base
        check_trades(self._report, self._flow.flawed, NATURAL_CODES)
        check_money(
            self._report,
            books_of(self._observer.engine.state),
            base.solvency(),
            base.bonds(),
            self._stage.deposited_micro,
            WITHDRAWN * MICRO,
            self._committed(),
        )
        self._check_batches()
        self._check_roots()

    def _count(self) -> None:
        report, trading, reverts = self._report, self._trading, self._reverts()
        heads = self._stage.base.heads()
        challenger = self._stage.world.address("challenger")
        report.trades_submitted = trading.submitted
        report.trades_applied = trading.applied
        report.trades_rejected = trading.rejected()
        report.liquidations = self._observer.liquidations()
        report.batches_posted = len(self._observer.batches)
        report.batches_finalised = heads.finalised_number
        report.forgeries_proven = len(reverts)
        report.bond_slashed = sum(one.slashed for one in reverts)
        report.bond_burned = sum(one.burned for one in reverts)
        report.stake_burned = sum(one.forfeited for one in reverts)
        report.prover_rewarded = sum(one.rewarded for one in reverts if one.prover == challenger)
        # One bond falls with each batch, so the bonds count the batches that fell.
        fallen = report.bond_slashed // self._court.bond
        report.honest_batches_reverted = fallen - report.forgeries_posted
        report.final_state_root = heads.tip_root.hex()

    def _committed(self) -> int:
        """Return what the challenger's commitments cost, in gwei."""
        made = self._stage.base.commitments(self._stage.world.address("challenger"))
        return len(made) * (self._court.bond // PRICE_SHARE)

    def _check_batches(self) -> None:
        report = self._report
        dishonest = [seen for seen in self._observer.batches if not seen.honest]
        report.expect("forged batches posted", len(FORGERIES), report.forgeries_posted)
        report.expect("forged batches proven", len(FORGERIES), report.forgeries_proven)
        report.expect("forged batches that the replica saw", len(FORGERIES), len(dishonest))
        report.expect("honest batches reverted", 0, report.honest_batches_reverted)
        # The first fraud burns it: no receipt of that generation is worth anything any more.
        stake = self._court.receipt_stake
        report.expect("the stake behind receipts burned, once", stake, report.stake_burned)
        report.expect("withdrawals claimed", 1, report.withdrawals_claimed)
        final = report.batches_finalised
        report.expect_that("batches became final", "more than 0", final, final > 0)

    def _check_roots(self) -> None:
        report, replica = self._report, self._observer
        sequenced = self._stage.client.heads().sequenced
        replayed = replica.outcomes[(Kind.TRADE, Code.APPLIED)]
        report.expect("trades applied, by base-layer bytes", report.trades_applied, replayed)
        report.expect("the node's root", report.final_state_root, sequenced.state_root.hex())
        report.expect("the replica's root", report.final_state_root, replica.root().hex())

    # Looking.

    def _until(self, holds: Callable[[], bool], what: str, seconds: float = STEP_SECONDS) -> None:
        self._director.until(holds, what, seconds, self._look)

    def _look(self) -> None:
        """Follow the base layer, and take the picture that is shown."""
        progress, trading, observer = self._progress, self._trading, self._observer
        observer.follow()
        observer.note_reverts()
        heads, court = self._stage.client.heads(), self._stage.base.heads()
        progress.law_ms = self._stage.clock()
        progress.heads = Heads(
            sequenced=heads.sequenced.sequence,
            posted=heads.posted.sequence,
            safe=heads.safe.sequence,
            finalised=heads.finalised.sequence,
            tip=court.tip_number,
            final_batch=court.finalised_number,
            generation=court.generation,
            block=heads.base_block,
        )
        progress.batches = observer.batches[-BATCHES_SHOWN:]
        progress.liquidations = observer.liquidations()
        progress.trades = trading.codes.copy()
        progress.minute = trading.minute
