"""Vision networks that run on phones: from a folder of pictures to a proven file."""
