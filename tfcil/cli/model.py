"""Commands for a trained model: predict, export."""

import argparse
import json
import sys
from pathlib import Path

from tfcil.export import FORMATS, RULES


def add(commands) -> None:
    """Adds the commands to the parser."""
    predict = commands.add_parser("predict", help="classify photos with a trained model")
    predict.add_argument("model", type=Path, help="a classifier: models/TASK.keras")
    predict.add_argument("paths", type=Path, nargs="+", metavar="PATH", help="image or folder")
    predict.add_argument("--top", type=int, default=5, metavar="K", help="classes to print (5)")
    predict.add_argument("--json", action="store_true", help="print one JSON list")
    rejects = "tell images of unknown classes; this share of the known ones is rejected, too"
    predict.add_argument("--reject", type=float, metavar="SHARE", help=rejects)
    predict.set_defaults(run=_predict)

    export = commands.add_parser(
        "export",
        help="write a model with preprocessing, softmax and class names inside",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="formats:\n"
        "  keras       a .keras file of Keras's own layers\n"
        "  savedmodel  a folder for TensorFlow Serving\n"
        "  onnx        a .onnx file\n"
        "  tflite      a .tflite file for LiteRT",
    )
    export.add_argument("model", type=Path, help="a classifier: models/TASK.keras")
    export.add_argument("--format", choices=FORMATS, default="keras")
    export.add_argument("--rule", choices=RULES, help="how it predicts (default: by its logits)")
    export.add_argument("--memory", type=Path, help="memory/TASK.npz, for a rule with exemplars")
    about = "divide the logits by the temperature that held-out images give"
    export.add_argument("--calibrate", action="store_true", help=about)
    rejects = "print the probability below which this share of known images is"
    export.add_argument("--reject", type=float, metavar="SHARE", help=rejects)
    export.add_argument("--output", type=Path, required=True, help="the file or folder to write")
    export.set_defaults(run=_export)


def _predict(options) -> None:
    classifier = _open(options.model)
    from tfcil.predict import predictions

    threshold = None if options.reject is None else _threshold(classifier, options, sys.stderr)
    failed, before = False, "[\n"
    for answer in predictions(classifier, options.paths, options.top):
        if "error" in answer:
            failed = True
            print(f"error: {answer['error']}", file=sys.stderr, flush=True)
        elif threshold is not None:
            answer["known"] = answer["predictions"][0]["probability"] >= threshold
        if options.json:
            # One by one: thousands of answers need not be in memory at once.
            print(before + json.dumps(answer), end="")
            before = ",\n"
        elif "error" not in answer:
            _print_line(answer)
    if options.json:
        print("\n]")
    if failed:
        sys.exit(1)


def _print_line(answer) -> None:
    ranked = (f"{one['class']} {100 * one['probability']:.1f}%" for one in answer["predictions"])
    unknown = "" if answer.get("known", True) else "unknown: "
    line = f"{answer['path']}: {unknown}{', '.join(ranked)}"
    # A file name need not be valid Unicode.
    print(line.encode("utf-8", "backslashreplace").decode())


def _threshold(classifier, options, stream) -> float:
    from tfcil.release.rejection import rejection

    found = rejection(classifier, options.model, options.reject)
    print(found, file=stream)
    return round(found.threshold, 6)  # as the probabilities are


def _open(path):
    from tfcil.console import native_messages_hidden

    with native_messages_hidden():
        from tfcil.predict import Classifier
    classifier = Classifier.open(path)
    names = path.with_suffix(".json")
    if not names.exists():
        print(f"note: {names} is missing, classes are told by their numbers", file=sys.stderr)
    return classifier


def _export(options) -> None:
    from tfcil.evaluation.registry import primary
    from tfcil.export.rules import predict_by

    changed = predict_by(options.rule or primary(), options.memory)
    classifier = changed(_open(options.model))
    from tfcil.export.writing import export

    if options.calibrate:
        from tfcil.release.temperature import calibrated

        classifier, calibration = calibrated(classifier, options.model)
        print(calibration)
    if options.reject is not None:
        _threshold(classifier, options, sys.stdout)
    export(classifier, options.format, options.output)
    print(f"{options.output}: {options.format}, {len(classifier.names)} classes")
