"""The two arms: fine-tuning from pretrained weights, and the control from random start."""
