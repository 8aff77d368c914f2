"""The clean tables of the hold-out corpus: a shop, an instrument, a register of an office."""

import datetime as dt
import random

from tables import Cell, Table

GOODS = ("Trail Shoes, Low", "Men's Wool Socks", 'Patio Table, Round 48"', "Kids' Rain Jacket",
         "Fly Rod 8 Wt.", 'Boxer, 5" Inseam', "Camp Stove Bundle", "Cotton/Linen Sweater")
PROSE = ("Built for wet days, light enough for dry ones.",
         "Soft and warm; it won't shrink or fade.",
         'An 8\'9" rod that casts far, even in wind.', "Sun protection 50+ and quick to dry.",
         "Our best value, filled with 650-fill down, keeps you warm when wet.",
         "Made in small numbers: two pockets, one zip, no nonsense.")
OFFICES = ("Tax & Duties", "Roads, Bridges and Ports", "Legal Advice", "Water", "Statistics")
STREETS = ("1 Horse Guards Road\nLondon\nSW1A 2HQ", "Castle View House\nRuncorn", "12 High St")


def shop(rng: random.Random, count: int = 84) -> Table:
    """Sales: days, clocks, numbers, codes, prices, prose, addresses, a column that is empty."""
    rows: list[list[Cell]] = []
    for number in range(count):
        day, code = dt.date(2018, 1, 28) + dt.timedelta(number), rng.choice("MG RI CC YY".split())
        code = f"{code}-{rng.randrange(1000, 9999)}"
        clock = f"{number // 4:02}:{number % 4 * 15:02}"
        count_, price = rng.randrange(34), rng.randrange(90, 9999) / 100
        texts = (rng.choice(GOODS), " ".join(rng.sample(PROSE, 2)),
                 f"https://www.example.com/product/{code.replace('-', '_')}.html")
        rows.append([(f"{day:%d/%m/%Y}", day.isoformat()), (clock, clock), (str(count_), count_),
                     (code, code), (f"${price:.2f}", price), *((text, text) for text in texts),
                     ("", None)])
    return Table("DATE TIME Qty PRODUCTID Price ProductType ProductDescription URL Comments"
                 .split(), rows)


def readings(rng: random.Random, count: int = 200) -> Table:
    """An instrument: narrow and long, numbers only."""
    rows = [[(f"{n / 10:.1f}", n / 10), (f"{v:.4E}", float(f"{v:.4E}")), (str(t), t)]
            for n in range(count) for v, t in [(rng.gauss(0, 1e-3), rng.randrange(-20, 40))]]
    return Table(["Time (s)", "Current [A]", "T/°C"], rows)


def staff(rng: random.Random, count: int = 40) -> Table:
    """An office's register: wide, texts, some of several lines, words for what isn't told."""
    names = ("Post Reference,Name,Grade,Job Title,Organisation,Unit,Contact Phone,Contact E-mail,"
             "Reports to,Salary Floor,Salary,FTE,Address,Valid?").split(",")
    rows = []
    for number in range(count):
        person = " ".join(map(rng.choice, (("Ann", "Raj", "Zoë", "Ívar"),
                                           ("Hall", "Ng", "Møller"))))
        pay = rng.randrange(60, 150) * 1000
        pairs: list[Cell] = [(text, text) for text in (
            f"{9000 + number}-{rng.choice('ABC')}", rng.choice((person, "N/D")),
            rng.choice(("SCS1", "SCS2", "SCS1A")), f"Head of {rng.choice(OFFICES)}",
            "Ministry of Works, Trade and Roads", rng.choice(OFFICES),
            f"020 7270 {rng.randrange(1000, 9999)}", f"office{number}@works.example",
            rng.choice(("XX", "9001-A", "9002-B")))]
        share = rng.choice((1.0, 0.6, 0.85))
        rows.append([*pairs, (f"£{pay:,}", pay), (f"£{pay:,}-£{pay + 4999:,}",) * 2,
                     (f"{share:.2f}", share), (address := rng.choice(STREETS), address), ("1", 1)])
    return Table(names, rows)


SHAPES = {"shop": shop, "readings": readings, "staff": staff}
