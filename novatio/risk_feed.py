"""The risk service: what publishers post of a market, made from models and from the node's state.

A round is prices of all linear markets and assets, then the risk rows of every listed expiry and
their activation, and once a day the scenarios. Everything is a pure function of models, what the
node told, and the time; `novatio.feed` submits it and `novatio.feed_check` rehearses it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from clearing import eip712
from clearing.codes import InstrumentKind, InstrumentStatus, Kind
from clearing.forms import CONTEXT, FORMS, ROW_STRIDE, ROWS_PER_ACTION, SHOCKS_PER_ACTION
from clearing.keys import address_of, sign
from clearing.messages import Price, PriceObservation
from clearing.requests import Request
from clearing.units import (
    ACTION_BYTES_MAX,
    OBSERVATIONS_MAX,
    PPM,
    SCENARIOS_MAX,
    SIGNATURE_BYTES,
)
from node.v1 import node_pb2 as pb
from novatio.client import Client
from novatio.errors import KeyUnusable
from novatio.feed_models import (
    AssetModel,
    MarketModel,
    ModelUnusable,
    Shock,
    market_of,
    shocks_of,
)
from novatio.governance import params_record, propose
from risk.listed import YEAR_MS, ListedRows, carry_needed_ppm, grid_points, listed_rows

__all__ = ["Post", "Publishers", "RiskFeed", "View", "look", "report_of"]

ASSET_PRICES: Final = 1 << 31  # instrument number of asset 0's price
NANO: Final = 10**9
DAY_MS: Final = 86_400_000
PIECE_BYTES: Final = 8
LENGTH_BYTES: Final = 2  # before each action of a posted step
NOBODY: Final = -1

Place = Callable[[int], int]


@dataclass(frozen=True, slots=True)
class Publishers:
    """Keys of publishers in this process, and how many the law wants."""

    keys: tuple[bytes, ...]
    quorum: int
    domain: bytes

    @classmethod
    def of(cls, keys: Sequence[bytes], params: pb.GetParamsResponse, domain: bytes) -> Publishers:
        """Return those of the keys that the law knows. Raises KeyUnusable below the quorum."""
        known = set(params.publishers)
        found = tuple(key for key in keys if address_of(key) in known)
        if len(found) < params.price_quorum:
            raise KeyUnusable(
                f"expected keys of at least {params.price_quorum} of the law's "
                f"{len(known)} publishers, was {len(found)} of {len(keys)} keys",
                next_step="put the publishers' keys into the file that feed.keys names, one a line",
            )
        return cls(found[:OBSERVATIONS_MAX], params.price_quorum, domain)

    def signed(self, request: Request) -> Request:
        """Return the request with the signatures of a bare quorum: each is posted bytes."""
        digest = eip712.digest(self.domain, request.struct_hash())
        signatures = tuple(sign(key, digest) for key in self.keys[: self.quorum])
        return replace(request, signatures=signatures)

    def price(self, instrument: int, index: int, mark: int, time_ms: int) -> Price:
        """Return a price action with an observation of every publisher."""
        seen = PriceObservation(index, mark, time_ms)
        digest = eip712.digest(self.domain, seen.struct_hash(instrument))
        return Price(instrument, tuple(replace(seen, signature=sign(k, digest)) for k in self.keys))

    def room(self, kind: Kind) -> int:
        """Return how many payload pieces fit an action of the kind."""
        around = FORMS[kind].size + 2 + 1 + SIGNATURE_BYTES * self.quorum
        return min(FORMS[kind].payload, (ACTION_BYTES_MAX - around) // PIECE_BYTES)


@dataclass(frozen=True, slots=True)
class View:
    """What the node told: its markets, and what those of an underlying share."""

    instruments: tuple[pb.Instrument, ...]
    underlyings: Mapping[int, pb.Underlying]
    params: pb.GetParamsResponse

    def of(self, underlying: int) -> list[pb.Instrument]:
        """Return the markets of an underlying that are not settling."""
        return [
            one
            for one in self.instruments
            if one.underlying == underlying and one.status < InstrumentStatus.SETTLING
        ]

    def options(self, underlying: int, series: int) -> list[pb.Instrument]:
        """Return a series' options in the order in which their rows are staged."""
        found = [
            one
            for one in self.of(underlying)
            if one.kind >= InstrumentKind.CALL and one.series == series
        ]
        return sorted(found, key=lambda one: (one.strike_micro, one.kind, one.id))


@dataclass(frozen=True, slots=True)
class Post:
    """One action to submit, of which `what` says of whom it is.

    `part` is prices, rows, activation, grid or scenarios; `details` are numbers for the report.
    """

    part: str
    what: str
    action: Price | Request
    details: Mapping[str, int]

    @property
    def posted_bytes(self) -> int:
        """Bytes that the action takes of a posted batch, with its length."""
        return len(self.action.encode()) + LENGTH_BYTES


def look(client: Client) -> View:
    """Ask the node for all markets and underlyings."""
    instruments = tuple(client.instruments())
    numbers = sorted({int(one.underlying) for one in instruments})
    return View(instruments, {n: client.underlying(n) for n in numbers}, client.params())


@dataclass(frozen=True, slots=True)
class RiskFeed:
    """Models of markets and assets, and who publishes them."""

    models: Sequence[MarketModel]
    assets: Sequence[AssetModel]
    publishers: Publishers

    # Prices.

    def prices(self, view: View, place: Place, time_ms: int) -> Iterator[Post]:
        """Yield the prices of every linear market, the reference market's first, and of assets."""
        for model in self.models:
            number = model.section.underlying
            reference = self._underlying(view, number).reference_instrument
            linear = [one for one in view.of(number) if one.kind < InstrumentKind.CALL]
            for one in sorted(linear, key=lambda each: (each.id != reference, each.id)):
                if one.expiry_ms and one.expiry_ms <= time_ms and one.id != reference:
                    continue
                index, mark = lot_quote(model, one, place, time_ms)
                yield Post(
                    "prices",
                    one.symbol,
                    self.publishers.price(one.id, index, mark, time_ms),
                    {"instrument": one.id, "index_price_micro": index, "mark_price_micro": mark},
                )
        for asset in self.assets:
            number, now = asset.section.asset, asset.quote(place)
            yield Post(
                "prices",
                f"asset {number}",
                self.publishers.price(ASSET_PRICES + number, now, now, time_ms),
                {"asset": number, "index_price_micro": now},
            )

    # Rows.

    def rows(
        self, view: View, place: Place, time_ms: int, rows_max: int = ROWS_PER_ACTION
    ) -> Iterator[Post]:
        """Yield the rows and the activation of every expiry with options that has not come yet.

        Once the time of an announced grid has come, rows are rows of it, and one enactment of the
        grid stands in the place of an underlying's activations.
        Raises ModelUnusable if a market with options has no volatility, or rows cannot be made.
        """
        for model in self.models:
            number = model.section.underlying
            underlying = self._underlying(view, number)
            for series, terms in enumerate(underlying.series):
                options = view.options(number, series)
                if options and terms.expiry_ms > time_ms and time_ms > terms.active_time_ms:
                    found = self.valued(view, model, series, options, place, time_ms)
                    needed = carry_needed_ppm(found, terms.expiry_ms - time_ms)
                    details = {"underlying": number, "series": series, "carry_needed_ppm": needed}
                    yield from self._staged(options, found, details, time_ms, rows_max)
                    if not next_grid_is_due(underlying, time_ms):
                        yield self._activation(found, details, time_ms)
            if next_grid_is_due(underlying, time_ms):
                request = Request.of(Kind.ENACT_GRID, underlying=number)
                yield Post("grid", f"underlying {number}", request, {"underlying": number})

    def valued(
        self,
        view: View,
        model: MarketModel,
        series: int,
        options: Sequence[pb.Instrument],
        place: Place,
        time_ms: int,
    ) -> ListedRows:
        """Return the rows of a series' options, in their order. Raises ModelUnusable."""
        number = model.section.underlying
        underlying = self._underlying(view, number)
        name = f"underlying {number}, series {series}"
        if model.surface is None:
            raise ModelUnusable(
                f"{name}: options are listed, but nothing tells their volatility",
                next_step="set chain, history or volatility_ppm in its [[market]]",
            )
        grid = grid_at(underlying, time_ms)
        reference = view.instruments[underlying.reference_instrument]
        sizes = {one.lot_size_nano for one in (reference, *options)}
        if len(sizes) > 1:
            raise ModelUnusable(
                f"{name}: expected one lot size, since rows are held to the index of a lot of "
                f"{reference.symbol}, was {sorted(sizes)}",
                next_step="novatio instrument list",
            )
        try:
            return listed_rows(
                model.surface,
                per_lot(model.quote(place)[0], reference),
                (underlying.series[series].expiry_ms - time_ms) / YEAR_MS,
                [one.strike_micro for one in options],
                [one.kind == InstrumentKind.CALL for one in options],
                points=grid_points(grid[0], grid[1]),
                volatility_shocks=grid[2],
                rate=model.section.rate_ppm / PPM,
                confidence=model.section.confidence_ppm,
            )
        except ValueError as error:
            raise ModelUnusable(
                f"{name}: {error}", next_step=f"novatio underlying show {number}"
            ) from error

    def _staged(
        self,
        options: Sequence[pb.Instrument],
        found: ListedRows,
        details: dict[str, int],
        time_ms: int,
        rows_max: int,
    ) -> Iterator[Post]:
        fields = _set_fields(found, details, time_ms)
        carry: dict[str, Any] = {
            "forward": found.rows.forward,
            "discount_nano": found.rows.discount,
        }
        size = min(rows_max, (self.publishers.room(Kind.RISK_ROWS) - CONTEXT) // ROW_STRIDE)
        calls, puts = (NOBODY, NOBODY), (NOBODY, NOBODY)
        for first in range(0, len(options), size):
            part = range(first, min(first + size, len(options)))
            payload = [*calls, *puts]
            for k in part:
                payload += [options[k].id, *found.rows.values[k].tolist()]
                if options[k].kind == InstrumentKind.CALL:
                    calls = (options[k].id, calls[0])
                else:
                    puts = (options[k].id, puts[0])
            request = Request.of(Kind.RISK_ROWS, payload=payload, **fields, **carry)
            names = ", ".join(options[k].symbol for k in part)
            signed = self.publishers.signed(request)
            yield Post("rows", names, signed, {**details, "options": len(part)})

    def _activation(self, found: ListedRows, details: dict[str, int], time_ms: int) -> Post:
        numbers: dict[str, Any] = {
            "discount_long_ppm": found.discount_long_ppm,
            "discount_short_ppm": found.discount_short_ppm,
            "confidence_ppm": found.confidence_ppm,
        }
        fields = _set_fields(found, details, time_ms)
        request = Request.of(Kind.ACTIVATE, **fields, **numbers)
        more = {
            "reference_price_micro": found.reference,
            "forward_micro": found.rows.forward,
            "repair_micro": int(found.rows.repair.max()),
        }
        return Post(
            "activation",
            f"underlying {details['underlying']}, series {details['series']}",
            self.publishers.signed(request),
            {**details, **numbers, **more},
        )

    # Scenarios.

    def scenarios(self, view: View, time_ms: int, count: int = SCENARIOS_MAX) -> Iterator[Post]:
        """Yield what brings each underlying's scenarios up to the last day of the histories.

        A list that is not as long as the histories allow is written whole; later, each new day
        replaces one slot, the oldest. What is written first stays unfinished until the last list is
        whole, so that no account is judged by days that do not belong together: then a shock of
        each is repeated as its end. A list that somebody left unfinished is ended too.
        """
        found = shocks_of(self.models, count)
        parts = {n: list(self._parts(self._underlying(view, n), found[n])) for n in sorted(found)}
        due = [number for number in parts if parts[number]]
        for number in due:
            left = len(parts[number]) - (number == due[-1])
            for place, part in enumerate(parts[number]):
                yield self._scenario_post(number, part, left - place, time_ms)
        for number in due[:-1]:
            yield self._scenario_post(number, parts[number][-1][-1:], 0, time_ms)

    def _scenario_post(
        self, underlying: int, part: Sequence[Shock], rest: int, time_ms: int
    ) -> Post:
        request = Request.of(
            Kind.SCENARIOS,
            payload=[s.price_ppm << 32 | s.volatility_ppm & 0xFFFFFFFF for s in part],
            underlying=underlying,
            first=part[0].slot,
            rest=rest,
            time=time_ms,
        )
        return Post(
            "scenarios",
            f"underlying {underlying}",
            self.publishers.signed(request),
            {"underlying": underlying, "first": part[0].slot, "count": len(part)},
        )

    def _parts(self, underlying: pb.Underlying, shocks: list[Shock]) -> Iterator[list[Shock]]:
        held = underlying.scenario_prices_ppm
        if len(held) >= len(shocks):
            newest = shocks[-1]
            slot = (held[newest.slot], underlying.scenario_volatilities_ppm[newest.slot])
            if slot != (newest.price_ppm, newest.volatility_ppm) or underlying.scenario_rest:
                yield [newest]
            return
        size = min(SHOCKS_PER_ACTION, self.publishers.room(Kind.SCENARIOS))
        ordered = sorted(shocks, key=lambda shock: shock.slot)
        for first in range(0, len(ordered), size):
            yield ordered[first : first + size]

    # Proposals.

    def proposals(self, view: View) -> list[dict[str, Any]]:
        """Return proposed parameters of every tier with a market whose history is known.

        They are for governance to sign or to leave: nothing here signs them.
        """
        known = {model.section.underlying: model for model in self.models if model.history}
        record = params_record(view.params.record)
        found = []
        for tier in range(int(record.tier_count)):
            members = [
                one for one in view.instruments if one.tier == tier and one.underlying in known
            ]
            if members:
                interest = sum(one.open_interest_lots * one.mark_price_micro for one in members)
                chosen = [known[n] for n in sorted({int(one.underlying) for one in members})]
                found += [
                    {
                        "parameter": f"tiers.{tier}.{one.field}",
                        "before": one.before,
                        "after": one.after,
                        "reason": one.reason,
                    }
                    for one in propose(record, tier, market_of(chosen, interest))
                ]
        return found

    def _underlying(self, view: View, number: int) -> pb.Underlying:
        if number not in view.underlyings:
            raise ModelUnusable(
                f"market of underlying {number}: expected one of "
                f"{', '.join(map(str, view.underlyings))}, which have instruments",
                next_step="novatio instrument list",
            )
        return view.underlyings[number]


def next_grid_is_due(underlying: pb.Underlying, time_ms: int) -> bool:
    """Tell whether rows of a time are rows of the grid that governance announced."""
    return 0 < underlying.next_grid_time_ms <= time_ms


def grid_at(
    underlying: pb.Underlying, time_ms: int
) -> tuple[Sequence[int], Sequence[int], tuple[int, int, int]]:
    """Return price shocks, dampings and volatility shocks of the grid that rows of a time are of.

    All are ppm.
    """
    if next_grid_is_due(underlying, time_ms):
        down, up = underlying.next_volatility_down_ppm, underlying.next_volatility_up_ppm
        return underlying.next_price_shocks_ppm, underlying.next_dampings_ppm, (down, 0, up)
    down, up = underlying.volatility_down_ppm, underlying.volatility_up_ppm
    return underlying.price_shocks_ppm, underlying.dampings_ppm, (down, 0, up)


def _set_fields(found: ListedRows, details: Mapping[str, int], time_ms: int) -> dict[str, Any]:
    """Return the fields that rows and activation of a set have in common."""
    place = {"underlying": details["underlying"], "series": details["series"]}
    return {**place, "time": time_ms, "price": found.reference}


def per_lot(price_micro: int, instrument: pb.Instrument) -> int:
    """Return a price in micro-quote per unit as micro-quote per lot, rounded down."""
    return int(price_micro * instrument.lot_size_nano // NANO)


def lot_quote(
    model: MarketModel, instrument: pb.Instrument, place: Place, time_ms: int
) -> tuple[int, int]:
    """Return index and mark of a linear market, micro-quote per lot, the mark on its tick.

    A future's mark is the forward of the model's carry at the mark of the moment.
    """
    index, mark = (per_lot(price, instrument) for price in model.quote(place))
    if instrument.kind == InstrumentKind.FUTURE and model.surface is not None:
        years = max(0, instrument.expiry_ms - time_ms) / YEAR_MS
        mark = round(mark * float(model.surface.forward(years)) / model.surface.spot)
    tick = instrument.tick_micro
    return index, max(tick, mark // tick * tick)


def report_of(posts: Sequence[Post], time_ms: int) -> dict[str, Any]:
    """Return what a round posts: prices, bytes of each expiry's refresh, and of scenarios."""
    series: dict[tuple[int, int], dict[str, Any]] = {}
    for post in posts:
        if post.part not in ("rows", "activation"):
            continue
        key = (post.details["underlying"], post.details["series"])
        entry = series.setdefault(
            key, {"underlying": key[0], "series": key[1], "options": 0, "actions": 0, "bytes": 0}
        )
        entry["actions"] += 1
        entry["bytes"] += post.posted_bytes
        entry["options"] += post.details.get("options", 0)
        if post.part == "activation":
            entry["bytes_per_option"] = -(-entry["bytes"] // max(entry["options"], 1))
            entry.update(post.details)
    return {
        "law_time_ms": time_ms,
        "prices": [
            {"market": post.what, **post.details, "bytes": post.posted_bytes}
            for post in posts
            if post.part == "prices"
        ],
        "series": list(series.values()),
        "scenarios": [
            {**post.details, "bytes": post.posted_bytes}
            for post in posts
            if post.part == "scenarios"
        ],
        "posted_bytes": sum(post.posted_bytes for post in posts),
    }
