"""An avatar for elsewhere: a page that needs no server, and files that other programs read."""
