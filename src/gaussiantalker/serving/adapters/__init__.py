"""Avatars inside other people's frameworks, over the seam `speaking.AvatarStream`; each module needs its own extra."""
