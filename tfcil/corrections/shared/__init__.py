"""What corrections compute with."""
