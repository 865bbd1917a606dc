"""What `graft start` does: look at the images, choose params that fit, write them into params.yaml."""
