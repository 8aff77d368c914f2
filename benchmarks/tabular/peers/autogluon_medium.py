"""AutoGluon's medium quality without a limit of time; the note says which members were fitted."""

import tempfile

from autogluon.tabular import TabularPredictor
from case import Case

case = Case()
metric = {"binary": "roc_auc", "multiclass": "log_loss", "regression": "r2"}[case.task]
with tempfile.TemporaryDirectory() as folder:
    predictor = TabularPredictor(case.target, problem_type=case.task, eval_metric=metric,
                                 path=folder, verbosity=0)
    predictor.fit(case.train, presets="medium_quality")
    members = ", ".join(predictor.model_names())
    if case.regression:
        case.write(predictor.predict(case.test), None, members)
    else:
        answers = predictor.predict_proba(case.test)
        case.write(answers, answers.columns, members)
