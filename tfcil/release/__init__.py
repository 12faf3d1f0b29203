"""What to know before a model ships: falls of old classes, calibration, unknown images, a card."""
