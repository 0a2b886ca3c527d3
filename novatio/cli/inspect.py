"""``novatio inspect``: the files of a node, offline and read-only."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import click

from novatio.cli._app import NATURAL, App, Noun, pass_app
from novatio.errors import NotFound

inspect = Noun("inspect", help="Files of a node, read only; works while it runs or is gone.")
COMMANDS = [inspect]


@inspect.command("log")
@click.argument("directory", type=click.Path(file_okay=False))
@click.option("--records", type=NATURAL, default=0, help="Show this many of the last.")
@pass_app
def inspect_log(app: App, directory: str, records: int) -> None:
    """Verify every record of the log of the data DIRECTORY, and say what is in it."""
    from node.disk import OsDisk
    from node.log import Log
    from node.records import RecordKind

    disk = OsDisk(_part(directory, "log"), read_only=True)
    try:
        log = Log.open(disk, read_only=True)
        last = log.durable_tail.sequence
        counts = Counter(record.kind for record in log.records())
        shown = [_log_record(one) for one in log.records(max(last - records + 1, 1))]
        record: dict[str, Any] = {
            "directory": str(disk.directory),
            "verified": True,
            "last_sequence": last,
            "last_hash": log.durable_tail.hash,
            "records": {kind.name.lower(): counts[kind] for kind in RecordKind},
            "torn_bytes": log.recovery.torn_bytes,
            "torn_segment": log.recovery.torn_segment,
            "unmarked_records": log.recovery.unmarked_records,
            "damaged_marks": len(log.recovery.damaged_marks),
        }
        if records:
            record["last"] = shown[-records:]
        app.show(record)
    finally:
        disk.close()


@inspect.command("view")
@click.argument("directory", type=click.Path(file_okay=False))
@pass_app
def inspect_view(app: App, directory: str) -> None:
    """Verify every entry of the view of the data DIRECTORY, whose node must not run."""
    from node.view import View

    view = View(_part(directory, "view"))
    try:
        kinds = Counter(chr(key[0]) for key, _ in view.scan())
        tail = view.watermark()
        app.show(
            {
                "directory": str(view.directory),
                "verified": True,
                "last_sequence": tail.sequence,
                "last_hash": tail.hash,
                "frames": kinds["f"],
                "batches": kinds["b"],
            }
        )
    finally:
        view.close()


def _part(directory: str, name: str) -> Path:
    path = Path(directory) / name
    if not path.is_dir():
        raise NotFound(
            f"expected a node's {name} in {path}, was no directory",
            metadata={"path": str(path)},
            next_step="name the directory that node.data_dir of the configuration names",
        )
    return path


def _log_record(record: Any) -> dict[str, Any]:
    from node.records import RecordKind

    known = record.kind in tuple(RecordKind)
    return {
        "sequence": record.sequence,
        "kind": RecordKind(record.kind).name.lower() if known else str(record.kind),
        "payload_bytes": len(record.payload),
        "segment": record.segment,
        "offset": record.offset,
        "hash": record.hash,
    }
