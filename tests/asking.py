"""An endpoint in this process, for tests that ask it without a server."""

import copy
import dataclasses

from mlmonkey.store import LoadedModel

RELEASE = {"model_name": "x", "model_version": 1, "model_location": "models/x-v1.skops",
           "model_metadata_location": "models/metadata/x-v1.json"}
NAMES = ("iris", "penguins", "cars")
MAX_BYTES, MAX_ROWS = 100_000, 50  # of a request, so that more is soon sent


def with_private(model: LoadedModel, *columns: str) -> LoadedModel:
    """The model, trained as if these columns were private."""
    metadata = copy.deepcopy(model.metadata)
    for feature in metadata["schema"]:
        if feature["name"] in columns:
            feature["private"] = True
            for key in ("categories", "quantiles", "minimum", "maximum"):
                feature.pop(key, None)
    return dataclasses.replace(model, metadata=metadata)
