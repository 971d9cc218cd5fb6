"""One module an article or group of articles; ``law/catalogue.py`` lists them in order."""
