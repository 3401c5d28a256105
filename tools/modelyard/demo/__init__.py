"""The demo and the replay: the whole cycle on real flights, with the commands that workflows run."""
