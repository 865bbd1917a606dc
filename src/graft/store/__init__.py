"""What is kept between stages: catalogue and image store, features, the map, predictions."""
