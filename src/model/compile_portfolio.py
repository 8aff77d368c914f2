"""The serving form of the portfolio: typed columns, then members by folds, then the blend."""

from typing import Any, NamedTuple

import numpy as np

from src.model.compile_columns import encode, fitted, level_encoders, steps_of
from src.model.compile_estimators import add_estimator
from src.model.encodings import SMALLEST, TEXT_LENGTH, part_names, topic_names
from src.model.pipeline import LARGEST
from src.model.program import NoForm, Part, Program, Source


def add_portfolio(program: Program, portfolio: Any) -> None:
    """Add all that a fitted portfolio does.

    Raises:
        NoForm: for a member that is not known here.
    """
    members = [(name, portfolio.members_[name]) for name in portfolio.weights_]
    encoders = [each for _, folds in members for member in folds for each in
                level_encoders(fitted(member.encoder)) if each]
    program.know(encoders, strip=True, folded=portfolio.columns_.folded_)
    typed = add_typed(program, portfolio.columns_)
    said = []
    for _, folds in members:
        answers = [_add_member(program, member, typed) for member in folds]
        program.steps = program.late
        said.append(program.add("mean", *answers))
        program.steps = program.early
    shares = list(portfolio.weights_.values())
    program.steps = program.late
    if hasattr(portfolio, "classes_"):
        program.add("blend", *said, to="answer", shares=shares,
                    temperatures=[portfolio.temperatures_[name] for name, _ in members],
                    last=portfolio.temperatures_[""])
    else:
        program.add("weigh", *said, to="answer", shares=shares, mean=portfolio.mean_,
                    deviation=portfolio.scale_)
    program.steps = program.early


class Typed(NamedTuple):
    """The numbers that TypedColumns gives as one block, the names of its columns, their sources."""

    block: str
    names: list[str]
    sources: list[Source]


def add_typed(program: Program, columns: Any) -> Typed:
    """The typed columns that are numbers: read as such, parts of dates, topics of texts."""
    numbers = [name for name, kind in columns.kinds_.items() if kind == "number"]
    dates = [name for name, kind in columns.kinds_.items() if kind == "date"]
    raw = [name for name in numbers if name in program.names["number"]]
    read = [name for name in numbers if name not in raw]
    blocks, names, sources = [], [*raw, *read], [(name, "number") for name in raw]
    if raw:
        block = program.take("number", raw)
        blocks.append(program.add("clip", program.add("without_tiny", block, smallest=SMALLEST),
                                  largest=LARGEST))
    if read:
        places = [program.names["text"].index(name) for name in read]
        blocks.append(program.add("clip", program.add("read_numbers", "texts", columns=places,
                                                      smallest=SMALLEST), largest=LARGEST))
    found: list[Source] = [*sources, *[None] * len(read)]
    if dates:
        blocks.append(program.add("date_parts", program.take("date", dates)))
        names += [part for name in dates for part in part_names(name)]
        found += [each for name in dates for each in ((name, "day"), *[None] * 4)]
    for name, condenser in columns.topics_.items():
        blocks.append(_add_topics(program, condenser, name))
        topics = topic_names(name, len(condenser[-1].components_))
        names, found = names + topics, found + [None] * len(topics)
    block = blocks[0] if len(blocks) == 1 else program.add("beside", *blocks) if blocks else ""
    return Typed(block, names, found)


def _add_member(program: Program, member: Any, typed: Typed) -> str:
    parts = [part for encoder, columns in fitted(member.encoder)
             for part in encode(program, encoder, columns, _chosen(program, typed, columns))]
    answer = add_estimator(program, member.estimator, parts)
    if member.classes and len(member.estimator.classes_) < member.classes:
        program.steps = program.late
        answer = program.add("spread_classes", answer, width=member.classes,
                             columns=np.asarray(member.estimator.classes_))
        program.steps = program.early
    return answer


def _chosen(program: Program, typed: Typed, columns: list[str]) -> Part | None:
    """Some of the typed numbers; None for what is no number."""
    if not set(columns) <= set(typed.names):
        return None
    if columns == typed.names:
        return Part(typed.block, typed.sources, [])
    places = [typed.names.index(name) for name in columns]
    block = program.add("take", typed.block, columns=np.array(places))
    return Part(block, [typed.sources[place] for place in places], [])


def _add_topics(program: Program, condenser: Any, column: str) -> str:
    letters, condensed = steps_of(condenser)
    if (letters.analyzer, tuple(letters.ngram_range), letters.sublinear_tf) != (
            "char_wb", (2, 4), True):
        raise NoForm("texts weighed in another way have no serving form")
    groups = program.add("letter_groups", "texts", length=TEXT_LENGTH,
                         column=program.names["text"].index(column))
    known = {str(group): int(place) for group, place in letters.vocabulary_.items()}
    return program.add("topics", groups, known=known, weights=letters.idf_,
                       parts=np.ascontiguousarray(condensed.components_.T))
