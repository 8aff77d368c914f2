"""CatBoost as it comes; text columns become categories."""

from case import Case
from catboost import CatBoostClassifier, CatBoostRegressor

case = Case()
for frame in (case.X, case.test):
    for name in case.text:
        frame[name] = frame[name].astype(object).fillna("missing")
model = (CatBoostRegressor if case.regression else CatBoostClassifier)(
    cat_features=case.text, random_seed=0, verbose=0, allow_writing_files=False)
case.answer(model.fit(case.X, case.y), case.test)
