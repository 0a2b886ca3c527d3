"""The books as the clients keep them: from answers that they heard, and from nothing of the node.

Whoever trades can keep such a book. It cannot know two things: how many lots a liquidation moved,
and what funding took, for the law decides both. So whoever had part in a liquidation is known only
together with its keeper, and cash only up to what funding can have taken at most.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from clearing.codes import Code, Fund, Kind, Side
from clearing.messages import Liquidate, Trade, Transfer, Withdraw, decode_action
from clearing.requests import Request
from clearing.units import FUNDING_PERIOD_MS, PPM
from node.events import Reply
from simulator.broken import require
from simulator.market import FIRST_PRICES, GOLD, is_unsigned

if TYPE_CHECKING:
    from simulator.world import World

# Prices of this world stay below this multiple of the first ones, with a jump on top.
PRICE_FACTOR = 8
NEVER = 0  # the sequence of what is no action at all


class Book:
    """Everything that clients were told, and what must be in the law's state if it is true."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.heard: dict[int, tuple[bytes, int]] = {}
        self.lots: Counter[tuple[int, int]] = Counter()
        self.most: Counter[tuple[int, int]] = Counter()
        self.cash: Counter[int] = Counter()
        self.touches: Counter[int] = Counter()
        self.sequences: dict[int, int] = {}
        self.withdrawals: list[tuple[int, int]] = []
        self.unsigned = 0
        self.fees = 0
        self._funding_ppm = 0
        self.liquidated: set[int] = set()

    def ask(self, actions: tuple[bytes, ...]) -> None:
        """Take down that a request is on its way once more."""
        self.unsigned += sum(map(is_unsigned, actions))

    def hear(self, actions: tuple[bytes, ...], reply: Reply) -> None:
        """Take down an answer. The same answer again adds nothing; another one is a lie."""
        codes, sequences = reply.codes.tolist(), reply.sequences.tolist()
        for action, code, sequence in zip(actions, codes, sequences, strict=True):
            if sequence == NEVER:
                require("I5", code != Code.APPLIED, "applied unsequenced")
                continue
            known = self.heard.setdefault(sequence, (action, code))
            require("I5", known == (action, code), f"sequence {sequence} was given to two actions")

    def check(self, state: Any, elapsed_ms: int) -> None:
        """Compare the law's final state with what the answers add up to."""
        # Funding at its cap, all the time, on a price that is never reached.
        self._funding_ppm = int(state.params[0].funding_cap_ppm) * elapsed_ms
        count = int(state.globals[0].sequenced_count)
        missing = [number for number in range(1, count + 1) if number not in self.heard]
        # Nobody signs funding: whoever asks twice is answered twice, and may miss one answer.
        require(
            "I4",
            len(missing) <= self.unsigned,
            f"nobody was told of {len(missing)} of {count}, such as {missing[:5]}",
        )
        for number in sorted(self.heard):
            action, code = self.heard[number]
            if code == Code.APPLIED:
                self._apply(action)
        self._deposit()
        self._check_withdrawals(state)
        fees = int(state.funds[Fund.FEES]["balance"])
        require("I4", fees == self.fees, f"fees of {fees}, clients paid {self.fees}")
        traders = self._world.traders
        for account in sorted(one.id for one in [*traders.here(), traders.keeper]):
            self._check_account(state.accounts[account], account)
        self._check_liquidated(state)

    # What each action does, said once more and in other words than the law's.

    def _apply(self, encoded: bytes) -> None:
        action = decode_action(encoded)
        match action:
            case Trade():
                self._trade(action)
            case Transfer():
                self.cash[action.sender] -= action.amount
                self.cash[action.recipient] += action.amount
                self.sequences[action.sender] = action.sequence
            case Withdraw():
                self.cash[action.account] -= action.amount
                self.withdrawals.append((action.account, action.amount))
                self.sequences[action.account] = action.sequence
            case Liquidate():
                self.liquidated |= {action.keeper, action.account}
                self.sequences[action.keeper] = action.sequence
            case Request():
                # Only guests ask for these, whose accounts no one book can follow.
                pass
            case _:
                assert encoded[0] in (Kind.PRICE, Kind.FUNDING, Kind.CANCEL), encoded.hex()

    def _trade(self, action: Trade) -> None:
        lots = action.lots if action.maker_side == Side.BUY else -action.lots
        for account, change, rate in (
            (action.maker.account, lots, action.maker_fee),
            (action.taker.account, -lots, action.taker_fee),
        ):
            # Whoever pays pays more, whoever is paid gets less: rounded up.
            fee = -(-action.lots * action.price * rate // PPM)
            self.cash[account] -= change * action.price + fee
            self.fees += fee
            self.touches[account] += 1
            place = account, action.instrument
            self.lots[place] += change
            self.most[place] = max(self.most[place], abs(self.lots[place]))

    def _deposit(self) -> None:
        inbox = self._world.base.chain.court.inbox
        for index in range(inbox.count):
            entry = inbox.entry(index)
            assert entry is not None
            self.cash[entry.message.account] += entry.message.amount

    # Comparing.

    def _check_withdrawals(self, state: Any) -> None:
        rows = state.withdrawals[: int(state.globals[0].withdrawal_count)]
        # Gold that came while it had no price was sent back; nobody asks for any.
        found = [(int(row["account"]), int(row["amount"])) for row in rows if row["asset"] != GOLD]
        require(
            "I9", found == self.withdrawals, f"{len(found)} withdrawals, not what was applied for"
        )

    def _check_account(self, row: Any, account: int) -> None:
        sequence = self.sequences.get(account, 0)
        require(
            "I4",
            int(row["request_sequence"]) == sequence,
            f"account {account}: request {int(row['request_sequence'])} last, applied {sequence}",
        )
        if account in self.liquidated:
            return
        found = {
            int(place["instrument"]): int(place["lots"])
            for place in row["positions"][: int(row["position_count"])]
        }
        expected = {
            instrument: lots
            for (holder, instrument), lots in self.lots.items()
            if holder == account and lots
        }
        require("I4", found == expected, f"account {account}: holds {found}, traded {expected}")
        cash, known = int(row["cash"]), self.cash[account]
        require(
            "I4",
            abs(cash - known) <= self._funding_most(account),
            f"account {account}: cash {cash}, clients say {known}",
        )

    def _check_liquidated(self, state: Any) -> None:
        """Lots that a liquidation moved went from one of these accounts to another."""
        for instrument in range(len(FIRST_PRICES)):
            expected = sum(self.lots[account, instrument] for account in self.liquidated)
            found = sum(
                int(place["lots"])
                for account in self.liquidated
                for place in state.accounts[account]["positions"][
                    : int(state.accounts[account]["position_count"])
                ]
                if place["instrument"] == instrument
            )
            require(
                "I4", found == expected, f"market {instrument}: liquidated {found}, not {expected}"
            )

    def _funding_most(self, account: int) -> int:
        """Return the most that funding can have moved, and the rounding of each touch, micro."""
        most = sum(
            self.most[account, instrument] * PRICE_FACTOR * price
            for instrument, price in enumerate(FIRST_PRICES)
        )
        most = most * self._funding_ppm // (PPM * FUNDING_PERIOD_MS)
        return most + self.touches[account] + 1
