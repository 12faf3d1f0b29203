"""The classification losses by their names in `method.loss`: one file each.

A file has `FACTS`, `Options` where there are any, and `term(task, options)`, which returns the
`Term` that a method adds to its loss; `check(task, options)`, where there is one, refuses a task
before anything is trained; `warning(options)` returns a line on options that are hardly meant, or
`None`. What several share is in `shared`.
"""
