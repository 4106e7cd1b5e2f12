"""Classifiers of scikit-learn and XGBoost, which are imported where one is made."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from types import ModuleType
from typing import Any


def boosted(seed: int) -> Any:
    """A hundred gradient-boosted trees of 15 leaves; raises ImportError without scikit-learn."""
    settings = {"learning_rate": 0.05, "max_iter": 100, "max_leaf_nodes": 15, "early_stopping": False}
    return _sklearn("ensemble").HistGradientBoostingClassifier(**settings, random_state=seed)


def extreme(seed: int) -> Any:
    """A hundred trees of XGBoost, as large and as slow to learn as `boosted`; raises ImportError without xgboost."""
    try:
        xgboost = import_module("xgboost")
    except ImportError as error:
        raise ImportError("this baseline needs xgboost: install the extra `trees`, seqjax[trees]") from error
    settings = {"learning_rate": 0.05, "n_estimators": 100, "max_leaves": 15, "max_depth": 0}
    grown = {"grow_policy": "lossguide", "tree_method": "hist"}
    classifier = xgboost.XGBClassifier(**settings, **grown, random_state=seed)
    classifier.decision_function = partial(classifier.predict, output_margin=True)
    return classifier


def scaled_logistic(strength: float = 1.0) -> Any:
    """Logistic regression on columns scaled to variance 1; raises ImportError without scikit-learn.

    strength: the inverse of the penalty's weight (C).
    """
    scale, regression = _sklearn("preprocessing").StandardScaler(), _sklearn("linear_model").LogisticRegression
    return _sklearn("pipeline").make_pipeline(scale, regression(C=strength, max_iter=500))


def sparse_logistic(strength: float = 1.0) -> Any:
    """Logistic regression on columns as they are; raises ImportError without scikit-learn."""
    return _sklearn("linear_model").LogisticRegression(C=strength, max_iter=500)


def linear_machine(strength: float = 1.0) -> Any:
    """A linear support vector machine; raises ImportError without scikit-learn."""
    return _sklearn("svm").LinearSVC(C=strength)


def adaptive(learner: Any, rounds: int) -> Any:
    """AdaBoost over so many copies of a classifier; raises ImportError without scikit-learn."""
    return _sklearn("ensemble").AdaBoostClassifier(learner, n_estimators=rounds)


def _sklearn(room: str) -> ModuleType:
    try:
        return import_module(f"sklearn.{room}")
    except ImportError as error:
        raise ImportError("this baseline needs scikit-learn: install the extra `trees`, seqjax[trees]") from error
