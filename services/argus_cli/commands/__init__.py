"""One module a command; each a plain function that typer reads."""
