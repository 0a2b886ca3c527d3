"""The keeper: does what the law lets somebody do and nobody does by itself.

`novatio keeper` looks at all accounts and markets, a few times a second. It offers to take the
largest position of each account below its maintenance margin, and of each forced close once that
pays; what it took it closes again (``novatio.keeper_inventory``). What no offer cures it drives on
through the waterfall: auction, collateral, a pool's sleeve, deleveraging, loss sharing
(``novatio.keeper_duties``, ``novatio.keeper_sweeps``). It fills what a call's price executes,
lets markets expire and settle, enacts announced parameters after their timelock, and has owners
beyond the limit of their accounts held. How many lots really move, at what price, and whether
anything is due at all, the law decides. What takes the publishers' signatures is left to the feed.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias

import msgspec
from msgspec import Meta

from clearing import eip712
from clearing.codes import Code, InstrumentStatus, Kind, Side
from clearing.keys import sign
from clearing.messages import Liquidate
from clearing.requests import Request
from clearing.units import AMOUNT_MAX, PPM, SHARES_BASE
from node.clock import law_clock
from node.config import ClockSection, load, load_key
from node.reach import stop_on_signals
from node.v1 import node_pb2 as pb
from novatio._flows import Encodable, Outcome
from novatio.client import Client
from novatio.errors import BadRequest, NotFound, NovatioError, Overloaded, Unavailable
from novatio.governance import params_record
from novatio.keeper_duties import (
    View,
    auctions,
    call_fills,
    checks,
    expiries,
    fundings,
    is_failing,
    marks,
    settlements,
    shares,
    takeovers,
)
from novatio.keeper_inventory import (
    OfferedOrder,
    at_auction,
    at_pools,
    fitting,
    read_orders,
    worst_price,
)
from novatio.keeper_sweeps import KeptLog, applies, tallies
from novatio.signing import LocalSigner
from novatio.world import HOUR_MS, deadline_seconds

__all__ = ["Keeper", "KeeperConfig", "KeeperSection", "Offer", "checks", "offers", "run"]

ACCOUNTS_MAX: Final = 100_000
DEADLINE_SECONDS: Final = 30.0
ACTIONS_PER_SUBMISSION: Final = 256
OFFER_LIFE_MS: Final = 48 * HOUR_MS
# What was refused is tried again after this long, then twice as long and so on, because every try
# stands in the log. Measured by the machine's time: the law's may run many times as fast.
RETRY_SECONDS: Final = 2.0
RETRY_SECONDS_MAX: Final = 60.0
# What becomes of a keeper who is neither the first nor alone.
EXPECTED: Final = (
    Code.APPLIED,
    Code.HEALTHY,
    Code.NOT_NEEDED,
    Code.OPERATION_ORDER,
    Code.OPERATION_PHASE,
    Code.NO_OPERATION,
    Code.TIMELOCK,
)
# What a keeper with more capital, or who asks for less, may still do.
TOO_LARGE: Final = (Code.MARGIN, Code.POSITION_CAP, Code.TRANSFER_MARGIN)
SMALLEST_PART: Final = 1 << 10

Place: TypeAlias = tuple[Kind, int, int]  # what is tried, of which account and market or asset


class KeeperSection(msgspec.Struct, frozen=True, kw_only=True):
    """Who keeps, and at what price."""

    node: Annotated[str, Meta(description="host:port of the node")] = "127.0.0.1:7400"
    key_file: Annotated[str, Meta(description="file with the keeper's key")] = "keeper.key"
    account: Annotated[int, Meta(description="the keeper's account", ge=0)] = 0
    interval_ms: Annotated[int, Meta(description="pause between two looks", ge=1)] = 250
    loss_ppm: Annotated[
        int, Meta(description="how far from the mark inventory is closed at most", ge=0, le=PPM)
    ] = 10_000
    orders_dir: Annotated[
        str, Meta(description="directory of signed orders to close inventory against; empty: none")
    ] = ""
    mark_to_market_ms: Annotated[
        int, Meta(description="how often all accounts are marked to market; 0: never", ge=0)
    ] = 0


class KeeperConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The keeper's configuration."""

    keeper: KeeperSection = KeeperSection()
    clock: ClockSection = ClockSection()


class Offer(msgspec.Struct, frozen=True):
    """A position that the keeper would take: all its lots, of which the law moves what it must."""

    account: int
    instrument: int
    lots: int


def offers(accounts: Iterable[pb.Account], keeper: int) -> list[Offer]:
    """Return an offer for the largest position of every account below maintenance margin."""
    found = []
    for account in accounts:
        if not is_failing(account) or account.id == keeper or not account.positions:
            continue
        largest = max(account.positions, key=lambda position: abs(position.value_micro))
        found.append(Offer(account.id, largest.instrument, abs(largest.lots)))
    return found


def offered_closes(accounts: Iterable[pb.Account], view: View) -> list[Offer]:
    """Return an offer for each forced close whose penalty is that of a liquidation by now."""
    found = []
    for account in accounts:
        if not account.HasField("offered_close"):
            continue
        close = account.offered_close
        market = view.markets[close.instrument]
        tier = view.params["tiers"][market.tier]
        most = int(tier["maintenance_ppm"])
        age = max(0, view.clock_ms - close.time_ms)
        penalty = min(most, most * age // max(1, int(view.params["auction_fast_ms"])))
        lasting = age <= int(view.params["auction_slow_ms"])
        if lasting and penalty >= min(most, int(view.params["liquidation_penalty_ppm"])):
            found.append(Offer(account.id, close.instrument, abs(close.lots)))
    return found


def _place(offer: Offer) -> Place:
    return Kind.LIQUIDATE, offer.account, offer.instrument


def _label(kind: Kind, *values: int) -> bytes:
    return repr((int(kind), *values)).encode()


class Keeper:
    """One keeper's loop over one node."""

    def __init__(
        self,
        client: Client,
        key: bytes,
        account: int,
        domain: bytes,
        clock: Callable[[], int],
        section: KeeperSection | None = None,
    ) -> None:
        self.outcomes: Counter[str] = Counter()
        self._client = client
        self._key = key
        self._account = account
        self._domain = domain
        self._clock = clock
        self._section = section or KeeperSection()
        self._sequence = client.account(account).request_sequence
        self._log = KeptLog()
        # When an action that was refused may be sent again, and how long that is apart.
        self._refused: dict[bytes, tuple[float, float]] = {}
        self._parts: Counter[Place] = Counter()  # halvings of what was too large
        self._spent: set[Path] = set()  # orders that the law refused, or filled
        self._marked = 0
        self._announced = 0  # when the parameters take effect that were last read from the log

    def look(self) -> int:
        """Look once and do all that is due; return how many positions were offered for."""
        view = self._view()
        self._send(self._checks(view))
        self._send([*expiries(view), *settlements(view), *call_fills(view), *fundings(view)])
        self._enact(view)
        offered = self._take_over(view)
        if offered:
            view = self._view()
        self._waterfall(view)
        self._sweeps(view)
        self._close_inventory(view)
        self._mark_to_market(view)
        self._forget()
        return offered

    def _view(self) -> View:
        token = self._client.heads().sequenced.token
        accounts = self._client.accounts(limit=ACCOUNTS_MAX)
        for account in accounts:
            if account.id == self._account:
                self._sequence = max(self._sequence, account.request_sequence)
        return View(
            accounts,
            {one.id: one for one in self._client.instruments()},
            params_record(self._client.params().record),
            self._pools(),
            self._clock(),
            token,
        )

    def _pools(self) -> list[pb.Pool]:
        pools: list[pb.Pool] = []
        while True:
            try:
                pools.append(self._client.pool(len(pools)))
            except NotFound:
                return pools

    def _checks(self, view: View) -> list[Request]:
        params = view.params
        if not int(params["owner_group_ppm"]):
            return []
        caps = {one.id: one.position_cap_lots for one in view.markets.values()}
        # Half a hold early, so that it does not lapse between two looks.
        until = view.clock_ms + int(params["owner_hold_ms"]) // 2
        return checks(view.accounts, caps, int(params["owner_group_ppm"]), until)

    def _enact(self, view: View) -> None:
        """Enact the parameters that governance announced, once their timelock has passed.

        The law keeps only their hash, so they are read from the log, once an announcement.
        """
        due = int(view.params["pending_time"])
        if due and due != self._announced:
            self._log.read(self._client, self._client.heads().sequenced.token)
            self._announced = due
        if due and view.clock_ms >= due and self._log.announced:
            self._send([Request.of(Kind.ENACT, payload=self._log.announced)])

    # -- failing accounts --------------------------------------------------------------------------

    def _take_over(self, view: View) -> int:
        """Offer for failing positions and forced closes; what was too large is halved next time."""
        wanted = offers(view.accounts, self._account)
        # A keeper's own account gives nothing away to itself.
        others = [one for one in view.accounts if one.id != self._account]
        wanted += offered_closes(others, view)
        wanted = [one for one in wanted if self._may_try(_label(*_place(one)))]
        for first in range(0, len(wanted), ACTIONS_PER_SUBMISSION):
            part = wanted[first : first + ACTIONS_PER_SUBMISSION]
            for offer, outcome in zip(part, self._submit(map(self._signed, part)), strict=True):
                self._note(_place(offer), outcome.code)
        return len(wanted)

    def _note(self, what: Place, code: Code) -> None:
        """Note what became of an offer: half as much is asked for next, or the same later."""
        if code in TOO_LARGE and 1 << self._parts[what] < SMALLEST_PART:
            self._parts[what] += 1
        else:
            del self._parts[what]
            self._note_refusal(_label(*what), code)

    def _waterfall(self, view: View) -> None:
        """Drive what offers did not cure: auction and bid, collateral, sleeves, sweeps."""
        self._send(auctions(view))
        if self._bid(view) + self._convert(view):
            view = self._view()
        self._send(takeovers(view))
        self._send(shares(view))

    def _bid(self, view: View) -> int:
        """Bid for accounts that are worth nothing, where insurance pays who takes them over.

        Returns how many bids the law took.
        """
        taken = 0
        for account in view.accounts:
            if not account.auction_time_ms or not is_failing(account):
                continue
            if account.margin.equity_micro > 0 or account.id == self._account:
                continue
            what = (Kind.AUCTION_BID, account.id, 0)
            if not self._may_try(_label(*what)):
                continue
            share = max(1, PPM >> self._parts[what])
            bid = self._owned(
                Kind.AUCTION_BID, bidder=self._account, account=account.id, fraction_ppm=share,
                limit=0,
            )  # fmt: skip
            (outcome,) = self._submit([bid])
            self._note(what, outcome.code)
            taken += outcome.applied
        return taken

    def _convert(self, view: View) -> int:
        """Buy the collateral of accounts that owe cash, the steadiest first; return how often."""
        bought = 0
        haircuts = {one.id: (one.haircut_ppm, one.id) for one in self._client.assets()}
        for account in view.accounts:
            held = [one.asset for one in account.collaterals if one.asset < SHARES_BASE]
            legs = sum(leg.value_micro + leg.funding_micro for leg in account.positions)
            healthy = bool(account.positions) and not is_failing(account)
            if not held or healthy or account.id == self._account:
                continue
            if account.cash_micro + legs >= 0:
                continue
            asset = min(held, key=lambda one: haircuts[one])
            what = (Kind.CONVERT, account.id, asset)
            if not self._may_try(_label(*what)):
                continue
            units = sum(one.amount for one in account.collaterals if one.asset == asset)
            amount = min(AMOUNT_MAX, max(1, units >> self._parts[what]))
            sale = self._owned(
                Kind.CONVERT, keeper=self._account, account=account.id, asset=asset, amount=amount
            )
            (outcome,) = self._submit([sale])
            self._note(what, outcome.code)
            bought += outcome.applied
        return bought

    def _sweeps(self, view: View) -> None:
        """Bring every sweep on: tally who holds, let them bear their shares, close."""
        swept = [one for one in view.markets.values() if one.HasField("sweep")]
        if not swept:
            self._log.skip(view.token)
            return
        for market in swept:
            self._send(tallies(view, market))
        self._log.read(self._client, self._client.heads().sequenced.token)
        for market in swept:
            now = self._client.instrument(market.id)
            if now.HasField("sweep"):
                self._send(applies(now, self._log.chunks(market.id)))

    # -- inventory ---------------------------------------------------------------------------------

    def _close_inventory(self, view: View) -> None:
        """Close what the keeper holds, as far as somebody takes it at a bearable price."""
        (keeper,) = [one for one in view.accounts if one.id == self._account]
        if not keeper.positions:
            return
        offered = self._orders()
        for position in keeper.positions:
            market = view.markets[position.instrument]
            if market.status >= InstrumentStatus.SETTLING:
                continue
            worst = worst_price(market, position.lots, self._section.loss_ppm)
            left = self._trade(market, position, fitting(position, worst, self._account, offered))
            if not left or left != abs(position.lots):
                continue
            wanted = [*at_pools(view, position, worst), *at_auction(view, keeper, position, worst)]
            for kind, values in wanted:
                label = _label(kind, *values.values())
                if self._may_try(label):
                    request = self._owned(kind, account=self._account, **values)
                    (outcome,) = self._submit([request])
                    self._note_refusal(label, outcome.code)

    def _trade(
        self, market: pb.Instrument, position: pb.Position, fit: Sequence[OfferedOrder]
    ) -> int:
        """Close a position against orders, the best first; return the lots that are left."""
        left = abs(position.lots)
        units = self._client.market(market.id)
        for one in fit:
            if not left:
                break
            lots = min(left, one.order.order.lots)
            taker = self._client.order(
                self._account,
                market.id,
                Side.SELL if position.lots > 0 else Side.BUY,
                units.size(lots),
                units.price(one.order.order.limit_price),
                expiry_ms=self._clock() + OFFER_LIFE_MS,
                reduce_only=True,
                signer=LocalSigner(self._key),
            )
            (outcome,) = self._submit([self._client.trade(one.order, taker)])
            if outcome.applied:
                left -= lots
            if not outcome.applied or lots == one.order.order.lots:
                self._spent.add(one.path)
        return left

    def _orders(self) -> list[OfferedOrder]:
        """Return the orders that were given and are worth a try; tell once what is none."""
        if not self._section.orders_dir:
            return []
        found = []
        for one in read_orders(self._client, Path(self._section.orders_dir), self._spent):
            if isinstance(one, BadRequest):
                print(f"keeper: {one}", file=sys.stderr, flush=True)
            else:
                found.append(one)
        return found

    def _mark_to_market(self, view: View) -> None:
        every = self._section.mark_to_market_ms
        if every and view.clock_ms - self._marked >= every:
            self._marked = view.clock_ms
            self._send(marks(view))

    # -- submission --------------------------------------------------------------------------------

    def _send(self, due: Iterable[Request]) -> None:
        """Submit what nobody signs, but for what was refused a moment ago."""
        wanted = [one for one in due if self._may_try(one.encode())]
        for first in range(0, len(wanted), ACTIONS_PER_SUBMISSION):
            part = wanted[first : first + ACTIONS_PER_SUBMISSION]
            for request, outcome in zip(part, self._submit(part), strict=True):
                self._note_refusal(request.encode(), outcome.code)

    def _may_try(self, label: bytes) -> bool:
        return label not in self._refused or time.monotonic() >= self._refused[label][0]

    def _note_refusal(self, label: bytes, code: Code) -> None:
        if code == Code.APPLIED:
            self._refused.pop(label, None)
        else:
            _, last = self._refused.get(label, (0.0, RETRY_SECONDS / 2))
            pause = min(2 * last, RETRY_SECONDS_MAX)
            self._refused[label] = time.monotonic() + pause, pause

    def _forget(self) -> None:
        """Forget refusals of what is not tried any more."""
        old = time.monotonic() - 2 * RETRY_SECONDS_MAX
        self._refused = {label: when for label, when in self._refused.items() if when[0] > old}

    def _submit(self, actions: Iterable[Encodable]) -> list[Outcome]:
        outcomes = self._client.submit(list(actions))
        for outcome in outcomes:
            name = outcome.code.name
            if outcome.code not in EXPECTED and not self.outcomes[name]:
                print(f"keeper: {name}: {outcome.message}", file=sys.stderr, flush=True)
            self.outcomes[name] += 1
        return outcomes

    def _signed(self, offer: Offer) -> Liquidate:
        self._sequence += 1
        part = self._parts[_place(offer)]
        bare = Liquidate(
            keeper=self._account,
            account=offer.account,
            instrument=offer.instrument,
            lots=max(1, offer.lots >> part),
            sequence=self._sequence,
            expiry=self._clock() + OFFER_LIFE_MS,
        )
        digest = eip712.digest(self._domain, bare.struct_hash())
        return replace(bare, signature=sign(self._key, digest))

    def _owned(self, kind: Kind, **values: Any) -> Request:
        self._sequence += 1
        bare = Request.of(
            kind, sequence=self._sequence, expiry=self._clock() + OFFER_LIFE_MS, **values
        )
        digest = eip712.digest(self._domain, bare.struct_hash())
        return replace(bare, signatures=(sign(self._key, digest),))


def run(
    config: str | os.PathLike[str] | None = None, flags: Mapping[str, Any] | None = None
) -> int:
    """Keep by a TOML file and flags (`section.key`) until a signal; return the exit code."""
    loaded = load(KeeperConfig, config, flags=flags).config
    stop = stop_on_signals()
    try:
        with Client(
            loaded.keeper.node, deadline=deadline_seconds(loaded.clock, DEADLINE_SECONDS)
        ) as client:
            keeper = Keeper(
                client,
                load_key(loaded.keeper.key_file),
                loaded.keeper.account,
                client.info().domain_separator,
                law_clock(loaded.clock),
                loaded.keeper,
            )
            _keep(keeper, loaded.keeper.interval_ms / 1000, stop)
    except NovatioError as error:
        print(f"keeper: {error}; next: {error.next_step}", file=sys.stderr)
        return error.exit_code
    summary = ", ".join(f"{name} {count}" for name, count in sorted(keeper.outcomes.items()))
    print(f"keeper: {summary or 'nothing was due'}", file=sys.stderr)
    return 0


def _keep(keeper: Keeper, pause_seconds: float, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            keeper.look()
        except (Overloaded, Unavailable) as error:
            print(f"keeper: {error}", file=sys.stderr, flush=True)
        stop.wait(pause_seconds)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1]))
