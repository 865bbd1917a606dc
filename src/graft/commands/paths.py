"""Where the commands find what the pipeline reads and wrote: they run outside of DVC, which alone knows dvc.yaml."""

from pathlib import Path

PARAMS = Path("params.yaml")
RAW = Path("data/raw")
CATALOG = Path("data/records/catalog.json")
TARGET_CATALOG = Path("data/catalogs/target.csv")
LABELLED_CATALOG = Path("data/companions/labelled.csv")
FEATURES = Path("data/features/target.npy")
VERDICT = Path("models/records/verdict.json")
LOOKS = Path("models/records/looks.json")
STRATEGY = Path("models/records/strategy.json")
TRAINING = Path("models/records/training.json")
GAIN = Path("models/records/gain.json")
EXPORT = Path("models/records/export.json")
RELEASE = Path("models/records/release.json")
GATE = Path("models/records/gate.json")
WIRING = Path("dvc.yaml")
REPORT = Path("reports/report.html")
FINAL = Path("models/final")
PRETRAINED = Path("models/pretrained")
BANKS = Path("models/banks")
