"""What a thief who has the operator's key can post: one function for each kind of fraud.

A *forgery* is a batch that the court takes, because only the law can tell that it is wrong: a
challenger must prove it. A *misposting* breaks a rule of the court, which must refuse it at once.
Every forgery has a twin that acts alike and cheats not: the law must confirm that one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from clearing.codes import Code, Fund, InboxKind, Kind
from clearing.messages import Liquidate, Withdraw, decode_action
from node.margins import margin_of
from prover.forge import (
    BatchForge,
    Mutation,
    Posting,
    Preparation,
    mint,
    with_forged_signatures,
    without_margin,
)
from prover.provability.committees import OFF_SUBGROUP
from prover.provability.house import attestation_of
from simulator.frauds_wider import FORGERIES as WIDER
from simulator.market import (
    FAR_MS,
    INSTRUMENTS,
    MEMBERS,
    PUBLISHERS,
    QUORUM,
    on_tick,
    order_of,
    price_action,
    signed,
    trade,
)
from verifier.batch import PAIR_BYTES, Pair, data_hash
from verifier.committee import Attestation, Attested
from verifier.header import DATA_COMMITTEE

if TYPE_CHECKING:
    from simulator.world import World

AMOUNT_MAX = 10**12
NOTHING = b"\xff"
ALL_PPM = 1_000_000
LEAST = 4
INVENTED = 1_000  # messages, more than wait at any time


class Scene:
    """A batch in the making and what the thief knows; as a `twin` nobody cheats."""

    def __init__(self, world: World, forge: BatchForge, dice: str, twin: bool) -> None:
        self.world = world
        self.forge = forge
        self.chance = Random(dice)
        self.twin = twin

    @property
    def totals(self) -> Any:
        """The globals of the state that the batch stands on."""
        return self.forge.engine.totals

    def honest(self, *actions: bytes) -> None:
        """Add steps as the law wants them."""
        self.forge.honest(actions, self.world.now)

    def cheat(
        self,
        *actions: bytes,
        prepare: Preparation | None = None,
        mutate: Mutation | None = None,
    ) -> None:
        """Add a step with these actions that breaks the law; the twin adds it as it should be."""
        if self.twin:
            self.forge.honest(actions or (NOTHING,), self.world.now)
        else:
            self.forge.forged(actions, self.world.now, prepare, mutate)

    def spoil_root(self) -> None:
        """Claim a root for the last step that none leads to."""
        if not self.twin:
            last = self.forge.pairs[-1]
            self.forge.pairs[-1] = Pair(last.step_hash, self.chance.randbytes(32))

    def account(self) -> int:
        """Return the id of some account."""
        return self.chance.randrange(max(int(self.totals.account_count), 1))

    def amount(self) -> int:
        """Return some amount of money, micro-quote."""
        return self.chance.randint(1, AMOUNT_MAX)

    def any_trade(self, lots: int, swapped: bool = False, rich: bool = False) -> bytes:
        """Return a trade of two traders, `rich`: who can pay its fees; `swapped`: each order is
        signed by the other one."""
        state, here = cast(Any, self.forge.engine.state), self.world.traders.here()
        here = [one for one in here if one.id < int(self.totals.account_count)]
        if len(here) < 2:
            return NOTHING
        if rich:
            here = sorted(here, key=lambda one: -int(margin_of(state, one.id).equity))[:2]
        maker, taker = self.chance.sample(here, 2)
        price = on_tick(int(state.instruments[0].mark_price))
        names = (taker.name, maker.name) if swapped else (maker.name, taker.name)
        return trade(
            (names[0], order_of(maker, lots, price, 5)),
            (names[1], order_of(taker, lots, price, 5)),
            instrument=0,
            lots=lots,
            price=price,
            maker_side=1,
        )


def wrong_post_root(scene: Scene) -> None:
    """A root in the middle that is none, with an honest end."""
    scene.honest(NOTHING)
    scene.spoil_root()
    scene.honest(b"\xfe")


def minted_money(scene: Scene) -> None:
    """Money that nobody brought, with books that balance."""
    scene.cheat(mutate=mint(scene.account(), scene.amount()))


def deposit_credited_twice(scene: Scene) -> None:
    """A deposit that is in the inbox once, credited again."""
    inbox = scene.world.base.chain.court.inbox
    entries = [inbox.entry(index) for index in range(inbox.count)]
    messages = [entry.message for entry in entries if entry is not None]
    deposits = [one for one in messages if one.kind == InboxKind.DEPOSIT]
    deposits = [one for one in deposits if one.account < int(scene.totals.account_count)]
    if deposits:
        one = scene.chance.choice(deposits)
        scene.cheat(mutate=mint(one.account, one.amount))


def forged_trade(scene: Scene) -> None:
    """A trade whose orders are signed by the wrong people."""
    scene.cheat(scene.any_trade(1, swapped=True), prepare=with_forged_signatures)


def replayed_request(scene: Scene) -> None:
    """A genuine request of the past, executed once more."""
    kinds, count = (Kind.TRANSFER, Kind.WITHDRAW), int(scene.totals.sequenced_count)
    # Applied, within the batches that this one stands on; of the least, which most can afford.
    past = [
        action
        for action, (sequence, code) in scene.world.invariants.acknowledged.items()
        if action[:1] and action[0] in kinds and code == Code.APPLIED and 0 < sequence <= count
    ]
    past = sorted(past, key=lambda action: cast(Any, decode_action(action)).amount)[:LEAST]

    def forget(state: Any, columns: Any) -> None:
        state.accounts["request_sequence"] = 0

    if past:
        scene.cheat(scene.chance.choice(past), prepare=forget)


def trade_one_lot_off(scene: Scene) -> None:
    """A trade that moves one lot more than its orders say."""

    def add_lot(state: Any) -> None:
        for row in state.accounts[: int(state.globals[0].account_count)]:
            if row["position_count"]:
                row["positions"]["lots"][0] += 1
                return

    scene.cheat(scene.any_trade(2), mutate=add_lot)


def one_legged_fill(scene: Scene) -> None:
    """A trade that reaches one of its two sides alone."""
    before: list[Any] = []

    def remember(state: Any, columns: Any) -> None:
        before.append(state.accounts.copy())

    def forget_one(state: Any) -> None:
        for row in range(int(state.globals[0].account_count)):
            if state.accounts[row] != before[0][row]:
                state.accounts[row] = before[0][row]
                return

    scene.cheat(scene.any_trade(1), prepare=remember, mutate=forget_one)


def margin_skipped(scene: Scene) -> None:
    """A trade that its owners' margin does not bear."""

    stable: list[int] = []

    def unlimited(state: Any, columns: Any) -> None:
        without_margin(state, columns)
        state.params[0].owner_limit = 0
        stable.append(int(state.instruments[0].stable_price))
        state.instruments[0].stable_price = state.instruments[0].mark_price

    def as_before(state: Any) -> None:
        state.instruments[0].stable_price = stable[0]

    action = scene.any_trade(scene.chance.randint(2_500, 3_000), rich=True)
    scene.cheat(action, prepare=unlimited, mutate=as_before)


def wrong_price(scene: Scene) -> None:
    """A price that publishers did sign, taken down one tick higher."""
    market, price = 0, scene.world.feed.prices[0]
    names = list(PUBLISHERS[:QUORUM])
    action = price_action(market, price, [price] * QUORUM, scene.world.now, names)

    def higher(state: Any) -> None:
        state.instruments[market]["mark_price"] += 1

    scene.cheat(action, mutate=higher)


def forged_price(scene: Scene) -> None:
    """A price that one thief signed for all publishers."""
    price = scene.world.feed.prices[0]
    names = [PUBLISHERS[0], *["thief"] * (QUORUM - 1)]
    action = price_action(0, price, [price] * QUORUM, scene.world.now, names)

    def as_publishers(state: Any, columns: Any) -> None:
        columns.signers[1] = state.params[0].publishers[1].address

    scene.cheat(action, prepare=as_publishers)


def wrong_funding(scene: Scene) -> None:
    """Funding that moved one unit of the index too far."""

    def further(state: Any) -> None:
        state.instruments[scene.chance.randrange(INSTRUMENTS)]["funding_low"] += 1

    scene.cheat(mutate=further)


def healthy_liquidated(scene: Scene) -> None:
    """A position of a healthy account, taken over with a penalty."""
    keeper = scene.world.traders.keeper
    state = cast(Any, scene.forge.engine.state)
    held = [
        row
        for row in range(int(scene.totals.account_count))
        if row != keeper.account and int(state.accounts[row]["position_count"])
    ]
    if keeper.account is None or not held:
        return
    target = scene.chance.choice(held)
    instrument = int(state.accounts[target]["positions"]["instrument"][0])
    fields = (keeper.account, target, instrument, 1, keeper.next_sequence(), FAR_MS)

    def demanding(state: Any, columns: Any) -> None:
        for tier in state.params[0].tiers:
            tier.initial_ppm = tier.maintenance_ppm = 8 * ALL_PPM

    scene.cheat(signed(keeper.name, Liquidate(*fields)), prepare=demanding)


def forged_withdrawal(scene: Scene) -> None:
    """A withdrawal that no owner signed."""
    request = Withdraw(scene.account(), 0, 1_000, 1 << 50, FAR_MS)
    scene.cheat(request.encode(), prepare=with_forged_signatures)


def redirected_withdrawal(scene: Scene) -> None:
    """The last withdrawal of all, now to somebody else."""

    def elsewhere(state: Any) -> None:
        count = int(state.globals[0].withdrawal_count)
        state.withdrawals[count - 1]["recipient"][0] ^= 1

    if int(scene.totals.withdrawal_count):
        scene.cheat(mutate=elsewhere)


def skimmed_fees(scene: Scene) -> None:
    """One unit of fees that goes into an account."""
    thief = scene.account()

    def skim(state: Any) -> None:
        state.funds[Fund.FEES]["balance"] -= 1
        state.accounts[thief]["cash"] += 1
        state.globals[0].cash_total += 1

    scene.cheat(mutate=skim)


def insurance_spent(scene: Scene) -> None:
    """One unit of insurance that covers no loss."""

    def spend(state: Any) -> None:
        state.funds[Fund.INSURANCE]["balance"] -= 1
        state.funds[Fund.DUST]["balance"] += 1

    scene.cheat(mutate=spend)


def moved_clock(scene: Scene) -> None:
    """A clock that shows another time than the step does."""

    def set_back(state: Any) -> None:
        state.globals[0].clock -= 1

    scene.cheat(mutate=set_back)


FORGERIES: dict[str, Callable[[Scene], None]] = {
    "wrong-post-root": wrong_post_root,
    "minted-money": minted_money,
    "deposit-credited-twice": deposit_credited_twice,
    "forged-trade": forged_trade,
    "replayed-request": replayed_request,
    "trade-one-lot-off": trade_one_lot_off,
    "one-legged-fill": one_legged_fill,
    "margin-skipped": margin_skipped,
    "wrong-price": wrong_price,
    "forged-price": forged_price,
    "wrong-funding": wrong_funding,
    "healthy-liquidated": healthy_liquidated,
    "forged-withdrawal": forged_withdrawal,
    "redirected-withdrawal": redirected_withdrawal,
    "skimmed-fees": skimmed_fees,
    "insurance-spent": insurance_spent,
    "moved-clock": moved_clock,
} | WIDER


class Offer(NamedTuple):
    """What is sent to the court: a posting and the bond that comes with it, gwei."""

    posting: Posting
    bond: int


def _header(**changes: Any) -> Callable[[Offer, Random], Offer]:
    def change(offer: Offer, chance: Random) -> Offer:
        header = offer.posting.header
        values = {name: make(getattr(header, name), chance) for name, make in changes.items()}
        return offer._replace(posting=replace(offer.posting, header=replace(header, **values)))

    return change


def _other(word: bytes, chance: Random) -> bytes:
    place = chance.randrange(len(word))
    return word[:place] + bytes([word[place] ^ 1]) + word[place + 1 :]


def _more(number: int, chance: Random) -> int:
    return number + chance.randint(1, 1_000)


def other_data(offer: Offer, chance: Random) -> Offer:
    """Data that differ from their commitment in one bit."""
    posting = offer.posting
    return offer._replace(posting=replace(posting, data=_other(posting.data, chance)))


def no_data(offer: Offer, chance: Random) -> Offer:
    """A commitment, and nothing behind it."""
    return offer._replace(posting=replace(offer.posting, data=b""))


def less_bond(offer: Offer, chance: Random) -> Offer:
    """Less at stake than a batch must carry."""
    return offer._replace(bond=offer.bond - 1)


# Frauds of a committee's word


def held_by_committee(posting: Posting, word: Callable[[Attested], Attestation]) -> Posting:
    """Return the posting with its pairs alone, and a word for the steps that members hold."""
    pairs = posting.data[: PAIR_BYTES * posting.header.step_count]
    header = replace(
        posting.header,
        data_kind=DATA_COMMITTEE,
        data_hash=data_hash(pairs),
        data_length=len(pairs),
    )
    return replace(posting, header=header, data=pairs + word(Attested.of(header)).encode())


def _worded(word: Callable[[Attested], Attestation]) -> Callable[[Offer, Random], Offer]:
    def change(offer: Offer, chance: Random) -> Offer:
        return offer._replace(posting=held_by_committee(offer.posting, word))

    return change


def short_quorum(attested: Attested) -> Attestation:
    """The word of one member, where two are needed."""
    return attestation_of(attested, (0,))


def unknown_signer(attested: Attested) -> Attestation:
    """The word of a member and of somebody who is none."""
    return attestation_of(attested, (0, MEMBERS))


def wrong_aggregate(attested: Attested) -> Attestation:
    """The word of two members, said to be that of two others."""
    return replace(attestation_of(attested, (0, 2)), signers=0b011)


def one_twice(attested: Attested) -> Attestation:
    """The word of one member, counted twice, said to be that of two."""
    return replace(attestation_of(attested, (0, 0)), signers=0b011)


def other_batch(attested: Attested) -> Attestation:
    """What members signed of the next batch."""
    return attestation_of(replace(attested, number=attested.number + 1))


def off_subgroup(attested: Attested) -> Attestation:
    """A point of the curve that is not in the subgroup of prime order."""
    return replace(attestation_of(attested), signature=OFF_SUBGROUP)


MISPOSTINGS: dict[str, Callable[[Offer, Random], Offer]] = {
    "committee-short-quorum": _worded(short_quorum),
    "committee-unknown-signer": _worded(unknown_signer),
    "committee-wrong-aggregate": _worded(wrong_aggregate),
    "committee-one-member-twice": _worded(one_twice),
    "committee-word-of-another-batch": _worded(other_batch),
    "committee-point-off-the-subgroup": _worded(off_subgroup),
    "wrong-parent": _header(parent_id=_other),
    "wrong-number": _header(number=_more),
    "wrong-generation": _header(generation=_more),
    "wrong-law-version": _header(law_version=_more),
    "wrong-pre-root": _header(pre_root=_other),
    "unopened-root": _header(post_root=_other),
    "unknown-reference": _header(base_hash=_other),
    "too-many-steps": _header(step_count=lambda count, chance: 1 << 20),
    "data-unlike-commitment": other_data,
    "data-withheld": no_data,
    "short-bond": less_bond,
}

# Refused at posting too, but for what their honest steps hold.
AHEAD, UNASKED = "clock-ahead", "inbox-invented"
# A forgery whose steps only members see, who keep them to themselves.
WITHHELD = "committee-data-withheld"
# A lawful batch without what was acknowledged, see `simulator.left_out`.
LEFT_OUT = "receipt-left-out"
# A lawful batch of a key that was rotated away, see `simulator.rotation`.
RETIRED = "retired-key"
FRAUDS: tuple[str, ...] = (
    *FORGERIES,
    *MISPOSTINGS,
    AHEAD,
    UNASKED,
    WITHHELD,
    LEFT_OUT,
    RETIRED,
)


def fill_misposted(kind: str, forge: BatchForge, now_ms: int, ahead_ms: int) -> None:
    """Fill a batch for a misposting of this kind; every step of most is as the law wants it."""
    if kind == UNASKED:

        def invent(state: Any) -> None:
            state.globals[0].inbox_count += INVENTED

        forge.forged((), now_ms, mutate=invent)
    else:
        forge.honest([NOTHING], now_ms + (ahead_ms if kind == AHEAD else 0))
