"""How a model's file is recognised, loaded, scored, explained and packaged."""
