"""How a command ends: a file, the report, what a reader should know, and what was written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mixfit.base.shown import TEXT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mixfit.reports.report import Remark, Report


def save_picture(path: str, result: object, kind: str | None, **options: Any) -> None:
    """Draw a result and write the picture.

    Args:
        path: whose ending says the form.
        result: of a type that `mixfit.plots` draws.
        kind: of picture, or None for the first.
        options: of the drawing function.
    """
    from mixfit.plots import draw
    from mixfit.plots.style import save

    save(draw(result, kind, **options), path)


def finish(
    out: str | None,
    write: Callable[[str], None],
    report: Callable[[], Report],
    *,
    quiet: bool,
    form: str = TEXT,
    also_written: Sequence[str | None] = (),
    always: Sequence[Remark] = (),
) -> None:
    """Write a result to a file and report it; with ``-`` for the file, write it alone.

    Args:
        out: the file, or ``-`` for standard output, or None for no file.
        write: writes the result to the file of this name, or to standard output for ``-``.
        report: makes the report on the result, which is not printed where the result itself is.
        quiet: print no remarks, and not what was written.
        form: of the report (see `mixfit.reports.render.render`).
        also_written: other files that were written before; None where there is none.
        always: further remarks, which are printed although the report is not.
    """
    from mixfit.reports.render import print_remarks, print_report
    from mixfit.reports.report import Remark

    if out is not None:  # before anything is printed, so that a pipe that is closed loses nothing
        write(out)
    remarks = [*always]
    if out != "-":
        made = report()
        print_report(made, form)
        remarks = [*made.remarks, *always]
    written = [path for path in (out, *also_written) if path not in (None, "-")]
    if not quiet:
        print_remarks([*remarks, *(Remark("wrote", str(path)) for path in written)])
