"""A stand-in for k3s: it speaks the contract that airlift relies on, and nothing else."""
