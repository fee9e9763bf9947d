//! Programs that show morango at work; see the folders beside this one.
