#!/usr/bin/env python3
"""Baselines of `hopfield reproduce mil` that scikit-learn has: scores of the test bags of every fold, as JSON.

usage: mil_baselines.py BAGS.csv.gz FOLDS.csv REPETITION MODEL [--jobs N] [--seed N]
       mil_baselines.py --versions

MODEL is forest (300 trees, defaults) or boosting (histogram gradient boosting, 60 rounds, 8 leaves of 10 bags at
least, rate 0.1), both on [mean, max] of a bag's instances, or set_kernel: a support vector machine on the normalised
Gaussian set kernel, gamma and C chosen on the validation fold and fitted again. All are fitted on the nine folds that
are not tested.
"""

import argparse
import csv
import gzip
import json
import multiprocessing
import os
import sys

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"  # a fold is a job: no threads inside

import numpy as np
import sklearn
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.metrics import roc_auc_score
from sklearn.svm import SVC

GAMMAS = (0.1, 0.3, 1, 3)  # divided by the number of features
COSTS = (0.3, 1, 3, 10, 30)


def read_bags(path):
    """(values [N, D], offsets [B + 1], labels [B]); rows of a bag stand together, as the program demands."""
    opened = gzip.open(path, "rt") if path.endswith(".gz") else open(path)
    with opened as file:
        rows = csv.reader(file)
        header = next(rows)
        bag, label = header.index("bag_id"), header.index("label")
        features = [i for i, name in enumerate(header) if name not in ("bag_id", "instance_id", "label")]
        values, ids, labels = [], [], []
        for row in rows:
            values.append([float(row[i]) for i in features])
            ids.append(row[bag])
            labels.append(int(row[label]))
    first = [i for i in range(len(ids)) if i == 0 or ids[i] != ids[i - 1]]
    return np.array(values), np.array(first + [len(ids)]), np.array([labels[i] for i in first])


def read_folds(path, repetition):
    with open(path) as file:
        return np.array([int(row[repetition]) for row in csv.DictReader(file)])


def mean_and_max(values, offsets):
    sizes = np.diff(offsets)[:, None]
    return np.hstack([np.add.reduceat(values, offsets[:-1]) / sizes, np.maximum.reduceat(values, offsets[:-1])])


def set_kernels(values, offsets):
    """One normalised kernel [B, B] a gamma. Columns are standardised over all instances; no labels are used."""
    spread = values.std(axis=0)
    z = (values - values.mean(axis=0))[:, spread > 0] / spread[spread > 0]
    square = (z * z).sum(axis=1)
    distances = np.maximum(square[:, None] + square - 2 * z @ z.T, 0)
    sizes = np.diff(offsets)
    kernels = []
    for gamma in GAMMAS:
        pairs = np.exp(-gamma / z.shape[1] * distances)
        kernel = np.add.reduceat(np.add.reduceat(pairs, offsets[:-1], axis=0), offsets[:-1], axis=1)
        kernel /= np.outer(sizes, sizes)
        norm = np.sqrt(np.diag(kernel))
        kernels.append(kernel / np.outer(norm, norm))
    return kernels


def fit_on_kernel(kernel, labels, cost, training, test):
    machine = SVC(kernel="precomputed", C=cost).fit(kernel[np.ix_(training, training)], labels[training])
    return machine.decision_function(kernel[np.ix_(test, training)])


class Task:
    """What every fold shares; called with the number of a fold."""

    def __init__(self, model, values, offsets, labels, folds, seed):
        self.model, self.labels, self.folds, self.seed = model, labels, folds, seed
        if model == "set_kernel":
            self.kernels = set_kernels(values, offsets)
        else:
            self.inputs = mean_and_max(values, offsets)

    def __call__(self, fold):
        test = np.flatnonzero(self.folds == fold)
        rest = np.flatnonzero(self.folds != fold)
        if self.model == "set_kernel":
            scores = self.set_kernel(fold, rest, test)
        elif self.model == "forest":
            forest = RandomForestClassifier(n_estimators=300, random_state=self.seed)
            scores = forest.fit(self.inputs[rest], self.labels[rest]).predict_proba(self.inputs[test])[:, 1]
        else:
            trees = HistGradientBoostingClassifier(max_iter=60, max_leaf_nodes=8, min_samples_leaf=10,
                                                   learning_rate=0.1, early_stopping=False,
                                                   random_state=self.seed)
            scores = trees.fit(self.inputs[rest], self.labels[rest]).decision_function(self.inputs[test])
        return {"fold": fold, "bags": test.tolist(), "scores": scores.tolist()}

    def set_kernel(self, fold, rest, test):
        validation = (fold + 1) % (self.folds.max() + 1)
        training, checked = rest[self.folds[rest] != validation], rest[self.folds[rest] == validation]
        best = (-1, None, None)
        for kernel in self.kernels:
            for cost in COSTS:
                scores = fit_on_kernel(kernel, self.labels, cost, training, checked)
                auc = roc_auc_score(self.labels[checked], scores)
                if auc > best[0]:
                    best = (auc, kernel, cost)
        return fit_on_kernel(best[1], self.labels, best[2], rest, test)


def main():
    if sys.argv[1:] == ["--versions"]:
        print(json.dumps({"python": sys.version.split()[0], "numpy": np.__version__,
                          "scikit-learn": sklearn.__version__}))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bags")
    parser.add_argument("folds")
    parser.add_argument("repetition")
    parser.add_argument("model", choices=["forest", "boosting", "set_kernel"])
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    folds = read_folds(arguments.folds, arguments.repetition)
    task = Task(arguments.model, *read_bags(arguments.bags), folds, arguments.seed)
    numbers = range(folds.max() + 1)
    if arguments.jobs > 1:
        with multiprocessing.Pool(arguments.jobs) as pool:
            results = pool.map(task, numbers, chunksize=1)
    else:
        results = [task(fold) for fold in numbers]
    print(json.dumps({"folds": results}))


if __name__ == "__main__":
    main()
