"""Setup: new model repositories, and checks of this machine."""
