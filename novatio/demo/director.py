"""The demo from its first process to its last check, phase by phase."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from clearing.codes import Code, Kind
from clearing.eip712 import domain_separator
from clearing.units import MICRO
from node.config import ClockSection
from novatio.client import Client
from novatio.demo.files import Layout, Pace, write_files
from novatio.demo.flow import NATURAL_CODES, Flow
from novatio.demo.observer import Observer
from novatio.demo.processes import Children, ProcessFailed, free_ports, wait_until_serving
from novatio.demo.progress import PHASES, Dispute, Heads, Progress
from novatio.demo.report import Report, books_of, check_money, check_trades
from novatio.demo.rogue import FORGERIES, Forger, place_on
from novatio.demo.trading import Trading
from novatio.demo.wallet import TransactionFailed, Wallet
from novatio.signing import LocalSigner
from novatio.world import (
    DAY_MS,
    MARKETS,
    MINUTE_MS,
    World,
    deadline_seconds,
    law_clock,
    load_markets,
    lot_prices,
)
from verifier.base_layer import BatchReverted
from verifier.court import BatchStatus
from verifier.remote import RemoteBaseLayer
from verifier.transactions import ClaimWithdrawal, Deposit, Faucet, PostBatch

__all__ = ["Director", "Options"]

SERVING_SECONDS: Final = 60.0
STEP_SECONDS: Final = 30.0
LOOK_SECONDS: Final = 0.2
NATIVE: Final = 10**15  # gwei that everybody who sends transactions begins with
FORGE_ATTEMPTS: Final = 10
POST_SECONDS: Final = 3.0
AFTERMATH_MINUTES: Final = 12
WITHDRAWN: Final = 1_000  # quote units
KEEPER_ROUNDS: Final = 5


@dataclass(frozen=True, slots=True)
class Options:
    """How large and how fast: `minutes` bars from bar `first` on, replayed in `seconds`."""

    accounts: int = 240
    seed: int = 1
    first: int = 0
    minutes: int = 2_880
    seconds: float = 60.0
    lead_seconds: float = 10.0

    @property
    def rate(self) -> int:
        """Law ms a wall ms."""
        return max(1, int(self.minutes * MINUTE_MS / (self.seconds * 1_000)))


class Director:
    """Runs one demo. `progress` may be read at any time; `run` returns the report."""

    def __init__(self, options: Options, directory: Path, tick: Callable[[Progress], None]) -> None:
        """`directory` gets files and logs; `tick` is called a few times a second."""
        self.options = options
        self.progress = Progress(options.minutes)
        self.report = Report(options.seed, options.accounts, options.minutes)
        self._tick = tick
        self._pace = Pace(options.rate)
        self._bars = load_markets()
        self._start_ms = int(self._bars[0].time_ms[options.first])
        self.world = World(
            options.seed, options.accounts, self._start_ms - 7 * DAY_MS, self._pace.block_ms
        )
        base, node = free_ports(2)
        self.layout = Layout(directory, f"127.0.0.1:{base}", f"127.0.0.1:{node}")
        self._children = Children(directory)
        self._observing = threading.Lock()

    def run(self) -> Report:
        """Play the whole world. Raises what makes it impossible to go on."""
        with self._children:
            self._set_up()
            try:
                self._replay()
                self._go_rogue()
                self._withdraw()
                self._check()
            finally:
                self._tear_down()
        self.report.wall_seconds = round(self.progress.seconds, 1)
        return self.report

    # Set-up.

    def _set_up(self) -> None:
        self.progress.enter(PHASES[0], "base layer and node")
        started_ms = time.time_ns() // 1_000_000 + int(self.options.lead_seconds * 1_000)
        clock = ClockSection(
            origin_ms=self._start_ms, rate=self.options.rate, started_ms=started_ms
        )
        self._clock = law_clock(clock)
        feed = {
            "start_ms": self._start_ms,
            "first": self.options.first,
            "minutes": self.options.minutes,
        }
        write_files(self.layout, self.world, clock, self._pace, feed)
        self._start("base")
        wait_until_serving(self.layout.base, self._children, SERVING_SECONDS)
        self._start("node")
        self._start("challenger")
        self._base = RemoteBaseLayer(self.layout.base)
        self._court = self._base.config()
        self._fund()
        wait_until_serving(self.layout.node, self._children, SERVING_SECONDS)
        deadline = deadline_seconds(clock, STEP_SECONDS)
        self._client = Client(self.layout.node, deadline=deadline, clock_ms=self._clock)
        self._await_accounts()
        self._observer = Observer(self._base, self.world.genesis(), self.options.accounts)
        self._start("feed", finite=True)
        self._start("keeper")
        self._trading = self._floor()

    def _start(self, role: str, *, finite: bool = False) -> None:
        arguments = ["novatio.demo.child", role, self.layout.config(role)]
        self._children.start(role, arguments, finite=finite)

    def _fund(self) -> None:
        """Give everybody the base layer's money, and make all deposits, in order of accounts."""
        self.progress.detail = "deposits"
        participants = self.world.participants()
        self._deposited = sum(one.deposit_micro for one in participants)
        bank = Wallet(self._base, self.world.key("bank"))
        addresses = [self.world.address(role) for role in ("operator", "challenger")]
        faucets = [Faucet(address, NATIVE, 0) for address in addresses]
        bank.execute([Faucet(bank.address, NATIVE, self._deposited), *faucets])
        bank.execute([Deposit(one.owner, 0, 0, one.deposit_micro) for one in participants])

    def _await_accounts(self) -> None:
        participants = self.world.participants()
        self.progress.detail = "accounts"
        self._until(
            lambda: self._client.heads().inbox_consumed >= len(participants),
            f"{len(participants)} deposits credited by the node",
        )
        self._accounts = [self._base.account_id(one.owner, 0) for one in participants]
        if self._accounts != list(range(len(participants))):
            raise AssertionError("expected account ids in the order of the deposits")

    def _floor(self) -> Trading:
        genesis = self.world.genesis()
        window = slice(self.options.first, self.options.first + self.options.minutes)
        closes = [
            lot_prices(market, bars.close[window])
            for market, bars in zip(MARKETS, self._bars, strict=True)
        ]
        flow = Flow(
            self.world.seed,
            self.world.participants(),
            range(self.options.accounts),
            MARKETS,
            closes,
            self.world.key("venue"),
            self.world.address("venue"),
            domain_separator(genesis.chain_id, genesis.settlement),
        )
        self._flow = flow
        return Trading(self._client, flow, self._clock, self._start_ms, self.options.minutes)

    # Replay.

    def _replay(self) -> None:
        self.progress.enter(PHASES[1])
        self._until(
            lambda: all(one.mark_price_micro for one in self._client.instruments()),
            "a first price of every market",
        )
        self._trading.start()
        limit = self.options.seconds * 2 + STEP_SECONDS
        self._until(lambda: self._trading.done, "the last trade of the replay", limit)
        # The keeper works on the last prices for a little while.
        for _ in range(KEEPER_ROUNDS):
            self._pause()

    # The rogue operator.

    def _go_rogue(self) -> None:
        self.progress.enter(PHASES[2])
        wallet = Wallet(self._base, self.world.key("operator"))
        maker = next(i for i, one in enumerate(self.world.participants()) if one.role == "maker")
        pauper = next(i for i, one in enumerate(self.world.participants()) if one.role == "taker")
        genesis = self.world.genesis()
        forger = Forger(
            market=MARKETS[0],
            domain=domain_separator(genesis.chain_id, genesis.settlement),
            operator_key=self.world.key("operator"),
            maker=maker,
            maker_key=self.world.participants()[maker].key,
            pauper=pauper,
            pauper_key=self.world.participants()[pauper].key,
        )
        for forgery in FORGERIES:
            self.progress.detail = forgery
            batch_id = self._post_forged(wallet, forger, forgery)
            for _ in range(AFTERMATH_MINUTES):
                self._trading.trade_minute()
            self._await_proof(batch_id)
        self.progress.enter(PHASES[3], "honest batches again")
        self._until(self._settled, "the node's batches on the base layer again")

    def _post_forged(self, wallet: Wallet, forger: Forger, forgery: str) -> bytes:
        """Post a forged batch on the court's tip, racing the honest node, and return its id."""
        for _ in range(FORGE_ATTEMPTS):
            self._until(self._settled, "an honest node with nothing left to post")
            head = self._base.head()
            heads = self._base.heads(head.hash)
            with self._observing:
                if self._observer.root() != heads.tip_root:
                    continue
                place = place_on(heads, head, wallet.address)
                posting = forger.forge(self._observer.engine, forgery, place)
            body = PostBatch(
                self._court.bond, posting.header.encode(), posting.opening.encode(), posting.data
            )
            try:
                receipts = wallet.wait(wallet.submit([body]), POST_SECONDS)
            except TransactionFailed:
                # The honest poster uses the same key, and its transaction had this nonce first.
                continue
            if receipts[0].error is None:
                self.progress.disputes.append(
                    Dispute(forgery, posting.header.number, time.monotonic())
                )
                self.report.forgeries_posted += 1
                return posting.header.batch_id()
        raise ProcessFailed(
            f"expected a batch with {forgery} on the base layer within {FORGE_ATTEMPTS} attempts, "
            f"was none; see the logs in {self.layout.directory}"
        )

    def _await_proof(self, batch_id: bytes) -> None:
        def fallen() -> bool:
            view = self._base.batch(batch_id)
            return view is not None and view.status == BatchStatus.REVERTED

        self._until(fallen, f"batch {batch_id.hex()} proven wrong by the challenger")
        event = next(one for one in self._reverts() if one.batch_id == batch_id)
        dispute = self.progress.disputes[-1]
        dispute.proven_at, dispute.slashed = time.monotonic(), event.slashed
        self._until(
            lambda: self._base.heads().tip_number >= event.number,
            "an honest batch where the forged one stood",
        )

    def _reverts(self) -> list[BatchReverted]:
        return self._base.reverts(0, 1_000)

    def _settled(self) -> bool:
        """Whether everything sequenced is posted, and the observer has found all of it honest."""
        heads = self._client.heads()
        if heads.foreign_batch or heads.posted.sequence != heads.sequenced.sequence:
            return False
        tip = self._base.heads()
        return tip.tip_number == self._observer.number and tip.tip_root == self._observer.root()

    # The withdrawal.

    def _withdraw(self) -> None:
        self.progress.enter(PHASES[4], "waiting for its batch to be final")
        self._children.stop_one("keeper")
        account = 1
        owner = self.world.participants()[account]
        request = self._client.withdraw(account, WITHDRAWN, signer=LocalSigner(owner.key))
        outcome = self._client.submit([request])[0].raise_for_rejection()
        self._until(
            lambda: self._client.heads().withdrawable.sequence >= outcome.sequence,
            "the withdrawal's batch to be final",
        )
        proof = self._client.withdrawal_proof(0)
        siblings = tuple(
            proof.siblings[start : start + 32] for start in range(0, len(proof.siblings), 32)
        )
        wallet = Wallet(self._base, self.world.key("challenger"))
        bank = Wallet(self._base, self.world.key("bank"))
        bank.execute([ClaimWithdrawal(proof.batch_id, 0, proof.leaf, siblings)])
        self.report.withdrawals_claimed = int(self._base.is_claimed(0))
        self.report.expect(
            "the owner was paid on the base layer",
            WITHDRAWN * MICRO,
            self._base.account(owner.owner).token,
        )
        self.report.prover_rewarded = sum(
            one.rewarded for one in self._reverts() if one.prover == wallet.address
        )

    # Checks.

    def _check(self) -> None:
        self.progress.enter(PHASES[5])
        self._until(self._settled, "everything posted and replayed")
        report, trading = self.report, self._trading
        reverts = self._reverts()
        heads = self._base.heads()
        report.trades_submitted = trading.submitted
        report.trades_applied = trading.applied
        report.trades_rejected = trading.rejected()
        report.liquidations = self._observer.liquidations()
        report.batches_posted = len(self._observer.batches)
        report.batches_finalised = heads.finalised_number
        report.bond_slashed = sum(one.slashed for one in reverts)
        report.bond_burned = sum(one.burned for one in reverts)
        report.forgeries_proven = len(reverts)
        fallen = report.bond_slashed // self._court.bond
        report.honest_batches_reverted = fallen - report.forgeries_posted
        report.final_state_root = heads.tip_root.hex()
        check_trades(report, self._flow.flawed, NATURAL_CODES)
        with self._observing:
            books = books_of(self._observer.engine.state)
        check_money(
            report,
            books,
            self._base.solvency(),
            self._base.bonds(),
            self._deposited,
            WITHDRAWN * MICRO,
        )
        self._check_roots()

    def _check_roots(self) -> None:
        report = self.report
        sequenced = self._client.heads().sequenced
        replayed = self._observer.outcomes[(Kind.TRADE, Code.APPLIED)]
        dishonest = [seen for seen in self._observer.batches if not seen.honest]
        report.expect("forged batches posted", len(FORGERIES), report.forgeries_posted)
        report.expect("forged batches proven", len(FORGERIES), report.forgeries_proven)
        report.expect("forged batches that the replica saw", len(FORGERIES), len(dishonest))
        report.expect("honest batches reverted", 0, report.honest_batches_reverted)
        report.expect("trades applied, by base-layer bytes", report.trades_applied, replayed)
        report.expect("the node's root", report.final_state_root, sequenced.state_root.hex())
        report.expect("the replica's root", report.final_state_root, self._observer.root().hex())
        report.expect("withdrawals claimed", 1, report.withdrawals_claimed)
        report.expect_that(
            "batches became final",
            "more than 0",
            report.batches_finalised,
            report.batches_finalised > 0,
        )

    # Parts.

    def _until(self, holds: Callable[[], bool], what: str, seconds: float = STEP_SECONDS) -> None:
        """Wait until `holds`, keeping everything moving. Raises ProcessFailed when time is up."""
        limit = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > limit:
                raise ProcessFailed(
                    f"expected {what} within {seconds:.0f} s, was not so; "
                    f"see the logs in {self.layout.directory}"
                )
            self._pause()

    def _pause(self) -> None:
        """Let a little time pass: follow the base layer, look at the processes, show progress."""
        self._children.check()
        end = time.monotonic() + LOOK_SECONDS
        if hasattr(self, "_observer"):
            with self._observing:
                self._observer.follow()
                self._observer.note_reverts()
            self._look()
        self._tick(self.progress)
        time.sleep(max(0.0, end - time.monotonic()))

    def _look(self) -> None:
        """Take the picture that is shown."""
        progress, trading = self.progress, self._trading_or_none()
        heads, court = self._client.heads(), self._base.heads()
        progress.law_ms = self._clock()
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
        progress.batches = self._observer.batches[-8:]
        progress.liquidations = self._observer.liquidations()
        if trading is not None:
            progress.trades = trading.codes.copy()
            progress.minute = trading.minute

    def _trading_or_none(self) -> Trading | None:
        return getattr(self, "_trading", None)

    def _tear_down(self) -> None:
        if hasattr(self, "_trading"):
            self._trading.stop()
        for resource in ("_client", "_observer", "_base"):
            if hasattr(self, resource):
                getattr(self, resource).close()
