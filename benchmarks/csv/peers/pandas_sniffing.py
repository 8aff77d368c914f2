"""pandas.read_csv that finds the delimiter and leaves out lines that don't fit."""

import pandas as pd
from reading import serve


def read(path: str):
    frame = pd.read_csv(path, sep=None, engine="python", on_bad_lines="skip")
    return frame.columns, frame.itertuples(index=False, name=None)


serve(read)
