"""Installation: what a job in CI, an image or this machine installs."""
