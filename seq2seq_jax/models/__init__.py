"""The networks: cells, stacks, encoders, attention, bridges, decoders, and the models of them."""
