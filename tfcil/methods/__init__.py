"""The methods by their names in `method.name`: one file each, which can be read without Keras.

A file has `FACTS`, `Options` where there are any, and `learn(task, train, options)`, which trains a
task after the first and returns its classifier. `head(options)` names another head than a linear
one; `check(task, options)` refuses a task before anything is trained; `finetuning(task, classifier,
options)` returns the `Phase` of the method's own balanced fine-tuning. What several share is in
`shared`.
"""
