"""`etl completion`: TAB in a shell."""

import click


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print what makes TAB complete commands, tasks, tables.

    \b
      bash:  echo 'eval "$(etl completion bash)"' >> ~/.bashrc
      zsh:   echo 'eval "$(etl completion zsh)"' >> ~/.zshrc, below compinit
      fish:  etl completion fish > ~/.config/fish/completions/etl.fish

    Then TAB knows commands and options everywhere, and in a project's folder its tasks, their parameters, and tables.
    Bash must be 4.4 or newer.
    """
    from etl.completion import script

    root = ctx.find_root().command
    click.echo(script(root, shell))
