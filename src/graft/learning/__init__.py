"""The ground floor of all torch code: networks, features, batches, augmentation, loop, scores."""
