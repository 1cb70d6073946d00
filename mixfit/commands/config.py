"""``mixfit config``."""

from __future__ import annotations

from pathlib import Path

import typer  # noqa: TC002 (typer reads the type of the context)

from mixfit.commands.settings import FILE, PROJECT, read_settings


def config(context: typer.Context) -> None:
    """Show what the configuration file sets, and where.

    The file is the first mixfit.toml, or pyproject.toml with [tool.mixfit], from here upward.
    """
    from mixfit.reports.render import print_report
    from mixfit.reports.report import Grid, Report

    settings = read_settings(Path.cwd(), context)
    if not settings:
        line = f"nothing is set: from here upward there is no {FILE}, and no {PROJECT} that sets"
        print_report(Report((f"{line} an option in [tool.mixfit]",)))
        return
    rows = tuple(
        (setting.command, f"--{setting.option}", _shown(setting.value), setting.place)
        for setting in settings
    )
    print_report(Report((Grid(("command", "option", "value", "set in"), rows, left=(0, 1, 2, 3)),)))


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(value) if isinstance(value, list) else str(value)
