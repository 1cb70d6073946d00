"""What a page on a fit says: what was fitted, how well it predicts, the mixture, how to redo it."""

from __future__ import annotations

from collections import Counter
from math import isfinite
from typing import TYPE_CHECKING, NamedTuple

from mixfit._version import __version__
from mixfit.base.numbers import counted, fixed, number, short
from mixfit.evaluation.evaluate import mean_of
from mixfit.evaluation.residuals import ALL, FITTED, UNSEEN, part_scores
from mixfit.fitting.record import BLANKS
from mixfit.reports.evaluate import report_evaluation
from mixfit.reports.fit import report_fit
from mixfit.reports.fit_command import fit_command
from mixfit.reports.optimize import report_study
from mixfit.reports.page import Code, Points, Section, Table
from mixfit.reports.report import Grid, Remark, remarks_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mixfit.base.errors import Note
    from mixfit.evaluation.evaluate import Evaluation
    from mixfit.fitting.result import Fit
    from mixfit.mixture.result import Baseline, Study
    from mixfit.reports.page import Part, Picture

_WORDS = (
    "N is a model's size in parameters, D the length of its training in tokens, and h the mixture:"
    " the share of each domain in the training data.",
    "A target is a loss that was measured. The law is a formula for it in N, D and h, with numbers"
    " that were fitted to the runs.",
    "MRE is the mean relative error, the mean of |prediction - observation| / observation. Bias is"
    " the mean with its sign: above 0 the predictions are too high. Rank is Spearman's correlation"
    " of predictions and observations: 1 where they order the runs alike.",
    "h* is the mixture with the lowest predicted loss. As good within 0.1% is how far one weight"
    " can go, the others chosen to suit, while the loss stays within 0.1% of the lowest.",
    "The gap says how sure h* is for the fitted law: where the problem is convex, no mixture has a"
    " loss lower by more than it; otherwise no small change of the mixture makes it lower. It says"
    " nothing of how right the law is.",
    "Huber is the mean Huber loss of the residuals, which the fit minimised. A weight or a size"
    " outside of the runs fitted is extrapolated; the notes say where.",
)


_POOLED = (
    "Pooled: the numbers of domains, and of targets, are pulled towards each other, as hard as the"
    " strengths say (between domains, between targets, of exponents), since few runs say little of"
    " each alone. Where the rows decide nearly all numbers, it did little.",
)
_RESAMPLED = (
    "± and 90%: the fit was made again many times with random weights on the mixtures. What is"
    " behind ± is the standard deviation of a number; a 90% interval of a loss holds the law's own"
    " misfit too, and 'inside' is the share of observed losses in theirs.",
)


class Made(NamedTuple):
    """How a page was made.

    Attributes:
        command: that made it.
        files: that were read besides the fit and the runs: what each is, path and SHA-256.
        versions: programs besides mixfit, each with its version.
    """

    command: str
    files: Sequence[tuple[str, str, str]]
    versions: Sequence[tuple[str, str]]


def sections_of(
    fit: Fit,
    fit_path: str,
    fit_sha256: str,
    evaluation: Evaluation | None,
    study: Study | None,
    pictures: Mapping[str, Picture],
    made: Made,
) -> list[Section]:
    """Give the sections of the page on a fit.

    Args:
        fit: the fit.
        fit_path: of its file.
        fit_sha256: of that file.
        evaluation: of the fit on runs, if there are any.
        study: of the best mixture, if there is one.
        pictures: kind to picture.
        made: how the page itself was made.
    """
    sections = [
        Section("In short", tuple(_in_short(fit, evaluation, study))),
        Section("What was fitted", tuple(_fitted(fit))),
    ]
    if evaluation is not None:
        sections.append(Section("How well it predicts", tuple(_predicts(evaluation, pictures))))
    if study is not None:
        sections.append(Section("The mixture to train on", tuple(_mixture(study, pictures))))
    sections.append(Section("Notes", tuple(_notes(fit, evaluation, study))))
    words = [*_WORDS, *(_POOLED if fit.law.pool else ()), *(_RESAMPLED if fit.resamples else ())]
    sections.append(Section("What the words mean", (Points(words),)))
    if each := tuple(_per_domain(fit, name) for name in _domain_parameters(fit)):
        sections.append(Section("Parameters of each domain", each))
    sections.append(Section("What a reader may ask", (_asked(fit),)))
    again = _again(fit, fit_path, fit_sha256, evaluation, made)
    return [*sections, Section("How to make this again", tuple(again))]


def _in_short(fit: Fit, evaluation: Evaluation | None, study: Study | None) -> Iterator[Part]:
    mean = sum(target.mre for target in fit.targets.values()) / len(fit.targets)
    sentences = [
        f"The {fit.law.name} law was fitted to {counted(len(fit.targets), 'target')} of runs with"
        f" {counted(fit.data.mixtures, 'mixture')} of {counted(len(fit.domains), 'domain')}; on the"
        f" rows fitted its mean relative error is {fixed(mean)}%."
    ]
    if evaluation is not None:
        sentences += _predictions(evaluation)
    if study is not None:
        best = study.mixture
        order = sorted(range(len(best.domains)), key=lambda i: -best.weights[i])
        shares = ", ".join(f"{best.domains[i]} {100 * best.weights[i]:.1f}%" for i in order[:5])
        rest = f" and {len(order) - 5} others" if len(order) > 5 else ""
        budget = f" for {best.budget}" if best.budget else ""
        sentences.append(f"The best mixture{budget} is {shares}{rest}.")
        sentences += [_against(other, study) for other in study.baselines]
    yield Points(sentences)


def _against(other: Baseline, study: Study) -> str:
    best = study.mixture
    percent = 100 * (best.loss / other.loss - 1)
    side = "below" if percent <= 0 else "above"
    gain = None if study.certainty is None else study.certainty.gains.get(other.name)
    sure = ""
    if gain is not None and isfinite(gain.probability):
        sure = f"; it is better with a probability of {100 * gain.probability:.0f}%"
    return (
        f"Its predicted loss, {fixed(best.loss, 4)}, is {fixed(abs(percent))}% {side} that of the"
        f" {other.name} mixture, {fixed(other.loss, 4)}{sure}."
    )


_ROWS = {FITTED: "the rows fitted", UNSEEN: "rows that were not fitted", ALL: "all rows"}


def _predictions(evaluation: Evaluation) -> Iterator[str]:
    """Say how well unseen rows are predicted; where there are none, or it is not known, all."""
    parts = part_scores(evaluation)
    part = UNSEEN if UNSEEN in parts else next(iter(parts))
    mean = mean_of(list(parts[part].values()))
    worst = max(parts[part], key=lambda target: parts[part][target].mre)
    rows = counted(max(score.rows for score in parts[part].values()), "row")
    each = "" if len(parts[part]) == 1 else f", {fixed(parts[part][worst].mre)}% at most ({worst})"
    yield f"On {_ROWS[part]} ({rows}) the mean relative error is {fixed(mean.mre)}%{each}."
    if part == FITTED:
        yield "No other rows were predicted: nothing here says how well unseen runs are."
    if part == ALL:
        yield "It is not known which of them were fitted."


def _parts(evaluation: Evaluation) -> Iterator[Table]:
    """Lay out the errors of fitted and unseen rows, where there are both."""
    parts = part_scores(evaluation)
    if len(parts) < 2:
        return
    rows = []
    for target in evaluation.targets:
        cells = [target]
        for part in (FITTED, UNSEEN):
            score = parts[part].get(target)
            cells += ["", ""] if score is None else [f"{score.rows:,}", fixed(score.mre)]
        rows.append(tuple(cells))
    means = [fixed(mean_of(list(parts[part].values())).mre) for part in (FITTED, UNSEEN)]
    headers = ("target", "rows fitted", "MRE %", "rows unseen", "MRE %")
    footer = ("average", "", means[0], "", means[1])
    grid = Grid(headers, tuple(rows), footer if len(rows) > 1 else ())
    yield Table("Errors on the rows fitted and on others", grid)


def _fitted(fit: Fit) -> Iterator[Part]:
    report = report_fit(fit)
    line, *blocks = report.blocks
    yield f"{line}."
    yield f"The law is L = {fit.law.law.equation}. Source: {fit.law.law.source}."
    if fit.data.where:
        yield f"Rows that meet: {', '.join(fit.data.where)}."
    if fit.selection is not None:
        yield f"The law was chosen by runs held out: {fit.selection.reason}."
    for block in blocks:
        if isinstance(block, Grid):
            yield Table("Parameters, objective (mean Huber loss) and error by target", block)
    weights = tuple(
        (domain, *(fixed(100 * x, 1) for x in (span.min, span.max)))
        for domain, span in fit.data.weights.items()
    )
    yield Table("Weights in the runs fitted", Grid(("domain", "lowest %", "highest %"), weights))


def _domain_parameters(fit: Fit) -> list[str]:
    names = (
        group.name
        for target in fit.targets.values()
        for group in target.form.groups
        if group.per_domain
    )
    return list(dict.fromkeys(names))


def _per_domain(fit: Fit, name: str) -> Table:
    rows = tuple(
        (target, *(number(float(x)) for x in found.params[name]))
        for target, found in fit.targets.items()
        if name in found.params
    )
    return Table(f"Parameter {name} of each domain", Grid(("target", *fit.domains), rows))


def _predicts(evaluation: Evaluation, pictures: Mapping[str, Picture]) -> Iterator[Part]:
    yield f"Predictions for {evaluation.runs.summary}."
    if evaluation.fitted is None:
        yield "The files fitted are not at hand: rows fitted cannot be told from unseen ones."
    for block in report_evaluation(evaluation).blocks:
        if isinstance(block, Grid):
            yield Table("Errors by target and model size", block)
    yield from _parts(evaluation)
    yield from _shown(pictures, ("observed", "by-flops", "by-size", "by-tokens", "residuals"))


def _mixture(study: Study, pictures: Mapping[str, Picture]) -> Iterator[Part]:
    report = report_study(study)
    for block in report.blocks:
        if isinstance(block, Grid):
            yield Table(_CAPTIONS[block.headers[0]], block)
        elif block:
            yield block
    yield from (remark for remark in report.remarks if remark.label == "ok")
    yield from _shown(pictures, ("weights", "losses"))


# First header of a table on a mixture to what it holds.
_CAPTIONS = {
    "domain": "The best mixture beside others",
    "predicted loss": "Predicted losses",
    "h* against": "What the best mixture gains, over resamples of the fit",
    "active constraint": "Active constraints",
}


def _shown(pictures: Mapping[str, Picture], kinds: Sequence[str]) -> Iterator[Picture]:
    yield from (pictures[kind] for kind in kinds if kind in pictures)


def _notes(fit: Fit, evaluation: Evaluation | None, study: Study | None) -> Iterator[Part]:
    found = {
        "About the fit and the runs fitted:": [
            *fit.notes,
            *(note for target in fit.targets.values() for note in target.notes),
        ],
        "About the runs predicted:": () if evaluation is None else evaluation.notes,
        "About the mixture:": () if study is None else _notes_on(study),
    }
    if not any(found.values()):
        yield "Nothing was found to warn of."
    for about, notes in found.items():
        if notes:
            yield about
            yield from (Remark("note", remark.text) for remark in remarks_of(notes))


def _notes_on(study: Study) -> Sequence[Note]:
    sure = () if study.certainty is None else study.certainty.notes
    return (*study.mixture.notes, *sure)


def _asked(fit: Fit) -> Table:
    """Answer what can be known of a fit, and leave blanks for what cannot."""
    law, data, options = fit.law.law, fit.data, fit.options.filled(fit.law.law)
    spans = (data.model_size, "parameters"), (data.tokens, "tokens")
    ranges = ", ".join(f"{short(x.min)} to {short(x.max)} {unit}" for x, unit in spans)
    status = Counter(target.status for target in fit.targets.values())
    held_out = [fit.selection.tests] if fit.selection and fit.selection.tests else []
    held_out += [fit.pool_path.tests] if fit.pool_path else []
    answers = [
        ("law", f"L = {law.equation} ({law.source})"),
        ("numbers of a target", f"{law.count(len(fit.domains))} at the most"),
        ("runs", f"{counted(data.mixtures, 'mixture')}, {ranges}"),
        ("rows", ", ".join(data.where) or "all of the files"),
        ("objective", f"mean Huber loss of the residuals, delta {options.delta:g}"),
        ("search", f"{options.solver}, {counted(options.restarts or 0, 'start')} at the most"),
        ("it ended", ", ".join(f"{name} for {counted(n, 'target')}" for name, n in status.items())),
        ("held out to choose", "; ".join(dict.fromkeys(held_out)) or "nothing"),
        ("uncertainty", "none" if fit.resamples is None else f"{len(fit.resamples)} resamples"),
    ]
    for key, question in BLANKS.items():
        blank = f"not recorded ({question}?)"
        answers.append((key, fit.record.get(key, blank)))
    grid = Grid(("question", "answer"), tuple(answers), left=(0, 1))
    return Table("After the checklist of Li et al. 2025 (arXiv 2502.18969)", grid)


def _again(
    fit: Fit,
    fit_path: str,
    fit_sha256: str,
    evaluation: Evaluation | None,
    made: Made,
) -> Iterator[Part]:
    yield "The fit, as far as its file tells how it was made:"
    yield Code(fit_command(fit, fit_path))
    yield "This page:"
    yield Code(made.command)
    files = [("fit", fit_path, fit_sha256)]
    joined = fit.data.joined.files if fit.data.joined else ()
    files += [("fitted", file.path, file.sha256) for file in (*fit.data.files, *joined)]
    if evaluation is not None:
        files += [("predicted", file.path, file.sha256) for file in evaluation.runs.files]
    rows = tuple(dict.fromkeys([*files, *made.files]))
    yield Table("Files and their SHA-256", Grid(("file", "path", "SHA-256"), rows, left=(0, 1, 2)))
    own = (("mixfit", __version__), *made.versions)
    yield Table("Made with", Grid(("program", "version"), own, left=(0, 1)))


def title_of(fit: Fit, path: str) -> tuple[str, str]:
    """Give the title of the page on a fit, and the sentence below it."""
    data = fit.data
    N, D = data.model_size, data.tokens
    names = ", ".join(dict.fromkeys(file.path for file in data.files)) or "runs"
    spans = [
        short(span.min) if span.min == span.max else f"{short(span.min)} to {short(span.max)}"
        for span in (N, D)
    ]
    return (
        f"The {fit.law.name} law of {path}",
        f"Fitted with mixfit to {names}: {counted(data.mixtures, 'mixture')} of"
        f" {counted(len(fit.domains), 'domain')}, {spans[0]} parameters, {spans[1]} tokens.",
    )
