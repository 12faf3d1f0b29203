"""What several classification losses share."""
