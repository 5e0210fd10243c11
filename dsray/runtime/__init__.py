"""The only package that imports ray: sessions, data placement, training, sharded work, serving, sweeps."""
