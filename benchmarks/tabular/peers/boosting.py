"""scikit-learn's histogram boosting; text columns become categories, and nothing else is done."""

import numpy as np
from case import Case
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

case = Case()
encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan,
                         max_categories=250)  # boosting takes 255
boosting = HistGradientBoostingRegressor if case.regression else HistGradientBoostingClassifier
model = make_pipeline(
    make_column_transformer((encoder, case.text), remainder="passthrough"),
    boosting(categorical_features=list(range(len(case.text))), random_state=0))
case.answer(model.fit(case.X, case.y), case.test)
