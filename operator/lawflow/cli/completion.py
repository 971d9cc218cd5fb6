"""``lawflow completion``: the completion script of a shell."""

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script of a SHELL.

    For the shell at hand: source <(lawflow completion bash), or lawflow completion fish | source.
    """
    complete = get_completion_class(shell)
    root = ctx.find_root()
    if complete is None:  # click.Choice lets through only what click itself can complete
        raise click.UsageError(f"no completion for {shell}")
    click.echo(complete(root.command, {}, "lawflow", "_LAWFLOW_COMPLETE").source())
