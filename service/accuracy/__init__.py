"""How well the predictions do on published runs; run by `runquote accuracy`, never by a quote."""
