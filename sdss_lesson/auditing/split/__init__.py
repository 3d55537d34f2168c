"""Examine a split: what does the test set share with the training set?"""
