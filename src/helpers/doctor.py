"""What would make a score too good to be true or a model useless, looked for before the training.

A finding names the column, the evidence and what to type; where a quick model is scored, it says
how good that is with and without the suspect. No finding quotes a value of a private column.
"""

import re
from collections.abc import Iterator
from shlex import quote
from typing import Any

import numpy as np
import pandas as pd

from mlmonkey.errors import UserError
from src.helpers.configuration import Config
from src.helpers.quick_scores import Sample, draw_sample
from src.helpers.recipe import classes_may_be_many
from src.helpers.splits import copies, spans, strata, tie
from src.helpers.tables import FEW_VALUES, MOSTLY_NUMBERS, Table
from src.model.encodings import read_numbers, useless

Finding = dict[str, Any]

ENOUGH = 50  # rows, for what is told from scores and counts
ALONE = 0.03  # of the way from a dummy to perfection: a leak lacks no more by itself,
WITHOUT = 4  # and the other columns lack so many times as much, or as CERTAIN
CERTAIN = 0.01
LOOKED = 8  # columns tried by themselves, those that a forest of all uses most
USED = 0.05  # and for so much of what it wins
GAP = 0.1  # score that torn groups and shuffled time must promise too much
COPIED = 0.05  # share of rows
ALIKE = 0.9  # share of the copies that have the same answer too
LEVELS = 6  # of a group or a time, at least
STEPS = 5  # different whole numbers, at least, that may be amounts
MOST = 3  # columns looked at as group and as time
ID_NAME = re.compile(r"(^|[\W_])(id|uuid|key|nr|no)$|^(patient|subject|person|user|customer|client|"
                     r"member|participant|household|family|animal|device|session|group)", re.I)
ID_TEXT = r"[A-Za-z]{0,4}[-_ ]?\d{2,}"


@classes_may_be_many()
def examine(table: Table, task: str, config: Config) -> list[Finding]:
    """Look for everything; tell it, or refuse to train.

    Raises:
        UserError: with `--doctor error`, naming the first finding.
    """
    findings = [] if config.doctor == "off" else list(_look(table, task, config))
    lines = [f"{finding['text']}; {finding['option']}" for finding in findings]
    refused = bool(lines) and config.doctor == "error"
    for line in lines[refused:]:
        print(f"doctor: {line}")
    if refused:
        raise UserError(f"the doctor found {len(lines)} thing(s), the first: {lines[0]}; to train "
                        "all the same: --doctor warn")
    return findings


def _look(table: Table, task: str, config: Config) -> Iterator[Finding]:
    units = copies(table.X)
    whole = units if table.groups is None else tie(units, table.groups)
    sample = draw_sample(table, task, whole, config.seed)
    if task == "classification":
        yield from _rare_classes(table, config, sample, whole)
    fold = sample.fold(whole)
    promised = sample.score(fold) if len(table.y) >= ENOUGH else np.nan
    if np.isnan(promised) or len(np.unique(sample.y)) == 1:  # too little to tell more
        yield from _ids(table, units)
        return
    if config.task == "auto":
        yield from _wrong_task(table, task, sample)
    yield from _copied(table, task, units, config)
    found = list(_torn(table, task, units, config)) if table.groups is None else []
    found += _time(table, sample, promised) if table.times is None else []
    found += _leaks(table, sample, fold, promised, [each["column"] for each in found])
    known = [each["column"] for each in found]
    ids = [each for each in _ids(table, units) if each["column"] not in known]
    rest = np.flatnonzero(~table.X.columns.isin([each["column"] for each in ids]))
    without = sample.score(fold, rest) if ids else np.nan
    yield from found
    for each in ids:
        text = (f"{each['text']}; {sample.metric()} {promised:.3f} with all columns, "
                f"{without:.3f} without {'it' if len(ids) == 1 else 'such'}")
        yield each | {"text": text, "scores": sample.scores(promised, without)}


def _rare_classes(table: Table, config: Config, sample: Sample,
                  units: np.ndarray) -> Iterator[Finding]:
    classes, counts = np.unique(table.y, return_counts=True)
    rare, name = classes[counts < config.folds], table.target["name"]
    if len(rare):
        words = ", ".join(repr(str(each)[:40]) for each in rare[:MOST])
        said = "" if table.target.get("private") else f", such as {words}"
        kept = ~np.isin(table.y[sample.rows], rare)
        others = sample._replace(X=sample.X[kept], y=sample.y[kept], rows=sample.rows[kept])
        promised, left = (each.score(each.fold(units)) if kept.sum() >= ENOUGH else np.nan
                          for each in (sample, others))
        known = bool(np.isfinite(promised + left))
        told = f"; {sample.metric()} {promised:.3f} with them, {left:.3f} without" * known
        yield _finding("classes", name, f"{len(rare)} of {len(classes)} classes of {name!r} have "
                       f"fewer rows than there are folds{said}{told}",
                       "gather or leave them out in src/etl/transform.py",
                       sample.scores(promised, left) if known else None)


def _wrong_task(table: Table, task: str, sample: Sample) -> Iterator[Finding]:
    name, dtype, distinct = table.target["name"], table.target["dtype"], len(np.unique(table.y))
    if task == "regression" and distinct <= FEW_VALUES:
        classes = sample._replace(y=pd.factorize(sample.y)[0], classify=True)
        yield _finding("task", name, f"the target {name!r} has {distinct} different numbers only; "
                       f"{sample.metric()} {sample.score(sample.fold()):.3f} as numbers, "
                       f"{classes.metric()} {classes.score(classes.fold()):.3f} as classes",
                       "if they are classes: --task classification")
    if task == "classification" and dtype == "integer" and distinct >= STEPS:
        off = np.abs(sample.answers(sample.fold()) - sample.y)
        near = np.mean(off[off > 0] == 1) if (off > 0).sum() >= 20 else 0
        if near >= 0.75:
            ranks = pd.Series(table.y[sample.rows].astype(float)).rank().to_numpy()
            amounts = sample._replace(y=ranks, classify=False)
            yield _finding("task", name, f"the target {name!r} has {distinct} whole numbers, taken "
                           f"for classes, but {near:.0%} of a quick model's mistakes are by one "
                           f"step; {sample.metric()} {sample.score(sample.fold()):.3f} as classes, "
                           f"{amounts.metric()} {amounts.score(amounts.fold()):.3f} as numbers",
                           "if they are amounts: --task regression")
    if dtype == "text":
        read = np.isfinite(read_numbers(pd.Series(table.y))[0]).mean()
        if read >= MOSTLY_NUMBERS:
            yield _finding("task", name, f"the target {name!r} is text, but {read:.0%} of its "
                           "values are numbers", "name words for no value: --missing WORD")


def _copied(table: Table, task: str, units: np.ndarray, config: Config) -> Iterator[Finding]:
    extra = len(units) - len(np.unique(units))
    if extra < COPIED * len(units):
        return
    whole = np.unique(np.column_stack([units, strata(table.y, "classification")]), axis=0)
    sample, torn, kept = _torn_and_kept(table, task, units, config)
    # rows alike by chance have answers of their own
    if len(units) - len(whole) >= ALIKE * extra or torn - kept >= GAP:
        yield _finding("copies", None, f"{extra:,} of {len(units):,} rows repeat another one in "
                       f"every feature but ids; {sample.metric()} {torn:.3f} with copies across "
                       f"folds, {kept:.3f} with them kept together, as they are here",
                       "drop them in src/etl/transform.py if they are no rows of their own",
                       sample.scores(torn, kept))


def _torn(table: Table, task: str, units: np.ndarray, config: Config) -> Iterator[Finding]:
    for name in [each["name"] for each in table.schema if _may_be_groups(
            each["name"], each["dtype"], table.X[each["name"]])][:MOST]:
        whole = tie(units, pd.factorize(table.X[name])[0])
        sample, torn, kept = _torn_and_kept(table, task, whole, config)
        if torn - kept >= GAP:
            yield _finding("group", name, f"rows of one {name!r} share their answer; "
                           f"{sample.metric()} {torn:.3f} with groups torn apart, {kept:.3f} with "
                           "whole ones", f"if rows to come are of new ones: --group {quote(name)}",
                           sample.scores(torn, kept))


def _torn_and_kept(table: Table, task: str, units: np.ndarray,
                   config: Config) -> tuple[Sample, float, float]:
    sample = draw_sample(table, task, units, config.seed)
    return sample, sample.score(sample.fold()), sample.score(sample.fold(units))


def _may_be_groups(name: str, dtype: str, column: pd.Series) -> bool:
    return (dtype in ("text", "integer") and LEVELS <= column.nunique() <= len(column) / 2
            and bool(ID_NAME.search(name) or dtype == "text"
                     and column.dropna().str.fullmatch(ID_TEXT).mean() > 0.95))


def _leaks(table: Table, sample: Sample, fold: np.ndarray, promised: float,
           known: list[str]) -> Iterator[Finding]:
    if sample.miss(promised) > ALONE + GAP:
        return  # with a leak all columns together would do better
    used = sample.forest().fit(sample.X, sample.y).feature_importances_
    alone = {column: sample.score(fold, [column]) for column in np.argsort(-used)[:LOOKED]
             if used[column] >= USED and table.X.columns[column] not in known}
    alone = {column: score for column, score in alone.items() if sample.miss(score) <= ALONE}
    rest = np.setdiff1d(np.arange(sample.X.shape[1]), list(alone))
    without = sample.score(fold, rest)
    for column, score in alone.items() if len(rest) else ():
        name = str(table.X.columns[column])
        if sample.renames(column) or (
                sample.miss(without) >= WITHOUT * max(sample.miss(score), CERTAIN)):
            yield _finding("leak", name, f"{name!r} alone predicts {table.target['name']!r}; "
                           f"{sample.metric()} {score:.3f} by itself, {promised:.3f} with all "
                           f"columns, {without:.3f} without {'it' if len(alone) == 1 else 'such'}",
                           f"if it is not known before the answer: --drop {quote(name)}",
                           sample.scores(promised, without))


def _ids(table: Table, units: np.ndarray) -> Iterator[Finding]:
    once = table.X.iloc[np.unique(units, return_index=True)[1]]  # copies repeat their ids
    for name, dtype in ((each["name"], each["dtype"]) for each in table.schema):
        reason, column = useless(table.X[name]) or useless(once[name]), once[name]
        if dtype == "integer" and ID_NAME.search(name) and column.nunique() == len(column) > ENOUGH:
            reason = reason or "an identifier"
        if reason in ("an identifier", "a row number"):
            yield _finding("id", name, f"{name!r} looks like {reason}, which says nothing about "
                           "rows to come", f"--drop {quote(name)}")


def _time(table: Table, sample: Sample, promised: float) -> Iterator[Finding]:
    for name in [each["name"] for each in table.schema if each["dtype"] == "date"][:MOST]:
        dates = table.X[name].rank().fillna(0).to_numpy()
        if len(np.unique(dates)) < LEVELS:
            continue
        order = float(np.corrcoef(dates, np.arange(len(dates)))[0, 1])
        classes = strata(sample.y, "classification") * sample.classify
        forward = sample.score(spans(dates[sample.rows], classes, 3, np.arange(len(classes))))
        if forward == forward and (abs(order) >= 0.9 or promised - forward >= GAP):
            file = ", backwards" * (order <= -0.9) + ", in order" * (order >= 0.9)
            yield _finding("time", name, f"{name!r} looks like time{file}: rows held out are older "
                           f"than rows learned from; {sample.metric()} {promised:.3f} with "
                           f"shuffled rows, {forward:.3f} with spans of time",
                           f"--time {quote(name)}", sample.scores(promised, forward))


def _finding(check: str, column: str | None, text: str, option: str,
             scores: dict[str, Any] | None = None) -> Finding:
    return {"check": check, "column": column, "text": text, "option": option} | (
        {"scores": scores} if scores else {})
