"""The prediction service: the predictor, the handling of uploads, and the BentoML class that combines them."""
