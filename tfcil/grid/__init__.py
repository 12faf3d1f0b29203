"""Many variants of one experiment, each with several seeds, and the page that compares them."""
