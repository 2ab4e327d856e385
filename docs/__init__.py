"""The pages of the site, and the scripts that draw their pictures."""
