"""A serving form in the making: what parts of it are, and how steps are added."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from mlmonkey.rows import Schema, names_of
from mlmonkey.serving import VERSION, write_form
from src.model.onnx_trees import Ensemble, model_bytes

Source = tuple[str, str] | None  # column and what of it (number or day), for the gate's neighbours


class NoForm(Exception):
    """Why a model has no serving form."""


class Part(NamedTuple):
    """Columns of an encoded table: a block, or values by the levels of a text's column.

    `looked` has per column the text's place and the values of its levels, missing, never seen.
    """

    block: str
    sources: list[Source]
    looked: list[tuple[int, np.ndarray]]


class Program:
    """A form in the making: steps before the trees and after them, arrays, tree ensembles.

    Args:
        schema: the features.
        added: kind -> names of computed columns.
    """

    def __init__(self, schema: Schema, added: Mapping[str, list[str]]) -> None:
        self.added = added
        self.names = {kind: names_of(schema, kind) + added[kind]
                      for kind in ("number", "date", "text")}
        self.texts: list[str] = []
        self.known: list[dict[str, int]] = []
        self.early: list[dict[str, Any]] = []
        self.late: list[dict[str, Any]] = []
        self.steps = self.early
        self.arrays: dict[str, np.ndarray] = {}
        self.ensembles: list[Ensemble] = []
        self.inputs: list[str] = []
        self.edges: dict[tuple[str, str], list[np.ndarray]] = {}
        self.blocks = 0

    def add(self, do: str, *of: str, to: str | None = None, **given: Any) -> str:
        """Add a step; return the name of the block that it makes."""
        self.blocks += 1
        to = to or f"b{self.blocks}"
        for key, value in given.items():
            if isinstance(value, np.ndarray):
                name = f"{len(self.arrays)}.npy"
                self.arrays[name] = value
                given[key] = {"array": name}
        self.steps.append({"do": do, "of": list(of), "to": to, "with": given})
        return to

    def take(self, kind: str, columns: Sequence[str]) -> str:
        """Some columns of the table, all of a kind."""
        places = [self.names[kind].index(name) for name in columns]
        if places == list(range(len(self.names[kind]))):
            return f"{kind}s"
        return self.add("take", f"{kind}s", columns=np.array(places))

    def know(self, encoders: Iterable[tuple[Any, Sequence[str]]], strip: bool = False,
             folded: Sequence[str] = ()) -> None:
        """Gather the levels that encoders know, and add the step that finds their places.

        Args:
            strip: blanks around a level don't count; of the columns `folded`, nor does its case.
        """
        levels: dict[str, dict[str, int]] = {}
        for encoder, columns in encoders:
            for name, values in zip(columns, encoder.categories_, strict=True):
                known = levels.setdefault(name, {})
                for value in values:
                    if isinstance(value, str):
                        known.setdefault(value, len(known))
        self.texts, self.known = list(levels), list(levels.values())
        if levels:
            self.add("levels", "texts", to="levels", known=self.known, strip=strip,
                     fold=[name in folded for name in self.texts],
                     columns=[self.names["text"].index(name) for name in self.texts])

    def add_trees(self, block: str, ensemble: Ensemble) -> str:
        """Add an ensemble of trees that see a block; return the name of what it answers."""
        self.inputs.append(block)
        self.ensembles.append(ensemble)
        return f"y{len(self.ensembles) - 1}"

    def note_edges(self, source: Source, edges: np.ndarray) -> None:
        """Remember values of a column beside which answers change."""
        if source is not None:
            self.edges.setdefault(source, []).append(edges)

    def finish(self, functions: Sequence[str], classes: Any) -> bytes:
        """The form's bytes."""
        names = range(len(self.ensembles))
        trees = [{"do": "trees", "of": self.inputs, "to": [f"y{n}" for n in names],
                  "with": {"inputs": [f"x{n}" for n in names],
                           "outputs": [f"y{n}" for n in names]}}] if self.ensembles else []
        program = {"version": VERSION, "functions": list(functions), "added": dict(self.added),
                   "classes": None if classes is None else np.asarray(classes).tolist(),
                   "steps": [*self.early, *trees, *self.late]}
        return write_form(program, self.arrays,
                          model_bytes(self.ensembles) if self.ensembles else b"")
