"""`runquote catalog refresh`: prices of other catalogs and of price lists as an overlay.

`readers/` read what others publish into `Listing`s, `names` finds our ids for theirs, `checking`
leaves out what cannot be right, `composing` makes the files of an overlay, `writing` puts them into
the folder. Whatever is left out is told with its reason.
"""
