"""The service: predictor, the front that every upload passes, and the BentoML class that ties them."""
