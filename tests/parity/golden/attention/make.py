"""Writes scikit_learn.csv: what scikit-learn's classifiers say of the test rows that `hopfield theory attention` uses.
usage: make.py FOLDER_OF_UCI > scikit_learn.csv      (needs scikit-learn 1.9.1; FOLDER_OF_UCI holds iris.csv.gz, ...)"""
import csv
import gzip
import pathlib
import sys

import numpy as np
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

SETS = ["iris", "wine", "ionosphere", "vertebral-column-3clases"]
SPLIT = 0

out = csv.writer(sys.stdout, lineterminator="\n")
out.writerow(["set", "split", "row", "classifier", "v0", "v1", "v2"])
for name in SETS:
    with gzip.open(pathlib.Path(sys.argv[1]) / f"{name}.csv.gz", "rt", newline="") as file:
        rows = list(csv.DictReader(file))
    features = sorted((c for c in rows[0] if c[0] == "f" and c[1:].isdigit()), key=lambda c: int(c[1:]))
    x = np.array([[float(r[c]) for c in features] for r in rows])
    y = np.array([int(r["label"]) for r in rows])
    test = np.array([int(r[f"test{SPLIT}"]) != 0 for r in rows])
    scaler = StandardScaler().fit(x[~test])  # constant columns become 0
    train_x, test_x, train_y = scaler.transform(x[~test]), scaler.transform(x[test]), y[~test]
    classes = range(train_y.max() + 1)

    def neighbours(k, weights):
        return KNeighborsClassifier(k, weights=weights, algorithm="brute").fit(train_x, train_y).predict_proba(test_x)

    def machine(label):
        svc = SVC(kernel="rbf", C=1, gamma=1 / x.shape[1], tol=1e-10)
        return svc.fit(train_x, train_y == label).decision_function(test_x)

    two = len(classes) == 2
    positive = machine(1) if two else None
    values = {
        "1-NN": neighbours(1, "uniform"),
        "5-NN": neighbours(5, "uniform"),
        "5-NN, weighted": neighbours(5, lambda d: np.exp(-(d**2 - d.min(axis=1, keepdims=True) ** 2) / 2)),
        "RBF-SVM": np.stack([-positive, positive] if two else [machine(c) for c in classes], axis=1),
    }
    for classifier, table in values.items():
        for row, entries in enumerate(table):
            out.writerow([name, SPLIT, row, classifier, *(repr(float(v)) for v in entries), *[""] * (3 - len(entries))])
