"""Inverse of the standard normal distribution, without scipy."""

from collections.abc import Sequence

import numpy as np

P0 = (-5.99633501014107895267E1, 9.80010754185999661536E1, -5.66762857469070293439E1,
      1.39312609387279679503E1, -1.23916583867381258016E0)
Q0 = (1.95448858338141759834E0, 4.67627912898881538453E0, 8.63602421390890590575E1,
      -2.25462687854119370527E2, 2.00260212380060660359E2, -8.20372256168333339912E1,
      1.59056225126211695515E1, -1.18331621121330003142E0)
P1 = (4.05544892305962419923E0, 3.15251094599893866154E1, 5.71628192246421288162E1,
      4.40805073893200834700E1, 1.46849561928858024014E1, 2.18663306850790267539E0,
      -1.40256079171354495875E-1, -3.50424626827848203418E-2, -8.57456785154685413611E-4)
Q1 = (1.57799883256466749731E1, 4.53907635128879210584E1, 4.13172038254672030440E1,
      1.50425385692907503408E1, 2.50464946208309415979E0, -1.42182922854787788574E-1,
      -3.80806407691578277194E-2, -9.33259480895457427372E-4)
P2 = (3.23774891776946035970E0, 6.91522889068984211695E0, 3.93881025292474443415E0,
      1.33303460815807542389E0, 2.01485389549179081538E-1, 1.23716634817820021358E-2,
      3.01581553508235416007E-4, 2.65806974686737550832E-6, 6.23974539184983293730E-9)
Q2 = (6.02427039364742014255E0, 3.67983563856160859403E0, 1.37702099489081330271E0,
      2.16236993594496635890E-1, 1.34204006088543189037E-2, 3.28014464682127739104E-4,
      2.89247864745380683936E-6, 6.79019408009981274425E-9)


def normal_quantile(rank: np.ndarray) -> np.ndarray:
    """The number below which such a share lies, as in the Cephes library (Moshier 1989)."""
    upper = rank > 1 - 0.13533528323661269189
    y = np.where(upper, 1 - rank, rank)
    middle = y > 0.13533528323661269189
    centre = np.where(middle, y, 0.5) - 0.5
    square = centre * centre
    inner = (centre + centre * (square * _polynomial(square, P0) / _monic(square, Q0)))
    inner = inner * 2.50662827463100050242
    x = np.sqrt(-2 * np.log(np.where(middle | (y <= 0), 0.1, y)))
    first, z = x - np.log(x) / x, 1 / x
    outer = first - np.where(x < 8, z * _polynomial(z, P1) / _monic(z, Q1),
                             z * _polynomial(z, P2) / _monic(z, Q2))
    found = np.where(middle, inner, np.where(upper, outer, -outer))
    found = np.where(rank <= 0, -np.inf, np.where(rank >= 1, np.inf, found))
    return np.asarray(np.where(np.isnan(rank), np.nan, found))


def _polynomial(x: np.ndarray, coefficients: Sequence[float]) -> np.ndarray:
    found = np.full_like(x, coefficients[0])
    for each in coefficients[1:]:
        found = found * x + each
    return found


def _monic(x: np.ndarray, coefficients: Sequence[float]) -> np.ndarray:
    return _polynomial(x, (1.0, *coefficients))
