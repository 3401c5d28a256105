"""The whole story on real flights, told with the very commands that workflows call."""
