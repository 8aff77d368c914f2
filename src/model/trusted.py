"""Types that our model files may name besides the plain ones; anything else is not loaded.

The list lives in code, never beside a model: a list in the same folder would protect nobody.
"""

TRUSTED = (
    "functools.partial",  # of check_array below: boosting keeps one for categorical columns
    "numpy.dtype",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.model_selection._split.KFold",  # of target means in src/model/encodings.py
    "sklearn.tree._tree.Tree",
    "sklearn.utils.validation.check_array",
    "src.model.encodings.Topics",
    "src.model.encodings.TypedColumns",
    "src.model.net.NetClassifier",
    "src.model.net.NetRegressor",
    "src.model.pipeline.ComputedFeatures",
    "src.model.pipeline.DateParts",
    "src.model.pipeline.TreeNumbers",
    "src.model.portfolio.Member",
    "src.model.portfolio.OfLogs",
    "src.model.portfolio.PortfolioClassifier",
    "src.model.portfolio.PortfolioRegressor",
)
