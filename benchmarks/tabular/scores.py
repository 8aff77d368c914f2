"""Scores of one peer's answers on one case."""

from pathlib import Path

MAIN = {"binary": "roc_auc", "multiclass": "neg_log_loss", "regression": "r2"}


def score_answers(task: str, classes: list[str], truth: Path, answers: Path) -> dict[str, float]:
    """All scores for the task, MAIN[task] among them, each the higher the better."""
    import numpy as np
    import pandas as pd
    from sklearn.metrics import log_loss, r2_score, roc_auc_score, root_mean_squared_error
    told = pd.read_csv(answers)
    if task == "regression":
        y, predicted = pd.read_csv(truth).iloc[:, 0], told["prediction"]
        return {"r2": float(r2_score(y, predicted)),
                "neg_rmse": -float(root_mean_squared_error(y, predicted))}
    y = pd.read_csv(truth, dtype=str).iloc[:, 0]
    probabilities = np.clip(told[classes].to_numpy(dtype=float), 1e-15, None)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    labels = np.array(classes)[probabilities.argmax(axis=1)]
    scores = {"neg_log_loss": -float(log_loss(y, probabilities, labels=classes)),
              "accuracy": float((labels == y.to_numpy()).mean())}
    if task == "binary":
        scores["roc_auc"] = float(roc_auc_score(y == classes[1], probabilities[:, 1]))
    return scores
