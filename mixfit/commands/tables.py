"""The options that say how tables of runs are read, declared once for all commands."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, fields
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mixfit.fitting.check import Check
    from mixfit.fitting.result import Fit
    from mixfit.runs.runs import Runs

Texts = list[str] | None


def _option(metavar: str, text: str) -> Any:
    """Declare an option without a default to show."""
    return typer.Option(metavar=metavar, help=text, show_default=False)


@dataclass(frozen=True)
class TableOptions:
    """What a user says of how the runs are to be read; a command takes these by `reads_tables`."""

    weights: Annotated[Texts, _option("GLOB", "Weight columns. [default: weight_*]")] = None
    targets: Annotated[
        Texts,
        _option("GLOB", "Loss columns, or target names. [default: loss_* and *_loss]"),
    ] = None
    model_size: Annotated[
        str | None,
        _option(
            "COLUMN",
            "The column of N in parameters; 'COLUMN*1M' if it counts millions. [default: "
            "model_size, n_params, params or N]",
        ),
    ] = None
    tokens: Annotated[
        str | None,
        _option(
            "COLUMN",
            "The column of D in tokens; 'COLUMN*1B' if it counts billions. [default: n_tokens, "
            "tokens or D]",
        ),
    ] = None
    set_: Annotated[
        Texts,
        typer.Option(
            "--set",
            metavar="NAME=NUMBER",
            help="One N or D for all rows, where the table logs none: model_size=310M, "
            "n_tokens=10B.",
            show_default=False,
        ),
    ] = None
    where: Annotated[
        Texts,
        _option(
            "COND[,COND...]",
            "Rows to take, such as 'model_size>=3e8'; may be repeated, all must hold. Operators: "
            "< <= > >= == !=",
        ),
    ] = None
    join: Annotated[
        Texts,
        _option(
            "FILE",
            "Another file of the same runs, such as one of losses beside one of weights, whose "
            "columns are joined by --on.",
        ),
    ] = None
    on: Annotated[
        str | None,
        _option("COLUMN", "What says which rows belong together. [default: the one both have]"),
    ] = None
    preset: Annotated[
        str | None,
        _option(
            "NAME",
            "The layout of another tool, for what no option says: regmix, olmix, wandb or paper.",
        ),
    ] = None
    target_group: Annotated[
        Texts,
        _option("NAME=GLOB[,GLOB...]", "Average columns into one target before fitting."),
    ] = None
    negate: Annotated[
        Texts, _option("GLOB", "Targets that are accuracies from 0 to 1: fit 1-x in their place.")
    ] = None
    transform: Annotated[
        Texts,
        _option("GLOB=HOW", "What to fit in place of targets: 1-x, 100-x or '-log x'."),
    ] = None
    allow_unmatched: Annotated[
        bool,
        typer.Option(
            "--allow-unmatched", help="Join although over a fifth of the rows find no partner."
        ),
    ] = False
    allow_units: Annotated[
        bool,
        typer.Option(
            "--allow-units", help="Take N and D that can hardly be parameters and tokens."
        ),
    ] = False

    def read(
        self,
        sources: Sequence[str],
        *,
        where: Sequence[str] = (),
        domains: Sequence[str] | None = None,
        fit: Fit | None = None,
    ) -> Runs:
        """Read runs.

        Args:
            sources: files, directories and globs.
            where: further conditions.
            domains: that the table must have.
            fit: whose columns are taken for what no option says.
        """
        from mixfit.runs.read import read_runs
        from mixfit.runs.units import suspect

        like = on = None
        allow_units = self.allow_units
        if fit is not None:
            like, domains = fit.data.columns, fit.domains
            on = fit.data.joined.key if self.join and fit.data.joined else None
            N, D = fit.data.model_size, fit.data.tokens
            allow_units = allow_units or suspect((N.min, N.max), (D.min, D.max))
        reading = self._reading(where)
        reading["on"] = self.on or on
        reading["allow_units"] = allow_units
        return read_runs(list(sources), domains=domains, like=like, **reading)

    def check(self, sources: Sequence[str], budget: tuple[float, float] | None) -> Check:
        """Check runs, with the names of parameters marked in texts.

        Args:
            sources: files, directories and globs.
            budget: N and D of the training that the mixture is for.
        """
        from mixfit.fitting.check import find

        return find(list(sources), budget=budget, **self._reading())

    def _reading(self, where: Sequence[str] = ()) -> dict[str, Any]:
        """Give the parameters of `read_runs`, with further conditions."""
        model_size, tokens = self._sizes()
        return {
            "weights": self.weights,
            "targets": self.targets,
            "model_size": model_size,
            "tokens": tokens,
            "where": [*(self.where or ()), *where],
            "join": self.join or None,
            "on": self.on,
            "preset": self.preset,
            "target_groups": self._groups(),
            "transform": self._transforms(),
            "allow_unmatched": self.allow_unmatched,
            "allow_units": self.allow_units,
        }

    def words(self) -> list[str]:
        """Give the options as words of a command line."""
        words = []
        for own in fields(self):
            value = getattr(self, own.name)
            option = "--" + own.name.strip("_").replace("_", "-")
            if isinstance(value, bool):
                words += [option] * value
                continue
            for text in [value] if isinstance(value, str) else value or ():
                words += [option, text]
        return words

    def _sizes(self) -> tuple[str | None, str | None]:
        """Give the column or the number of N and of D."""
        from mixfit.base.errors import UsageError, nearest
        from mixfit.base.numbers import find_number
        from mixfit.runs.presets import MODEL_SIZE, TOKENS

        given = {"model_size": self.model_size, "tokens": self.tokens}
        for text in self.set_ or ():
            name, equals, number = (part.strip() for part in text.partition("="))
            which = "model_size" if name in MODEL_SIZE else "tokens" if name in TOKENS else None
            if not equals or which is None:
                hint = "" if which else nearest(name, [*MODEL_SIZE, *TOKENS])
                raise UsageError(
                    f"--set '{text}': N and D can be set, as in model_size=310M and n_tokens=10B."
                    f"{hint}"
                )
            if find_number(number) is None:
                raise UsageError(
                    f"--set {text}: '{number}' is not a number. Write one like 7e9, 310M or 7B."
                )
            if given[which] is not None:
                option = "--model-size" if which == "model_size" else "--tokens"
                raise UsageError(f"--set {text}: it is given already, as {option} {given[which]}.")
            given[which] = number
        return given["model_size"], given["tokens"]

    def _groups(self) -> dict[str, str] | None:
        from mixfit.base.errors import UsageError

        groups: dict[str, str] = {}
        for text in self.target_group or ():
            name, equals, globs = (part.strip() for part in text.partition("="))
            if not equals or not name or not globs:
                raise UsageError(f"--target-group '{text}': write NAME=GLOB, as in qa='acc_*'.")
            if name in groups:
                raise UsageError(f"--target-group: {name} stands twice. Separate globs by commas.")
            groups[name] = globs
        return groups or None

    def _transforms(self) -> dict[str, str] | None:
        from mixfit.base.errors import UsageError
        from mixfit.runs.transforms import TRANSFORMS

        transforms = {glob.strip(): "1-x" for text in self.negate or () for glob in text.split(",")}
        for text in self.transform or ():
            glob, equals, how = (part.strip() for part in text.rpartition("="))
            if not equals or not glob:
                raise UsageError(
                    f"--transform '{text}': write GLOB=HOW, HOW one of {', '.join(TRANSFORMS)}."
                )
            transforms[glob] = how
        return transforms or None


AS_USUAL = TableOptions()


def reads_tables(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command take the options of `TableOptions`, in the place of its parameter ``table``."""
    own = get_type_hints(command, include_extras=True)
    shared = get_type_hints(TableOptions, include_extras=True)
    parameters: list[inspect.Parameter] = []
    for name, parameter in inspect.signature(command).parameters.items():
        if name == "table":
            parameters += [
                inspect.Parameter(
                    field.name,
                    inspect.Parameter.KEYWORD_ONLY,
                    default=field.default,
                    annotation=shared[field.name],
                )
                for field in fields(TableOptions)
            ]
        else:
            parameters.append(
                parameter.replace(
                    kind=inspect.Parameter.KEYWORD_ONLY, annotation=own[parameter.name]
                )
            )

    @wraps(command)
    def run(**values: Any) -> None:
        given = {field.name: values.pop(field.name) for field in fields(TableOptions)}
        command(table=TableOptions(**given), **values)

    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    return run
