"""From trained weights to the file that ships: ONNX graph, parity, card."""
