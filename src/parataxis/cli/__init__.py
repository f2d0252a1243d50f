"""The command line: one typer app; a method's commands load only when they are called."""

import os
import sys
from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from parataxis import __version__
from parataxis.errors import BadInput
from parataxis.studies.registry import Method, methods

METHODS_PANEL = "Methods: the job on your own data"
AUDIT_HELP = "Tell whether the outcome of MODULE:FUNCTION depends on the order of its items."


class Commands(TyperGroup):
    """The house's commands, the audit, and a command a method; the last two are stubs until one is called."""

    methods: dict[str, Method]  # by command

    def list_commands(self, ctx: Any) -> list[str]:
        return [*super().list_commands(ctx), "audit", *self.methods]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name == "audit":
            return TyperCommand(cmd_name, help=AUDIT_HELP)
        if cmd_name in self.methods:
            summary = self.methods[cmd_name].paper.summary
            return TyperCommand(cmd_name, help=summary, rich_help_panel=METHODS_PANEL)
        return super().get_command(ctx, cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name = args[0]
        if name not in self.list_commands(ctx) and not name.startswith("-"):
            raise BadInput(f"no command is named {name!r}; there: {', '.join(self.list_commands(ctx))}")
        if name == "audit":
            app = typer.Typer(add_completion=False)
            app.command("audit")(import_module("parataxis.cli.audit").audit_command)
            return name, typer.main.get_command(app), args[1:]
        if name in self.methods:
            return name, typer.main.get_command(self.methods[name].load("cli").app), args[1:]
        return super().resolve_command(ctx, args)


def command(folders: Iterable[Path] = ()) -> Any:
    """The whole command. folders: hold more method packages than our own."""
    from parataxis.cli.house import house

    known = methods(folders)
    app = typer.Typer(
        cls=type("Commands", (Commands,), {"methods": {each.paper.command: each for each in known.values()}}),
        no_args_is_help=True,
        add_completion=True,
        context_settings={"help_option_names": ["-h", "--help"], "obj": known},
    )

    @app.callback(help=import_module("parataxis").__doc__)
    def top(
        version: bool = typer.Option(False, "--version", help="Print the version.", is_eager=True, callback=_version),
    ) -> None:
        pass

    house(app)
    return typer.main.get_command(app)


def _version(asked: bool) -> bool:
    if asked:
        typer.echo(f"parataxis {__version__}")
        raise typer.Exit()
    return asked


def main(argv: Sequence[str] | None = None, folders: Iterable[Path] = ()) -> None:
    """Run one command and exit: 0 done, 1 found something, 2 bad input in one line, 130 stopped by Ctrl-C."""
    try:
        status = command(folders).main(args=argv, prog_name="parataxis", standalone_mode=False)
        sys.stdout.flush()  # here, where a closed pipe can be met
    except (BadInput, typer.TyperException) as error:
        status = _refuse(error)
    except KeyboardInterrupt:
        status = 130
    except BrokenPipeError:  # `parataxis papers | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1  # as typer's own, where it meets the pipe first
    if status == 130:
        print("parataxis: stopped", file=sys.stderr)
    sys.exit(status if isinstance(status, int) else 0)


def _refuse(error: Exception) -> int:
    text = error.format_message() if isinstance(error, typer.TyperException) else str(error)
    context = getattr(error, "ctx", None)
    hint = f"; see `{context.command_path} --help`" if context else ""
    if text:  # there is none where a bare `parataxis` has shown its help
        print(f"parataxis: {' '.join(text.split()).rstrip('.')}{hint}", file=sys.stderr)
    return 2
