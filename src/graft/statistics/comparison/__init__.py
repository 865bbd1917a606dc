"""Two arms compared over seeds and test images."""
