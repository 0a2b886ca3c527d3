"""``novatio config``: check configurations, and show where each value comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from novatio.cli._app import App, Noun, pass_app
from novatio.errors import ConfigInvalid, NotFound

if TYPE_CHECKING:
    from msgspec import Struct

KINDS = ("client", "node", "base", "challenger", "member", "feed", "keeper")
_SECRETS = frozenset(("client.api_key",))

config = Noun("config", help="Configurations: check them, see where each value comes from.")
COMMANDS = [config]

_KIND = click.option(
    "--kind",
    type=click.Choice(KINDS),
    help="Whose configuration it is; else its sections tell.",
)


@config.command("check")
@click.argument("file", required=False, type=click.Path())
@_KIND
@pass_app
def check_config(app: App, file: str | None, kind: str | None) -> None:
    """Check FILE, the environment and the flags together, and report all errors at once."""
    name, path, _, _ = _loaded(app, file, kind)
    app.show({"kind": name, "file": path, "valid": True})


@config.command("show")
@click.argument("file", required=False, type=click.Path())
@_KIND
@pass_app
def show_config(app: App, file: str | None, kind: str | None) -> None:
    """Show each value in force with its origin: a file, a variable, a flag or the default."""
    from node.config import describe

    _, _, found, origins = _loaded(app, file, kind)
    rows: list[dict[str, Any]] = []
    for key, text, _ in describe(type(found)):
        section, _, name = key.partition(".")
        part = getattr(found, section)
        value = f"{len(part)} entries" if isinstance(part, tuple) else getattr(part, name)
        if key in _SECRETS and value:
            value = "set, not shown"
        row = {
            "key": section if isinstance(part, tuple) else key,
            "value": value,
            "origin": origins.get(section if isinstance(part, tuple) else key, "default"),
            "meaning": text,
        }
        if not isinstance(part, tuple) or row["key"] not in [seen["key"] for seen in rows]:
            rows.append(row)
    app.show_rows("values", rows, ("key", "value", "origin"))


def _loaded(app: App, file: str | None, kind: str | None) -> tuple[str, str | None, Any, Any]:
    """Return (kind, file, configuration, origins). Raises ConfigInvalid with all problems."""
    from node.config import load
    from novatio.settings import find_file, loaded_settings

    path = file or find_file(app.options)
    name = kind or _kind_of(path)
    if name == "client":
        options = {**app.options, "config": path} if path else app.options
        settings, origins = loaded_settings(options)
        return name, path, settings, origins
    loaded = load(_class_of(name), path)
    return name, path, loaded.config, loaded.origins


def _class_of(kind: str) -> type[Struct]:
    if kind == "node":
        from node.config import Config

        return Config
    if kind == "feed":
        from novatio.feed import FeedConfig

        return FeedConfig
    if kind == "keeper":
        from novatio.keeper import KeeperConfig

        return KeeperConfig
    from novatio.processes import BaseConfig, ChallengerConfig, MemberConfig

    if kind == "member":
        return MemberConfig
    return BaseConfig if kind == "base" else ChallengerConfig


def _kind_of(path: str | None) -> str:
    """Guess by the sections of the file; a file that cannot be read is the client's to report."""
    import tomllib
    from pathlib import Path

    if path is None:
        return "client"
    try:
        sections = tomllib.loads(Path(path).read_text("utf-8")).keys()
    except FileNotFoundError:
        raise NotFound(
            f"expected the file {path}, was nothing there",
            metadata={"path": path},
            next_step="novatio config show, which needs no file",
        ) from None
    except (OSError, ValueError) as error:
        raise ConfigInvalid(path, [f"expected a TOML file, was: {error}"]) from error
    for kind in ("client", "challenger", "member", "feed", "keeper"):
        if kind in sections:
            return kind
    return "base" if "layer" in sections else "node"
