"""Frozen pretrained sentence encoders that teach the nano models, and what is derived from them."""
