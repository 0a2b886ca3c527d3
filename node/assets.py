"""Collateral assets as the wire shows them."""

from __future__ import annotations

from typing import Any, cast

from clearing.records import State
from node.v1 import node_pb2


def asset_message(state: State, id: int) -> Any:
    """Return asset ``id``, which exists, as the wire shows it."""
    asset = cast(Any, state).assets[id]
    return node_pb2.Asset(
        id=id,
        withdraw_only=bool(asset.status),
        price_micro=int(asset.price),
        stable_price_micro=int(asset.stable_price),
        price_time_ms=int(asset.price_time),
        haircut_ppm=int(asset.haircut_ppm),
        initial_haircut_ppm=int(asset.initial_haircut_ppm),
        scale=int(asset.scale),
        cap=int(asset.cap),
        held=int(asset.held),
    )
