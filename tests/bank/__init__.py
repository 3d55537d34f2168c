"""A bank of evaluation functions, as people write them: right ones in `honest`, wrong ones in `wrong`."""
