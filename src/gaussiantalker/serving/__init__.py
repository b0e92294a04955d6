"""Serving: avatars behind HTTP, WebRTC and a socket. Needs the extra `serve`."""
