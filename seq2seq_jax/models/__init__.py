"""The networks: cells and stacks, encoders, attention, bridges, decoders, and the models made of them."""
