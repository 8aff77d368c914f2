"""skrub's tabular_pipeline as it comes."""

from case import Case
from skrub import tabular_pipeline

case = Case()
model = tabular_pipeline("regression" if case.regression else "classification")
case.answer(model.fit(case.X, case.y), case.test)
