"""What all commands share: options, lazily made clients, printing, and errors as exit codes.

Modules of this package import click and light modules only; whatever needs gRPC, NumPy or the
compiler is imported when a command runs, so that ``novatio --help`` answers at once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from novatio.errors import (
    BadRequest,
    ConfigInvalid,
    CorruptData,
    KeyUnusable,
    NotFound,
    NovatioError,
    Unavailable,
    VerificationFailed,
)
from novatio.output import FORMATS, Record, colour_wanted, render, render_rows

if TYPE_CHECKING:
    from clearing.genesis import Genesis
    from novatio.client import Client
    from novatio.settings import Settings
    from novatio.signing import Signer
    from prover.member_service import CommitteeClient
    from verifier.base.interface import BaseLayer

F = TypeVar("F", bound=Callable[..., Any])

EXIT_USAGE = 2
EXIT_INTERRUPTED = 130

ADDRESS_BYTES = 20
# Accounts, numbers of batches, sequences and times: what every message has room for.
NUMBER_MAX = (1 << 63) - 1
NATURAL = click.IntRange(0, NUMBER_MAX)
POSITIVE = click.IntRange(1, NUMBER_MAX)

_HELP_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class App:
    """The options given before or after the subcommand, and what they lead to."""

    def __init__(self) -> None:
        self.options: dict[str, str] = {}
        self.resources = ExitStack()
        self._settings: Settings | None = None

    @property
    def form(self) -> str:
        """``table`` or ``json``."""
        return self.options.get("output", FORMATS[0])

    @property
    def settings(self) -> Settings:
        """The settings of client commands. Raises ConfigInvalid."""
        if self._settings is None:
            from novatio.settings import load_settings

            self._settings = load_settings(self.options)
        return self._settings

    def client(self) -> Client:
        """Return a client of the node, closed when the command ends."""
        from novatio.client import Client
        from novatio.settings import tls_of

        found = self.settings.client
        return self.resources.enter_context(
            Client(
                found.node,
                key=found.key_file or None,
                tls=tls_of(found),
                api_key=found.api_key,
                deadline=found.deadline_ms / 1000,
            )
        )

    def base(self) -> BaseLayer:
        """Return a client of the base layer, closed when the command ends."""
        from verifier.base.remote import RemoteBaseLayer

        found = self.settings.client
        base = RemoteBaseLayer(found.base, deadline_seconds=found.deadline_ms / 1000)
        self.resources.callback(base.close)
        return base

    def members(self, base: BaseLayer) -> CommitteeClient | None:
        """Return the court's data committee where settings name it, closed in the end."""
        from node.committee import connect

        members = connect(self.settings.committee, base.config().committee)
        if members is not None:
            self.resources.callback(members.close)
        return members

    def signer(self) -> Signer:
        """Return the signer of --key, the configuration or NOVATIO_KEY. Raises KeyUnusable."""
        from novatio.signing import find_signer

        signer = find_signer(self.settings.client.key_file or None)
        if signer is None:
            raise KeyUnusable("expected a key to sign with, was none")
        return signer

    def private_key(self) -> bytes:
        """Return the key of --key, the configuration or NOVATIO_KEY. Raises KeyUnusable."""
        from novatio.signing import LocalSigner

        signer = self.signer()
        assert isinstance(signer, LocalSigner)
        return signer.private_key

    def genesis(self) -> Genesis:
        """Return the chain's genesis, which a replay begins with. Raises ConfigInvalid."""
        from node.config import load_genesis

        return load_genesis(self.settings.client.genesis)

    def show(self, record: Record) -> None:
        """Print one record."""
        click.echo(render(record, self.form))

    def show_rows(self, noun: str, rows: Sequence[Record], columns: Sequence[str] = ()) -> None:
        """Print many records."""
        click.echo(render_rows(noun, rows, self.form, columns))

    def note(self, text: str) -> None:
        """Print a remark for people; programs that read standard output do not see it."""
        click.echo(text, err=True)


pass_app = click.make_pass_decorator(App, ensure=True)


def _remember(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    if value is not None and parameter.name is not None:
        context.ensure_object(App).options[parameter.name] = str(value)


def _option(*names: str, help: str, type: Any = str, metavar: str | None = None) -> click.Option:
    return click.Option(
        list(names),
        help=help,
        type=type,
        metavar=metavar,
        expose_value=False,
        callback=_remember,
    )


def shared_options() -> list[click.Parameter]:
    """Return the options that stand before or after a subcommand, whichever comes last wins."""
    return [
        _option("-o", "--output", help="How to print.", type=click.Choice(FORMATS)),
        _option("--config", help="TOML file of the command's settings.", metavar="FILE"),
        _option("--node", help="Address of the node, host:port.", metavar="ADDRESS"),
        _option("--base", help="Address of the base layer, host:port.", metavar="ADDRESS"),
        _option("--key", help="Key file of mode 600, or set NOVATIO_KEY.", metavar="FILE"),
    ]


def number_or_time(text: str) -> tuple[bool, int | None]:
    """Return (it is a number, the number), or (False, ms since 1970) of a date or time (UTC).

    None stands for what is neither, or beyond what messages have room for.
    """
    is_number = text.isascii() and text.isdecimal()
    try:
        if is_number:
            found = int(text) if len(text) <= len(str(NUMBER_MAX)) else -1
        else:
            moment = datetime.fromisoformat(text)
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=UTC)
            found = int(moment.timestamp() * 1000)
    except (ValueError, OverflowError):
        found = -1
    return is_number, found if 0 <= found <= NUMBER_MAX else None


def address(text: str) -> bytes:
    """Return the 20 bytes of an address in hexadecimal. Raises BadRequest."""
    try:
        found = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        found = b""
    if len(found) != ADDRESS_BYTES:
        raise BadRequest(
            f"address: expected {ADDRESS_BYTES} bytes in hex, was {text!r}",
            next_step="novatio key address --key <file>",
        )
    return found


class Command(click.Command):
    """A command that takes the shared options too."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        keywords.setdefault("context_settings", _HELP_SETTINGS)
        super().__init__(*arguments, **keywords)
        self.params = [*self.params, *shared_options()]


class Noun(click.Group):
    """A group of commands about one noun."""

    command_class = Command

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        keywords.setdefault("context_settings", _HELP_SETTINGS)
        super().__init__(*arguments, **keywords)
        self.params = [*self.params, *shared_options()]


class Main(Noun):
    """The root: makes exit codes of errors, and puts the next command to try behind each."""

    group_class = Noun

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run; leave with the exit code unless ``standalone_mode`` is off."""
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, False, **extra)
        try:
            value = super().main(args, prog_name, complete_var, False, **extra)
        except click.UsageError as error:
            _leave_usage(error)
        except click.ClickException as error:
            _leave(error.format_message(), "novatio --help", error.exit_code)
        except (click.Abort, KeyboardInterrupt):
            click.echo("interrupted; nothing that was acknowledged is lost", err=True)
            sys.exit(EXIT_INTERRUPTED)
        except Exception as error:
            found = as_error(error)
            if found is None:
                raise
            text = str(found)
            if not text.startswith(found.reason):
                text = f"{found.reason}: {text}"
            _leave(text, found.next_step, found.exit_code, found.metadata)
        sys.exit(value if isinstance(value, int) else 0)

    def invoke(self, context: click.Context) -> Any:
        """Run the subcommand, then let go of what it opened."""
        with context.ensure_object(App).resources:
            return super().invoke(context)


def _leave_usage(error: click.UsageError) -> NoReturn:
    path = error.ctx.command_path if error.ctx is not None else "novatio"
    _leave(error.format_message(), f"{path} --help", EXIT_USAGE)


def _leave(
    message: str, next_step: str, code: int, metadata: Mapping[str, str] | None = None
) -> NoReturn:
    label = "error:"
    if colour_wanted(sys.stderr):
        label = click.style(label, fg="red", bold=True)
    lines = [f"{label} {message}"]
    if metadata:
        lines.append("  " + " ".join(f"{key}={value}" for key, value in metadata.items()))
    lines.append(f"next: {next_step}")
    click.echo("\n".join(lines), err=True)
    sys.exit(code)


def as_error(error: Exception) -> NovatioError | None:
    """Return the error of this package that ``error`` means, None if it is a defect of ours."""
    if isinstance(error, NovatioError):
        return error
    # Only modules that are loaded can have raised, so none is imported for this.
    for module, translate in _TRANSLATIONS.items():
        if module in sys.modules:
            found = translate(sys.modules[module], error)
            if found is not None:
                return found
    if isinstance(error, OSError):
        return NovatioError(
            f"{error.filename or 'operating system'}: {error.strerror or error}",
            reason="SYSTEM",
            next_step="check the path and its permissions",
        )
    return None


def _of_verifier(module: Any, error: Exception) -> NovatioError | None:
    if isinstance(error, module.Refused):
        missing = error.code.name in ("NO_SUCH_BATCH", "NO_SUCH_WITHDRAWAL")
        kind = NotFound if missing else BadRequest
        return kind(error.text, reason=error.code.name, next_step="novatio root list")
    if isinstance(error, module.ConfigError):
        return ConfigInvalid("court", error.problems)
    if isinstance(error, module.VerifierError):
        return VerificationFailed(str(error))
    return None


def _of_base_layer(module: Any, error: Exception) -> NovatioError | None:
    if isinstance(error, module.BaseLayerUnavailable):
        return Unavailable(str(error), next_step="novatio freeze status --base <host:port>")
    if isinstance(error, module.BlockUnknown):
        return Unavailable(str(error), next_step="the same command again")
    if isinstance(error, module.ChainFileCorrupt):
        return CorruptData(str(error), next_step="restore the file from a copy")
    return None


def _of_node_config(module: Any, error: Exception) -> NovatioError | None:
    if isinstance(error, module.ConfigInvalid):
        return ConfigInvalid("configuration", error.problems)
    return None


def _of_node(module: Any, error: Exception) -> NovatioError | None:
    if isinstance(error, module.LogCorrupt | module.LogBehind | module.ViewCorrupt):
        return CorruptData(str(error), next_step="novatio inspect log <directory>")
    if isinstance(error, module.StorageError):
        return NovatioError(str(error), reason="STORAGE_FAILED")
    return None


def _of_member_store(module: Any, error: Exception) -> NovatioError | None:
    if isinstance(error, module.StoreError):
        return CorruptData(str(error), next_step="novatio committee status")
    return None


def _of_member_service(module: Any, error: Exception) -> NovatioError | None:
    if isinstance(error, module.MemberUnreachable):
        return Unavailable(str(error), next_step="novatio committee status")
    return None


_TRANSLATIONS: dict[str, Callable[[Any, Exception], NovatioError | None]] = {
    "verifier.base.errors": _of_base_layer,  # before those that it is derived from
    "verifier.errors": _of_verifier,
    "node.config": _of_node_config,
    "node.errors": _of_node,
    "prover.member_store": _of_member_store,
    "prover.member_service": _of_member_service,
}
