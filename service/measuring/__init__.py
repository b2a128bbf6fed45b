"""`runquote measure`: a step of one's own, timed on the device at hand, as an anchor and as rows.

`asking` reads what is to be timed, `building` names the classes that it is built of, `depths` says
how deep a model is timed, and `worker` times it in a process of its own: it alone imports PyTorch.
`arithmetic` makes one time of many, `anchoring` and `rows` say what was found.
"""
