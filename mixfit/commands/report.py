"""``mixfit report``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mixfit.commands import options as given  # noqa: TC001 (typer reads them)
from mixfit.commands.tables import AS_USUAL, TableOptions, reads_tables

if TYPE_CHECKING:
    from mixfit.evaluation.evaluate import Evaluation
    from mixfit.mixture.result import Study
    from mixfit.reports.page import Picture

_DPI = 110.0  # of points in their thousands, which are drawn as images


@reads_tables
def report(
    fit: given.FitArgument,
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUNS...]",
            help="Runs to predict: files, directories of files, or globs. [default: the files"
            " fitted, if unchanged]",
            show_default=False,
        ),
    ] = None,
    mixture: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="A mixture file that 'mixfit optimize -o' made of this fit, for one budget.",
            show_default=False,
        ),
    ] = None,
    table: TableOptions = AS_USUAL,
    out: Annotated[
        str,
        typer.Option("--out", "-o", metavar="FILE", help="The page, HTML; - is standard output."),
    ] = "report.html",
    quiet: given.Quiet = False,
) -> None:
    """Write one page on a fit for others: what, how well, the best mixture, how to redo it.

    Example: mixfit report fit.yaml larger_runs.csv --mixture mixture.yaml -o report.html
    """
    import platform
    import shlex

    from mixfit.base.files import check_out, file_sha256, write_text
    from mixfit.commands.fitted import fitted_runs
    from mixfit.evaluation.evaluate import evaluate
    from mixfit.fitting.file import load_fit
    from mixfit.mixture.read_study import load_study
    from mixfit.plots import require_matplotlib
    from mixfit.reports.document import Made, sections_of, title_of
    from mixfit.reports.page import render_page
    from mixfit.reports.render import print_remarks
    from mixfit.reports.report import Remark

    check_out(out, [fit, *(runs or ()), *([mixture] if mixture else ()), *(table.join or ())])
    require_matplotlib()
    loaded, sha256 = load_fit(fit), file_sha256(fit)
    study = None if mixture is None else load_study(mixture, loaded, sha256)
    check_out(out, loaded.data.paths)
    known = fitted_runs(loaded)
    predicted = table.read(runs, fit=loaded) if runs else known
    check_out(out, () if predicted is None else predicted.paths)
    evaluation = None if predicted is None else evaluate(loaded, predicted, fitted_runs=known)
    words = ["mixfit", "report", fit, *(runs or ()), *table.words()]
    words += ["--mixture", mixture] if mixture else []
    made = Made(
        command=shlex.join([*words, "-o", out]),
        files=[] if mixture is None else [("mixture", mixture, file_sha256(mixture))],
        versions=[
            ("Python", platform.python_version()),
            *_versions("matplotlib", "numpy", "scipy"),
        ],
    )
    pictures = _pictures(evaluation, study)
    sections = sections_of(loaded, fit, sha256, evaluation, study, pictures, made)
    write_text(out, render_page(*title_of(loaded, fit), sections))
    if quiet:
        return
    remarks = [] if out == "-" else [Remark("wrote", out)]
    if evaluation is None:
        text = "the files fitted are not here, or changed, so that no predictions are shown"
        remarks.insert(0, Remark("note", f"{text}; give runs"))
    print_remarks(remarks)


def _versions(*names: str) -> list[tuple[str, str]]:
    from importlib.metadata import version

    return [(name, version(name)) for name in names]


def _pictures(evaluation: Evaluation | None, study: Study | None) -> dict[str, Picture]:
    """Draw what the page shows, by kind."""
    from mixfit.plots import KINDS, draw
    from mixfit.plots.style import to_bytes
    from mixfit.reports.page import Picture

    wanted: list[tuple[Evaluation | Study, str]] = []
    if evaluation is not None:
        forms = [target.form for target in evaluation.fit.targets.values()]
        along = all(f.uses_model_size for f in forms), all(f.uses_tokens for f in forms)
        curves = {
            (True, True): "by-flops",
            (True, False): "by-size",
            (False, True): "by-tokens",
        }.get(along)
        wanted += [(evaluation, kind) for kind in ("observed", curves, "residuals") if kind]
    if study is not None:
        wanted += [(study, "weights"), (study, "losses")]
    drawn = {}
    for result, kind in wanted:
        caption = KINDS[type(result).__name__][kind].caption
        svg = to_bytes(draw(result, kind), ".svg", _DPI)
        text = f"{caption}. The tables of this section have the numbers."
        drawn[kind] = Picture(svg, f"{caption}.", text)
    return drawn
