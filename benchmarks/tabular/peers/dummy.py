"""Always the mean, or the shares of the classes: what a score of 0 means."""

from case import Case
from sklearn.dummy import DummyClassifier, DummyRegressor

case = Case()
model = DummyRegressor() if case.regression else DummyClassifier()
case.answer(model.fit(case.X, case.y), case.test)
