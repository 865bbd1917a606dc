"""What every test starts from: the same seeds, few threads, no telemetry."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["DVC_NO_ANALYTICS"] = "1"
os.environ["BENTOML_DO_NOT_TRACK"] = "True"
os.environ["GX_ANALYTICS_ENABLED"] = "false"
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
