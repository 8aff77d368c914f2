"""CleverCSV: its dialect, its reader; the first row is the header if it says so."""

import clevercsv
from reading import serve


def read(path: str):
    encoding = clevercsv.encoding.get_encoding(path)
    with open(path, newline="", encoding=encoding) as file:
        text = file.read()
    sniffer = clevercsv.Sniffer()
    dialect = sniffer.sniff(text)
    rows = list(clevercsv.reader(text.splitlines(keepends=True), dialect))
    if sniffer.has_header(text):
        return rows[0], rows[1:]
    return [], rows


serve(read)
