"""Reading and writing video, sound, pictures and small files."""
