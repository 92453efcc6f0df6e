"""Labels from several opinions: cross-annotation over folds and voting (report, section 3.5, in small).

Nothing here knows of the nano models or of how they are trained.
"""
