"""``mixfit schema``."""

from __future__ import annotations

from typing import Annotated, Any

import typer


def schema(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND",
            help="Of file: fit, mixture, eval, compare or check.",
            show_default=False,
        ),
    ],
) -> None:
    """Print the JSON Schema of a kind of file.

    Example: mixfit schema fit > fit.schema.json
    """
    import json

    typer.echo(json.dumps(schema_of(kind), indent=2))


def schema_of(kind: str) -> dict[str, Any]:
    """Give the JSON Schema of a kind of file, such as ``fit``.

    Raises:
        UsageError: there is no such kind.
    """
    from mixfit.base.errors import UsageError, nearest
    from mixfit.base.schema import json_schema
    from mixfit.evaluation.comparison_file import COMPARE_SCHEMA, CompareFile
    from mixfit.evaluation.evaluation_file import EVAL_SCHEMA, EvalFile
    from mixfit.fitting.check import CHECK_SCHEMA, CheckFile
    from mixfit.fitting.file import FIT_SCHEMA, FitFile
    from mixfit.mixture.files import MIXTURE_SCHEMA
    from mixfit.mixture.stored import MixtureFile

    kinds = {
        "fit": (FitFile, FIT_SCHEMA),
        "mixture": (MixtureFile, MIXTURE_SCHEMA),
        "eval": (EvalFile, EVAL_SCHEMA),
        "compare": (CompareFile, COMPARE_SCHEMA),
        "check": (CheckFile, CHECK_SCHEMA),
    }
    if kind not in kinds:
        raise UsageError(
            f"There is no kind of file '{kind}'.{nearest(kind, kinds)} Kinds: {', '.join(kinds)}."
        )
    return json_schema(*kinds[kind])
