"""The finished argument becomes the answer."""
