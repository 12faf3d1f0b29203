"""Corrections of the bias to new or frequent classes, by their names in `method.correction`.

One file each; it follows the training of any method, and of the first task where it says so. A file
has `FACTS`, `Options` where there are any, and `correct(task, train, classifier, options)`, which
returns the corrected classifier. `reserve(task, options)` returns the indices of images that the
training must not see; `check(task, options)` refuses a task before anything is trained.
"""
