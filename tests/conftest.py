from hypothesis import settings

# No test judges a speed: an example may take as long as a busy machine makes it take.
settings.register_profile("shared machine", deadline=None)
settings.load_profile("shared machine")
