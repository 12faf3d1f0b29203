"""A folder with params.yaml and your images: create it, add tasks, see what is learned."""
