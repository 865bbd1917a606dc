"""Arrays and tables that stages hand on: catalogue and images, features, the map, predictions."""
