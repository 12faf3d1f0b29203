"""What several methods share: terms of the loss, and the first weights of new classes."""
