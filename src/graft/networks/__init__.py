"""What a network is: families, blocks, weights, input preprocessing, saving."""
