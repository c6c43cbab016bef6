#!/usr/bin/env python3
"""Models that are no networks, converted from scikit-learn, and what scikit-learn says of them.

make_classical.py DIR: writes NAME.mlmodel of each case into DIR, and cases.json:
[{"name", "inputs": [{feature: value}, one each sample], "expected": [{output: value} ...], "tolerance"}].
Needs coremltools and scikit-learn; tests/unit/core/exec/classical_test.c runs those kept in tests/parity/classical.
"""
import json
import sys
import warnings

warnings.filterwarnings("ignore")
import numpy as np
from sklearn import datasets, ensemble, linear_model, preprocessing, svm, tree, neighbors, impute, feature_extraction, pipeline
import coremltools as ct
from coremltools.converters import sklearn as sk

rng = np.random.default_rng(7)
X, y = datasets.make_classification(240, 6, n_informative=4, n_classes=3, random_state=3)
Xb, yb = datasets.make_classification(240, 6, n_informative=4, n_classes=2, random_state=4)
Xr, yr = datasets.make_regression(240, 6, noise=3.0, random_state=5)
out = sys.argv[1]
cases = []


def save(name, spec, samples, expected, tolerance=1e-6):
    """samples: {feature: value} each; expected: {output: value} each, dictionaries for probabilities."""
    if not isinstance(spec, ct.models.MLModel):
        spec = ct.models.MLModel(spec, skip_model_load=True)
    ct.models.utils.save_spec(spec.get_spec(), f"{out}/{name}.mlmodel")
    cases.append({"name": name, "inputs": samples, "expected": expected, "tolerance": tolerance})


def vector(model):
    return model.get_spec().description.input[0].name


def rows(data, name="input"):
    return [{name: [float(v) for v in row]} for row in data]


def classifier(name, model, data, labels, tolerance=1e-6):
    model.fit(data, labels)
    spec = sk.convert(model)
    sample = data[:6]
    expected = []
    probabilities = hasattr(model, "predict_proba")
    for row, label in zip(sample, model.predict(sample)):
        entry = {"classLabel": int(label)}
        if probabilities:
            p = model.predict_proba([row])[0]
            # the converter leaves the sums of a forest of several classes as they are
            scale = len(model.estimators_) if type(model).__name__ == "RandomForestClassifier" and len(p) > 2 else 1
            entry["classProbability"] = {str(c): float(v) * scale for c, v in zip(model.classes_, p)}
        expected.append(entry)
    save(name, spec, rows(sample, vector(spec)), expected, tolerance)


def regressor(name, model, data, targets, tolerance=1e-6):
    model.fit(data, targets)
    spec = sk.convert(model)
    sample = data[:6]
    save(name, spec, rows(sample, vector(spec)), [{"prediction": float(v)} for v in model.predict(sample)], tolerance)


def transformer(name, model, data, tolerance=1e-6):
    model.fit(data)
    spec = sk.convert(model, "x", "y")
    got = model.transform(data[:6])
    save(name, spec, rows(data[:6], "x"), [{"y": [float(v) for v in np.ravel(r)]} for r in got], tolerance)


def attempt(name, make, *arguments):
    try:
        make(name, *arguments)
    except Exception as error: # a version of scikit-learn that the converter does not take
        print(f"{name}: not made: {type(error).__name__}: {str(error)[:100]}", file=sys.stderr)


F = np.float32
# trees compare in single precision in scikit-learn
X32, Xb32, Xr32 = (a.astype(F).astype(float) for a in (X, Xb, Xr))
attempt("decision_tree_classifier", classifier, tree.DecisionTreeClassifier(max_depth=4, random_state=1), X32, y)
attempt("decision_tree_binary", classifier, tree.DecisionTreeClassifier(max_depth=4, random_state=1), Xb32, yb)
attempt("decision_tree_regressor", regressor, tree.DecisionTreeRegressor(max_depth=4, random_state=1), Xr32, yr)
attempt("random_forest_classifier", classifier, ensemble.RandomForestClassifier(5, max_depth=4, random_state=1), X32, y)
attempt("random_forest_regressor", regressor, ensemble.RandomForestRegressor(5, max_depth=4, random_state=1), Xr32, yr)
attempt("boosting_classifier", classifier, ensemble.GradientBoostingClassifier(n_estimators=6, max_depth=3, random_state=1), X32, y)
attempt("boosting_binary", classifier, ensemble.GradientBoostingClassifier(n_estimators=6, max_depth=3, random_state=1), Xb32, yb)
attempt("boosting_regressor", regressor, ensemble.GradientBoostingRegressor(n_estimators=6, max_depth=3, random_state=1), Xr32, yr)
attempt("linear_regression", regressor, linear_model.LinearRegression(), Xr, yr)
attempt("logistic_binary", classifier, linear_model.LogisticRegression(multi_class="ovr"), Xb, yb)
attempt("logistic_ovr", classifier, linear_model.LogisticRegression(multi_class="ovr"), X, y)
for kernel in ("linear", "rbf", "poly", "sigmoid"):
    attempt(f"svc_{kernel}", classifier, svm.SVC(kernel=kernel, gamma=0.2, coef0=0.3, degree=3), X, y)
    attempt(f"svr_{kernel}", regressor, svm.SVR(kernel=kernel, gamma=0.02, coef0=0.3, degree=2), Xr, yr)
    attempt(f"nu_svc_{kernel}", classifier, svm.NuSVC(kernel=kernel, gamma=0.2, coef0=0.3, degree=3, nu=0.3), Xb, yb)
attempt("svc_probability", classifier, svm.SVC(gamma=0.2, probability=True, random_state=1), X, y, 2e-3)
attempt("svc_binary_probability", classifier, svm.SVC(gamma=0.2, probability=True, random_state=1), Xb, yb, 2e-3)
attempt("nu_svr", regressor, svm.NuSVR(gamma=0.02), Xr, yr)
attempt("linear_svc", classifier, svm.LinearSVC(), Xb, yb)
attempt("linear_svr", regressor, svm.LinearSVR(), Xr, yr)
attempt("neighbors_brute", classifier, neighbors.KNeighborsClassifier(5, algorithm="brute"), X.astype(F).astype(float), y)
attempt("neighbors_tree", classifier, neighbors.KNeighborsClassifier(3, algorithm="kd_tree"), X.astype(F).astype(float), y)
attempt("standard_scaler", transformer, preprocessing.StandardScaler(), X)
H = X.copy()
H[rng.random(H.shape) < 0.3] = 0.0
attempt("imputer", transformer, impute.SimpleImputer(missing_values=0.0, strategy="mean"), H)


def dictionaries(name):
    data = [{"size": 3.0, "weight": 1.5}, {"size": 1.0, "colour": 2.0}, {"weight": 4.0, "colour": 1.0}] * 4
    model = pipeline.Pipeline([("v", feature_extraction.DictVectorizer(sparse=True)), ("t", tree.DecisionTreeClassifier(random_state=0))])
    labels = ["a", "b", "c"] * 4
    model.fit(data, labels)
    spec = sk.convert(model, "input", "classLabel")
    samples = [{"input": d} for d in data[:3]] + [{"input": {"size": 2.9, "unknown": 7}}]
    expected = [{"classLabel": str(v)} for v in model.predict(data[:3] + [{"size": 2.9, "unknown": 7}])]
    save(name, spec, samples, expected)


attempt("dictionary_tree", dictionaries)


def one_hot(name):
    data = np.array([[0.0, 1.5, 2.0], [1.0, 0.5, 3.0], [2.0, 0.25, 2.0]] * 3)
    model = pipeline.Pipeline([("s", preprocessing.StandardScaler()), ("l", linear_model.LinearRegression())])
    targets = data @ [1.0, 2.0, 3.0]
    model.fit(data, targets)
    spec = sk.convert(model, "x", "prediction")
    save(name, spec, rows(data[:3], "x"), [{"prediction": float(v)} for v in model.predict(data[:3])])


attempt("scaled_linear", one_hot)

# ---- Models that the converter does not make: written field by field, with NumPy's word for what they give ----

from coremltools.proto import Model_pb2, FeatureTypes_pb2


def described(inputs, outputs, predicted=None, probabilities=None):
    """A specification with features: (name, "double" | "int64" | "string" | ("dict", "string") | ("sequence", "string") | n)."""
    model = Model_pb2.Model(specificationVersion=4)
    for features, into in ((inputs, model.description.input), (outputs, model.description.output)):
        for name, kind in features:
            feature = into.add(name=name)
            if kind == "double":
                feature.type.doubleType.SetInParent()
            elif kind == "int64":
                feature.type.int64Type.SetInParent()
            elif kind == "string":
                feature.type.stringType.SetInParent()
            elif isinstance(kind, tuple) and kind[0] == "dict":
                getattr(feature.type.dictionaryType, kind[1] + "KeyType").SetInParent()
            elif isinstance(kind, tuple) and kind[0] == "sequence":
                getattr(feature.type.sequenceType, kind[1] + "Type").SetInParent()
                feature.type.isOptional = True
            else:
                feature.type.multiArrayType.dataType = FeatureTypes_pb2.ArrayFeatureType.DOUBLE
                feature.type.multiArrayType.shape.extend(kind if isinstance(kind, list) else [kind])
    if predicted:
        model.description.predictedFeatureName = predicted
    if probabilities:
        model.description.predictedProbabilitiesName = probabilities
    return model


def keep(name, model, samples, expected, tolerance=1e-9):
    with open(f"{out}/{name}.mlmodel", "wb") as f:
        f.write(model.SerializeToString())
    cases.append({"name": name, "inputs": samples, "expected": expected, "tolerance": tolerance})


for kind, norm in (("LMax", np.inf), ("L1", 1), ("L2", 2)):
    model = described([("x", 6)], [("y", 6)])
    model.normalizer.normType = model.normalizer.NormType.Value(kind)
    data = np.vstack([X[:3], np.zeros((1, 6))])
    keep(f"normalizer_{kind.lower()}", model, rows(data, "x"),
         [{"y": list(r / (np.linalg.norm(r, norm) or 1))} for r in data])

model = described([("x", "string")], [("y", 3)])
model.oneHotEncoder.stringCategories.vector.extend(["red", "green", "blue"])
model.oneHotEncoder.handleUnknown = 1
keep("one_hot_text", model, [{"x": "green"}, {"x": "red"}, {"x": "none of them"}],
     [{"y": [0, 1, 0]}, {"y": [1, 0, 0]}, {"y": [0, 0, 0]}])

model = described([("x", "int64")], [("y", 3)])
model.oneHotEncoder.int64Categories.vector.extend([7, -2, 40])
keep("one_hot_int", model, [{"x": -2}, {"x": 40}], [{"y": [0, 1, 0]}, {"y": [0, 0, 1]}])

model = described([("x", 5)], [("y", 3)])
model.arrayFeatureExtractor.extractIndex.extend([4, 0, 0])
keep("extractor", model, [{"x": [1, 2, 3, 4, 5]}], [{"y": [5, 1, 1]}])

model = described([("x", "string")], [("y", "int64")])
for k, v in (("one", 1), ("two", 2), ("three", 3)):
    model.categoricalMapping.stringToInt64Map.map[k] = v
model.categoricalMapping.int64Value = -1
keep("mapping_to_int", model, [{"x": "three"}, {"x": "four"}], [{"y": 3}, {"y": -1}])

model = described([("x", "int64")], [("y", "string")])
for k, v in ((1, "one"), (2, "two")):
    model.categoricalMapping.int64ToStringMap.map[k] = v
model.categoricalMapping.strValue = "many"
keep("mapping_to_text", model, [{"x": 2}, {"x": 5}], [{"y": "two"}, {"y": "many"}])

model = described([("x", 3)], [("y", 3)])
model.imputer.imputedDoubleArray.vector.extend([10, 20, 30])
model.imputer.replaceDoubleValue = -1
keep("imputer_each", model, [{"x": [-1, 5, -1]}], [{"y": [10, 5, 30]}])

model = described([("x", "double")], [("y", "double")])
model.identity.SetInParent()
keep("identity", model, [{"x": 2.5}], [{"y": 2.5}])

model = described([("a", "double"), ("b", 2), ("c", "int64")], [("y", 4)])
for name, n in (("b", 2), ("a", 1), ("c", 1)):
    model.featureVectorizer.inputList.add(inputColumn=name, inputDimensions=n)
keep("vectorizer", model, [{"a": 1.5, "b": [2, 3], "c": 4}], [{"y": [2, 3, 1.5, 4]}])


def neighbors_model(labels, k, inverse):
    kind = "string" if isinstance(labels[0], str) else "int64"
    model = described([("x", 2)], [("label", kind), ("p", ("dict", kind))], "label", "p")
    knn = model.kNearestNeighborsClassifier
    knn.nearestNeighborsIndex.numberOfDimensions = 2
    knn.nearestNeighborsIndex.linearIndex.SetInParent()
    knn.nearestNeighborsIndex.squaredEuclideanDistance.SetInParent()
    knn.numberOfNeighbors.defaultValue = k
    for sample in samples_2d:
        knn.nearestNeighborsIndex.floatSamples.add().vector.extend(sample)
    getattr(knn, kind + "ClassLabels").vector.extend(labels)
    (knn.inverseDistanceWeighting if inverse else knn.uniformWeighting).SetInParent()
    return model


def neighbors_expected(labels, k, inverse, x):
    d = ((np.array(samples_2d, dtype=F).astype(float) - x) ** 2).sum(1)
    nearest = np.argsort(d, kind="stable")[:k]
    votes = {label: 0.0 for label in labels}
    for i in nearest:
        votes[labels[i]] += 1 / d[i] if inverse else 1
    total = sum(votes.values())
    return {"label": max(votes, key=lambda v: votes[v]), "p": {str(v): votes[v] / total for v in votes}}


samples_2d = [[0, 0], [1, 0], [0, 1.5], [4, 4], [5, 4], [4, 5.5], [-3, 2]]
for name, labels, k, inverse in (("neighbors_uniform", list("aabccab"), 3, False), ("neighbors_inverse", [1, 1, 2, 3, 3, 1, 2], 4, True)):
    points = [[0.2, 0.1], [4.1, 4.4], [-1.0, 1.0]]
    keep(name, neighbors_model(labels, k, inverse), [{"x": p} for p in points],
         [neighbors_expected(labels, k, inverse, np.array(p)) for p in points])

model = described([("items", ("dict", "string")), ("k", "int64"), ("only", ("sequence", "string")), ("not", ("sequence", "string"))],
                  [("best", ("sequence", "string")), ("scores", ("dict", "string"))])
r = model.itemSimilarityRecommender
r.itemStringIds.vector.extend(["tea", "milk", "cake", "beer"])
S = np.array([[0, 0.5, 0.25, 0], [0.5, 0, 0, 0.1], [0.25, 0, 0, 0.75], [0, 0.1, 0.75, 0]])
shift = [0.0, 0.125, 0.0, 0.5]
for i in range(4):
    item = r.itemItemSimilarities.add(itemId=i, itemScoreAdjustment=shift[i])
    for j in range(4):
        if S[i, j]:
            item.similarItemList.add(itemId=j, similarityScore=S[i, j])
r.itemInputFeatureName, r.numRecommendationsInputFeatureName = "items", "k"
r.itemRestrictionInputFeatureName, r.itemExclusionInputFeatureName = "only", "not"
r.recommendedItemListOutputFeatureName, r.recommendedItemScoreOutputFeatureName = "best", "scores"
given = np.array([1.0, 0, 2.0, 0])
score = [sum(S[k, i] * (given[i] - shift[k]) for i in (0, 2)) for k in range(4)]
keep("recommender", model,
     [{"items": {"tea": 1.0, "cake": 2.0}, "k": 5}, {"items": [["tea", 1.0], ["cake", 2.0]], "k": 1, "only": ["milk", "cake"], "not": ["beer"]}],
     [{"scores": {"milk": score[1], "beer": score[3]}}, {"scores": {"milk": score[1]} if score[1] > score[2] else {"cake": score[2]}}])

model = described([("confidence", [6, 2]), ("coordinates", [6, 4]), ("iou", "double"), ("least", "double")],
                  [("kept", [4, 2]), ("boxes", [4, 4])])
for i in (2, 3):
    model.description.input[i].type.isOptional = True
nms = model.nonMaximumSuppression
nms.pickTop.perClass = True
nms.iouThreshold, nms.confidenceThreshold = 0.5, 0.2
nms.confidenceInputFeatureName, nms.coordinatesInputFeatureName = "confidence", "coordinates"
nms.iouThresholdInputFeatureName, nms.confidenceThresholdInputFeatureName = "iou", "least"
nms.confidenceOutputFeatureName, nms.coordinatesOutputFeatureName = "kept", "boxes"
C = np.array([[0.9, 0.1], [0.8, 0.1], [0.1, 0.85], [0.15, 0.1], [0.7, 0.0], [0.0, 0.95]])
B = np.array([[0.5, 0.5, 0.2, 0.2], [0.51, 0.5, 0.2, 0.2], [0.5, 0.5, 0.2, 0.2], [0.1, 0.1, 0.1, 0.1], [0.8, 0.8, 0.2, 0.2], [0.2, 0.2, 0.1, 0.3]])


def picked(order):
    rows_ = list(order) + [None] * (4 - len(order))
    take = lambda a: [float(v) for i in rows_ for v in (a[i] if i is not None else np.zeros(a.shape[1]))]
    return {"kept": take(C), "boxes": take(B)}


# 5 (.95), 0 (.9), 2 (.85, other class than 0), 1 (.8, overlaps 0: gone), 4 (.7); 3 is below the threshold
keep("suppression", model,
     [{"confidence": C.tolist(), "coordinates": B.tolist()},
      {"confidence": C.tolist(), "coordinates": B.tolist(), "iou": 1.0, "least": 0.75}],
     [picked([5, 0, 2, 4]), picked([5, 0, 2, 1])])


def pipeline_of(inputs, outputs, models):
    model = described(inputs, outputs)
    for part in models:
        model.pipeline.models.add().CopyFrom(part)
    return model


# A nested pipeline whose inner name hides an outer one, and a network that takes single precision
scale = described([("x", 3)], [("y", 3)])
scale.scaler.shiftValue.append(1.0)
scale.scaler.scaleValue.append(2.0)
inner = pipeline_of([("x", 3)], [("x2", 3)], [scale, described([("y", 3)], [("x2", 3)])])
inner.pipeline.models[1].normalizer.normType = 1
network = described([("x2", 3)], [("z", 2)])
layer = network.neuralNetwork.layers.add(name="dense", input=["x2"], output=["z"])
layer.innerProduct.inputChannels, layer.innerProduct.outputChannels = 3, 2
W = np.array([[1.0, 2.0, 3.0], [-1.0, 0.5, 4.0]], dtype=F)
layer.innerProduct.weights.floatValue.extend(W.ravel())
last = described([("z", 2), ("x", 3)], [("out", 5)])
for name, n in (("z", 2), ("x", 3)):
    last.featureVectorizer.inputList.add(inputColumn=name, inputDimensions=n)
points = [np.array([1.0, 2.0, 4.0]), np.array([-0.5, 0.25, 3.0])]
unit = lambda x: (x + 1) * 2 / np.abs((x + 1) * 2).sum()
keep("pipeline_mixed", pipeline_of([("x", 3)], [("out", 5)], [inner, network, last]), [{"x": list(p)} for p in points],
     [{"out": list(W.astype(float) @ unit(p)) + list(p)} for p in points], 1e-6)

with open(f"{out}/cases.json", "w") as f:
    f.write("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")
print(len(cases), "cases")
